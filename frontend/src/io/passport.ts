/** Asks for a series' passport in words. */

import { fetchDocument } from "./stack";
import { asFlag, asList, asObject, asText, type JsonObject } from "./read";

export interface PassportRow {
  readonly name: string;
  readonly value: string;
  readonly notes: readonly string[];
  /** To be heeded: it limits what the series is good for. */
  readonly heed: boolean;
}

export interface PassportSection {
  readonly title: string;
  readonly rows: readonly PassportRow[];
}

export async function fetchPassport(url: string): Promise<PassportSection[]> {
  const sheet = await fetchDocument(url);
  return asList(sheet["sections"]).map((one) => {
    const section = asObject(one);
    return { title: asText(section["title"]), rows: asList(section["rows"]).map((row) => readRow(asObject(row))) };
  });
}

function readRow(wire: JsonObject): PassportRow {
  return {
    name: asText(wire["name"]),
    value: asText(wire["value"]),
    notes: asList(wire["notes"]).map((note) => asText(note)),
    heed: asFlag(wire["heed"]),
  };
}
