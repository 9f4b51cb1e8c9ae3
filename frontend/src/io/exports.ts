/** Exports over REST: `/api/v1/exports/`, docs/export.md. */

import { readProblem } from "./api";
import { asList, asNumber, asObject, asText, type Json, type JsonObject } from "./read";

export type ExportState = "ready" | "waiting" | "running" | "done" | "failed";

export interface StudyExport {
  readonly id: string;
  readonly format: string;
  readonly state: ExportState;
  readonly imageCount: number;
  readonly doneCount: number;
  /** In words, what does not leave de-identified and why. */
  readonly leftOut: readonly string[];
  readonly problem: string;
  readonly fileName: string;
  /** Where it is fetched; empty while it is being made. */
  readonly url: string;
}

/** The server says no, in words for the reader; `mayName` when pixels may show a name. */
export class ExportError extends Error {
  constructor(
    message: string,
    readonly mayName = false,
  ) {
    super(message);
  }
}

export class ExportApi {
  private readonly address: string;

  constructor(
    apiUrl: string,
    private readonly token: string,
  ) {
    this.address = `${apiUrl}exports/`;
  }

  async create(wish: JsonObject): Promise<StudyExport> {
    return readExport(await this.ask("POST", this.address, wish));
  }

  async read(id: string): Promise<StudyExport> {
    return readExport(await this.ask("GET", `${this.address}${id}/`));
  }

  async delete(id: string): Promise<void> {
    await this.ask("DELETE", `${this.address}${id}/`);
  }

  private async ask(method: string, address: string, body?: JsonObject): Promise<JsonObject> {
    const response = await fetch(address, {
      method,
      credentials: "same-origin",
      headers: { Accept: "application/json", "Content-Type": "application/json", "X-CSRFToken": this.token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) {
      throw new ExportError(await readProblem(response), response.status === 403 && body?.["deidentify"] !== undefined);
    }
    return response.status === 204 ? {} : asObject((await response.json()) as Json);
  }
}

function readExport(wire: JsonObject): StudyExport {
  return {
    id: asText(wire["id"]),
    format: asText(wire["format"]),
    state: asText(wire["state"]) as ExportState,
    imageCount: asNumber(wire["image_count"]) ?? 0,
    leftOut: asList(wire["left_out"]).map(asText),
    doneCount: asNumber(wire["done_count"]) ?? 0,
    problem: asText(wire["problem"]),
    fileName: asText(wire["file_name"]),
    url: asText(wire["url"]),
  };
}
