/** Asks where a series is highest: `/api/v1/series/{id}/peak`, docs/fusion.md. */

import type { Triple } from "../core/facts";
import { readProblem } from "./api";
import { asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

export interface PeakPlace {
  readonly value: number;
  readonly lps: Triple;
}

export interface Peaks {
  readonly unit: string;
  readonly kinds: JsonObject;
  readonly frameOfReferenceUid: string;
  readonly max: PeakPlace;
  /** null: no millilitre of it lies within the series. */
  readonly peak: PeakPlace | null;
}

export class PeakError extends Error {}

export async function fetchPeaks(root: string, seriesId: string): Promise<Peaks> {
  let response: Response;
  try {
    response = await fetch(`${root}series/${seriesId}/peak`, { credentials: "same-origin", headers: { Accept: "application/json" } });
  } catch {
    throw new PeakError("");
  }
  if (!response.ok) {
    throw new PeakError(await readProblem(response));
  }
  const wire = asObject((await response.json()) as Json);
  const max = readPlace(wire["max"]);
  if (max === null) {
    throw new PeakError("");
  }
  return { unit: asText(wire["unit"]), kinds: asObject(wire["suv_kinds"]), frameOfReferenceUid: asText(wire["frame_of_reference_uid"]), max, peak: readPlace(wire["peak"]) };
}

function readPlace(wire: Json | undefined): PeakPlace | null {
  const place = asObject(wire);
  const value = asNumber(place["value"]);
  const [x, y, z] = asNumbers(place["lps_mm"]);
  return value === null || x === undefined || y === undefined || z === undefined ? null : { value, lps: [x, y, z] };
}
