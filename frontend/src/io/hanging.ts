/** Hanging and priors from the wire; saved layouts to the server and back. */

import type { Hang, Hung, HungLinks, HungPane, Prior } from "../core/hanging";
import { PLANE_NAMES, SLAB_MODES } from "../core/mpr";
import type { Study } from "../core/facts";
import { readProblem } from "./api";
import { asFlag, asList, asNumber, asObject, asText, type Json, type JsonObject } from "./read";

export interface SavedLayout {
  readonly id: string;
  readonly name: string;
  readonly isOwn: boolean;
  /** The code of the facility for which it was saved; empty: a person's own. */
  readonly facility: string;
  readonly rules: JsonObject;
  readonly layout: JsonObject;
  readonly version: number;
}

export function readHung(wire: Json | undefined): Hung | null {
  const hung = asObject(wire);
  const panes = asList(hung["panes"]).map((one) => readPane(asObject(one)));
  if (panes.length === 0) {
    return null;
  }
  const whole = (name: string): number => Math.max(1, Math.round(asNumber(hung[name]) ?? 1));
  const links = Object.fromEntries(Object.entries(asObject(hung["links"])).map(([name, value]) => [name, asFlag(value)]));
  return {
    code: asText(hung["code"]),
    name: asText(hung["name"]),
    rows: whole("rows"),
    columns: whole("columns"),
    panes,
    links: links as HungLinks,
  };
}

function readPane(wire: JsonObject): HungPane {
  const window = asObject(wire["window"]);
  const [center, width] = [asNumber(window["center"]), asNumber(window["width"])];
  return {
    seriesId: asText(wire["series_id"]),
    instanceId: asText(wire["instance_id"]).toLowerCase(),
    frame: asNumber(wire["frame"]) ?? 0,
    overSeriesId: asText(wire["over_series_id"]),
    hang: readHang(wire),
    window: center === null || width === null ? null : { center, width },
    ...readVolume(wire),
  };
}

function readVolume(wire: JsonObject): Pick<HungPane, "shows" | "plane" | "slab" | "body"> {
  const [shows, plane] = [asText(wire["shows"]), PLANE_NAMES.find((one) => one === asText(wire["plane"]))];
  const [slab, body] = [asObject(wire["slab"]), asObject(wire["body"])];
  const mode = SLAB_MODES.find((one) => one === asText(slab["mode"]));
  const thicknessMm = asNumber(slab["thickness_mm"]);
  return {
    shows: shows === "plane" || shows === "volume" ? shows : "stack",
    plane: plane ?? "axial",
    slab: mode === undefined || thicknessMm === null ? null : { mode, thicknessMm },
    body: asText(body["preset"]) === "" ? null : { preset: asText(body["preset"]), isTurning: asFlag(body["turning"]) },
  };
}

function readHang(wire: JsonObject): Hang | null {
  const orient = asObject(wire["orient"]);
  const [right, bottom] = [asText(orient["right"]), asText(orient["bottom"])];
  const align = asText(wire["align"]);
  const group = asText(wire["group"]);
  if (right === "" && align === "" && group === "") {
    return null;
  }
  return { orient: right === "" ? null : { right, bottom }, align: align === "left" || align === "right" ? align : "", group };
}

export function readPriors(wire: Json | undefined, readStudy: (wire: JsonObject) => Study): Prior[] {
  return asList(wire).map((one) => {
    const prior = asObject(one);
    return {
      study: readStudy(prior),
      modalities: asList(prior["modalities"]).map((modality) => asText(modality)),
      isLater: asFlag(prior["is_later"]),
      seriesUrl: asText(prior["series_url"]),
      hangUrl: asText(prior["hang_url"]),
    };
  });
}

export class HangingError extends Error {}

/** How the server hangs a study by a saved layout, or `standard`; null: the first series alone. */
export async function fetchHung(hangUrl: string, protocol: string): Promise<{ hung: Hung | null; wire: JsonObject }> {
  const wire = asObject(await ask("GET", `${hangUrl}?protocol=${encodeURIComponent(protocol)}`, ""));
  return { hung: readHung(wire), wire };
}

/** The layouts that a person has saved, or that come from the person's facility. */
export class LayoutApi {
  constructor(
    private readonly url: string,
    private readonly csrfToken: string,
  ) {}

  async list(): Promise<SavedLayout[]> {
    return asList(await ask("GET", this.url, "")).map((one) => readSaved(asObject(one)));
  }

  async create(body: JsonObject): Promise<SavedLayout> {
    return readSaved(asObject(await ask("POST", this.url, this.csrfToken, body)));
  }

  async change({ id, version }: SavedLayout, body: JsonObject): Promise<SavedLayout> {
    return readSaved(asObject(await ask("PATCH", `${this.url}${id}/`, this.csrfToken, { version, ...body })));
  }

  async remove({ id, version }: SavedLayout): Promise<void> {
    await ask("DELETE", `${this.url}${id}/?version=${version}`, this.csrfToken);
  }
}

function readSaved(wire: JsonObject): SavedLayout {
  return {
    id: asText(wire["id"]),
    name: asText(wire["name"]),
    isOwn: asFlag(wire["is_own"]),
    facility: asText(wire["facility"]),
    rules: asObject(wire["rules"]),
    layout: asObject(wire["layout"]),
    version: asNumber(wire["version"]) ?? 0,
  };
}

async function ask(method: string, url: string, csrfToken: string, body?: JsonObject): Promise<Json> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") {
    headers["X-CSRFToken"] = csrfToken;
    headers["Content-Type"] = "application/json";
  }
  let response: Response;
  try {
    response = await fetch(url, { method, headers, credentials: "same-origin", body: body === undefined ? null : JSON.stringify(body) });
  } catch {
    throw new HangingError("");
  }
  if (!response.ok) {
    throw new HangingError(await readProblem(response));
  }
  return response.status === 204 ? null : ((await response.json()) as Json);
}
