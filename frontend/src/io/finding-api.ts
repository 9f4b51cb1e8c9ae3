/** Findings over REST: `/api/v1/measurements/`, `/annotations/`, `/mark-layers/`; docs/measurements.md. */

import type { Triple } from "../core/facts";
import { hasStatistics, isSamePoints, type Family, type Finding, type FindingKind, type MarkPlane } from "../core/findings";
import { isSameStyle } from "../core/finding-style";
import type { Result } from "../core/measure";
import type { Pair } from "../core/measure-plane";
import { isSame, type Layer, type Saved } from "../state/findings";
import { readStyle, writeStyle } from "./finding-style";
import { asList, asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

/** `away`: try again later. `missing`: it is gone. `refused`: the server says no, and why. */
export type Failure = "away" | "missing" | "refused" | "conflict";

export class FindingError extends Error {
  constructor(
    readonly failure: Failure,
    message: string,
    /** With a conflict: how it is now; null when it is gone. */
    readonly current: Saved | null = null,
  ) {
    super(message);
  }
}

const PAGE_SIZE = 1000;
const ADDRESSES: Readonly<Record<Family, string>> = { measurement: "measurements/", annotation: "annotations/" };
const LATER: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** SR (TID 1500), GSPS, key object selection. */
export type ExportForm = "report" | "presentation" | "key_objects";

export interface Everything {
  readonly findings: readonly Saved[];
  readonly layers: readonly Layer[];
}

export class FindingApi {
  constructor(
    private readonly root: string,
    private readonly studyId: string,
    private readonly token: string,
  ) {}

  async readAll(studyId: string): Promise<Everything> {
    const query = `?study=${studyId}`;
    const [measurements, annotations, layers] = await Promise.all([
      this.list(ADDRESSES.measurement, query),
      this.list(ADDRESSES.annotation, query),
      this.list("mark-layers/", query),
    ]);
    return {
      findings: [
        ...measurements.map((row) => readSaved(row, "measurement")),
        ...annotations.map((row) => readSaved(row, "annotation")),
      ],
      layers: layers.map(readLayer),
    };
  }

  /** Measurements of stored reports, without those that were written from a mark that is here. */
  async readStored(studyId: string): Promise<Saved[]> {
    const answer = await this.ask("GET", `studies/${studyId}/stored-marks/`);
    const rows = asList(answer["measurements"]).map((row) => asObject(row));
    return rows.filter((row) => asText(row["mark"]) === "").map((row) => readStored({ ...row, study: studyId }));
  }

  async read(family: Family, id: string): Promise<Saved> {
    return readSaved(await this.ask("GET", `${ADDRESSES[family]}${id}/`), family);
  }

  async create(finding: Finding): Promise<Saved> {
    const { kind, points, layer, label, isVisible } = finding;
    const style = writeStyle(finding);
    const body = {
      ...placeBody(finding),
      kind,
      points_px: points,
      layer,
      label,
      is_visible: isVisible,
      ...(Object.keys(style).length === 0 ? {} : { style }),
      ...(finding.otherId === undefined || !hasStatistics(kind) ? {} : { other: finding.otherId }),
      ...wordsOf(finding),
    };
    return readSaved(await this.ask("POST", ADDRESSES[finding.family], body), finding.family);
  }

  async change(saved: Saved, next: Finding): Promise<Saved> {
    const { content } = saved;
    const body: { [name: string]: unknown } = { version: saved.version };
    if (!isSamePoints(content.points, next.points)) {
      body["points_px"] = next.points;
    }
    if (content.colour !== next.colour || !isSameStyle(content.style, next.style)) {
      body["style"] = writeStyle(next);
    }
    for (const [name, before, after] of [
      ["label", content.label, next.label],
      ["layer", content.layer, next.layer],
      ["is_visible", content.isVisible, next.isVisible],
      ["text", content.text, next.text],
      ["known_mm", content.knownMm, next.knownMm],
    ] as const) {
      if (before !== after) {
        body[name] = after;
      }
    }
    return readSaved(await this.ask("PATCH", `${ADDRESSES[next.family]}${saved.id}/`, body), next.family);
  }

  async remove({ id, version, content }: Saved): Promise<void> {
    await this.ask("DELETE", `${ADDRESSES[content.family]}${id}/?version=${version}`);
  }

  async restore(family: Family, id: string): Promise<Saved> {
    return readSaved(await this.ask("POST", `${ADDRESSES[family]}${id}/restore/`, {}), family);
  }

  /** What a request that was never answered has left on the server: the same drawing, by its maker. */
  async findLike(finding: Finding, maker: string, known: ReadonlySet<string>): Promise<Saved | null> {
    const { plane, seriesId, sopInstanceUid } = finding;
    const query = plane === null ? `?sop_instance_uid=${encodeURIComponent(sopInstanceUid)}` : `?series=${encodeURIComponent(seriesId)}`;
    const rows = await this.list(ADDRESSES[finding.family], query);
    const saved = rows.map((row) => readSaved(row, finding.family));
    const isIt = ({ id, content, createdBy }: Saved): boolean =>
      createdBy === maker && !known.has(id) && content.kind === finding.kind && isSame(content, finding);
    return saved.find(isIt) ?? null;
  }

  /** Where a browser saves all marks of the study from. */
  fileUrl(kind: "csv" | "json"): string {
    return `${this.root}studies/${this.studyId}/marks.${kind}`;
  }

  /** Writes all marks of the study as DICOM objects and stores them beside the pictures. */
  async storeObjects(form: ExportForm): Promise<{ stored: number; leftOut: number; reasons: readonly string[] }> {
    const answer = await this.ask("POST", `studies/${this.studyId}/mark-exports/`, { forms: [form] });
    const leftOut = asList(answer["left_out"]);
    const reasons = [...new Set(leftOut.map((one) => asText(asObject(one)["reason"])))];
    return { stored: asList(answer["objects"]).length, leftOut: leftOut.length, reasons };
  }

  async saveLayer(layer: Layer): Promise<Layer> {
    const { name, colour, isVisible, version, id } = layer;
    const look = { colour, is_visible: isVisible };
    return readLayer(
      id === ""
        ? await this.ask("POST", "mark-layers/", { study: this.studyId, name, ...look })
        : await this.ask("PATCH", `mark-layers/${id}/`, { version, ...look }),
    );
  }

  private async list(address: string, query: string): Promise<JsonObject[]> {
    const rows: JsonObject[] = [];
    let next = `${address}${query}&page_size=${PAGE_SIZE}`;
    while (next !== "") {
      const page = await this.ask("GET", next);
      rows.push(...asList(page["results"]).map((row) => asObject(row)));
      const cursor = asText(page["next"]);
      next = cursor === "" ? "" : `${address}${new URL(cursor, location.href).search}`;
    }
    return rows;
  }

  private async ask(method: string, address: string, body?: object): Promise<JsonObject> {
    const headers: Record<string, string> = { Accept: "application/json", "X-CSRFToken": this.token };
    let response: Response;
    try {
      response = await fetch(`${this.root}${address}`, {
        method,
        credentials: "same-origin",
        // What is small goes out even when the page is being left.
        keepalive: method !== "GET",
        headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch {
      throw new FindingError("away", "");
    }
    if (response.status === 204) {
      return {};
    }
    const answer = await readJson(response);
    if (!response.ok) {
      throw problemOf(response.status, answer, address.startsWith(ADDRESSES.annotation) ? "annotation" : "measurement");
    }
    return answer;
  }
}

async function readJson(response: Response): Promise<JsonObject> {
  try {
    return asObject((await response.json()) as Json);
  } catch {
    return {};
  }
}

function problemOf(status: number, problem: JsonObject, family: Family): FindingError {
  const errors = Object.values(asObject(problem["errors"])).flatMap((one) => asList(one)).map(asText);
  const words = errors.join(" ") || asText(problem["detail"]) || asText(problem["title"]);
  if (status === 409) {
    const current = asObject(problem["current"]);
    return new FindingError("conflict", words, "id" in current ? readSaved(current, family) : null);
  }
  if (status === 404) {
    return new FindingError("missing", words);
  }
  return new FindingError(LATER.has(status) ? "away" : "refused", words);
}

function placeBody({ sopInstanceUid, instanceId, frame, seriesId, plane }: Finding): object {
  return plane === null
    ? { sop_instance_uid: sopInstanceUid, instance_id: instanceId, frame }
    : { series_id: seriesId, plane: writePlane(plane) };
}

function writePlane(plane: MarkPlane): object {
  return {
    frame_of_reference_uid: plane.frameOfReferenceUid,
    origin: plane.origin,
    row_direction: plane.rowDirection,
    column_direction: plane.columnDirection,
    spacing_mm: plane.spacing,
    thickness_mm: plane.thicknessMm,
    mode: plane.mode,
    time_point: plane.timePoint,
  };
}

function readPlane(wire: Json | undefined): MarkPlane | null {
  const plane = asObject(wire);
  const triple = (name: string): Triple => asNumbers(plane[name]) as unknown as Triple;
  const [between_rows = 1, between_columns = 1] = asNumbers(plane["spacing_mm"]);
  if (asNumbers(plane["origin"]).length !== 3) {
    return null;
  }
  return {
    frameOfReferenceUid: asText(plane["frame_of_reference_uid"]),
    origin: triple("origin"),
    rowDirection: triple("row_direction"),
    columnDirection: triple("column_direction"),
    spacing: [between_rows, between_columns],
    thicknessMm: asNumber(plane["thickness_mm"]) ?? 0,
    mode: asText(plane["mode"]) || "thin",
    timePoint: asNumber(plane["time_point"]) ?? 0,
  };
}

function wordsOf({ family, text, knownMm }: Finding): object {
  return family === "measurement" ? {} : { text, ...(knownMm === null ? {} : { known_mm: knownMm }) };
}

export function readSaved(row: JsonObject, family: Family): Saved {
  const text = (name: string): string => asText(row[name]);
  const id = text("id");
  const content: Finding = {
    key: id,
    family,
    kind: text("kind") as FindingKind,
    seriesId: text("series"),
    instanceId: text("instance"),
    sopInstanceUid: text("sop_instance_uid"),
    frame: asNumber(row["frame"]) ?? 0,
    plane: readPlane(row["plane"]),
    points: asList(row["points_px"]).map(readPoint),
    label: text("label"),
    layer: text("layer"),
    text: text("text"),
    knownMm: asNumber(row["known_mm"]),
    ...readStyle(row["style"]),
    isVisible: row["is_visible"] !== false,
    ...otherIn(row),
  };
  return {
    id,
    studyId: text("study"),
    version: asNumber(row["version"]) ?? 1,
    content,
    result: family === "measurement" ? readResult(row) : null,
    createdBy: text("created_by"),
    createdAt: text("created_at"),
    changedBy: text("changed_by"),
    changedAt: text("changed_at"),
    origin: "",
  };
}

function otherIn(row: JsonObject): Pick<Finding, "otherId"> {
  const otherId = asText(asObject(asObject(row["statistics"])["other"])["series"]);
  return otherId === "" ? {} : { otherId };
}

function readStored(row: JsonObject): Saved {
  const saved = readSaved(row, "measurement");
  const origin = asObject(row["origin"]);
  const title = asText(origin["title"]) || asText(origin["kind"]);
  const at = asText(origin["written_at"]);
  return {
    ...saved,
    content: { ...saved.content, layer: title },
    createdBy: asText(origin["author"]),
    changedBy: asText(origin["author"]),
    createdAt: at,
    changedAt: at,
    origin: title || "object",
  };
}

function readPoint(wire: Json): Pair {
  const [column = 0, row = 0] = asNumbers(wire);
  return [column, row];
}

function readResult(row: JsonObject): Result {
  return {
    kind: asText(row["kind"]),
    value: asNumber(row["value"]),
    unit: asText(row["unit"]),
    provenance: asText(row["provenance"]),
    uncertainty: asNumber(row["uncertainty"]),
    statistics: asObject(row["statistics"]) as Result["statistics"],
    notes: asList(row["notes"]).map(asText),
  };
}

function readLayer(row: JsonObject): Layer {
  return {
    id: asText(row["id"]),
    studyId: asText(row["study"]),
    name: asText(row["name"]),
    colour: asText(row["colour"]),
    isVisible: row["is_visible"] !== false,
    position: asNumber(row["position"]) ?? 0,
    version: asNumber(row["version"]) ?? 1,
  };
}
