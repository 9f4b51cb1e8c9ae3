/** Asks for the elements of a stored file. */

import type { TagRow } from "../core/tags";
import { asFlag, asList, asNumber, asObject, asText, type JsonObject } from "./read";
import { fetchDocument } from "./stack";

export interface TagTable {
  readonly instanceNumber: number | null;
  readonly rows: readonly TagRow[];
  /** There are more than the server sends at once; a search finds them. */
  readonly isCut: boolean;
}

export async function fetchTags(instanceId: string, search: string): Promise<TagTable> {
  const words = search === "" ? "" : `?search=${encodeURIComponent(search)}`;
  const wire = await fetchDocument(`/api/v1/instances/${encodeURIComponent(instanceId)}/tags/${words}`);
  return {
    instanceNumber: asNumber(wire["instance_number"]),
    rows: asList(wire["rows"]).map((row) => readRow(asObject(row))),
    isCut: asFlag(wire["is_cut"]),
  };
}

function readRow(wire: JsonObject): TagRow {
  return {
    path: asText(wire["path"]),
    depth: asNumber(wire["depth"]) ?? 0,
    tag: asText(wire["tag"]),
    vr: asText(wire["vr"]),
    keyword: asText(wire["keyword"]),
    name: asText(wire["name"]),
    value: asText(wire["value"]),
  };
}
