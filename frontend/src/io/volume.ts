/** Asks how a series is planned as a volume. */

import type { Triple } from "../core/facts";
import { invertAffine, type Affine, type VolumePlan } from "../core/volume-plan";
import { imageKey, readProblem } from "./api";
import { asFlag, asList, asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

export type VolumeAnswer =
  | { readonly kind: "planned"; readonly plan: VolumePlan }
  | { readonly kind: "refused"; readonly reasons: readonly string[] }
  | { readonly kind: "failed"; readonly words: string };

const UNPROCESSABLE = 422;

/** Beside the series' stack document. */
export function besideStack(stackUrl: string, name: string): URL {
  return new URL(`../${name}`, new URL(stackUrl, location.href));
}

export async function fetchVolume(stackUrl: string, seriesId: string, timePoint: number): Promise<VolumeAnswer> {
  const address = besideStack(stackUrl, "volume/");
  address.search = new URLSearchParams({ frames: "1", time_point: `${timePoint}` }).toString();
  let response: Response;
  try {
    response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
  } catch {
    return { kind: "failed", words: "" };
  }
  if (response.status === UNPROCESSABLE) {
    const problem = asObject((await response.json()) as Json);
    const reasons = asList(problem["reasons"]).map((one) => asText(one));
    return { kind: "refused", reasons: reasons.length > 0 ? reasons : [asText(problem["detail"])] };
  }
  if (!response.ok) {
    return { kind: "failed", words: await readProblem(response) };
  }
  return readVolume(asObject((await response.json()) as Json), seriesId);
}

export function readVolume(wire: JsonObject, seriesId: string): VolumeAnswer {
  const reasons = asList(wire["reasons"]).map((one) => asText(one));
  if (asText(wire["state"]) === "refused") {
    return { kind: "refused", reasons };
  }
  const [, rows, columns] = asNumbers(wire["shape"]);
  const spacing = asNumbers(wire["spacing_mm"]);
  const lpsFromIjw = readAffine(wire["lps_from_ijw"]);
  const ijwFromLps = lpsFromIjw === null ? null : invertAffine(lpsFromIjw);
  const keys = asList(wire["frames"]).map((one) => readKey(one));
  if (rows === undefined || columns === undefined || spacing.length !== 3 || lpsFromIjw === null || ijwFromLps === null || keys.length === 0) {
    return { kind: "failed", words: "" };
  }
  const sliceMm = asList(wire["slice_mm"]).map((one) => asNumber(one) ?? 0);
  const holes = new Set(asList(wire["holes"]).map((one) => asNumber(one)));
  const codes = asList(wire["reason_codes"]);
  const plan: VolumePlan = {
    seriesId,
    keys,
    rows,
    columns,
    lpsFromIjw,
    ijwFromLps,
    sliceMm,
    holes: sliceMm.slice(1).map((_, k) => holes.has(k)),
    spacingMm: spacing as unknown as Triple,
    timePoint: asNumber(wire["time_point"]) ?? 0,
    timePoints: asNumber(wire["time_points"]) ?? 1,
    frameOfReferenceUid: asText(wire["frame_of_reference_uid"]),
    notes: reasons.map((words, at) => ({ code: asText(codes[at]), words })),
    middleKey: readKey(wire["middle"]),
    needsTables: asFlag(wire["has_tables"]),
  };
  return { kind: "planned", plan };
}

function readKey(wire: Json | undefined): string {
  const [instance, frame] = asList(wire);
  return imageKey(asText(instance), asNumber(frame) ?? 0);
}

function readAffine(wire: Json | undefined): Affine | null {
  const rows = asList(wire).slice(0, 3).map((row) => asNumbers(row));
  return rows.length === 3 && rows.every((row) => row.length === 4) ? (rows as unknown as Affine) : null;
}
