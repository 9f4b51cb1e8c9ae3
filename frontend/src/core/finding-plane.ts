/** The plane and the values below a finding, as `viewer.measurements` on the server takes them. */

import { modalityCurve, paddingTest } from "./display";
import type { ImageFacts, Pixels, SpacingSource, Triple, UltrasoundRegion } from "./facts";
import { voxelReachMm } from "./finding-places";
import type { Finding } from "./findings";
import { measure, type Result } from "./measure";
import { lengthOf } from "./measure-geometry";
import { MeasureError, planeFromPx, stepsOf, type Pair, type Plane } from "./measure-plane";
import { axesOfRegion } from "./measure-region";
import type { Values } from "./measure-roi";

export const READER_CALIBRATED = "reader_calibrated";
const PROVENANCE: Readonly<Record<SpacingSource, string>> = {
  patient: "pixel_spacing",
  calibrated: "calibrated",
  detector: "imager",
  corrected: "imager_corrected",
  ultrasound: "ultrasound_region",
};
/** A reader's line scales these; where the file gives millimetres in the patient, none is taken. */
const SCALABLE: ReadonlySet<string> = new Set(["uncalibrated", "imager", "imager_corrected"]);

type Scale = Pick<Plane, "spacing" | "provenance" | "axes">;

export function planeOf(facts: ImageFacts, points: readonly Pair[], line: Finding | null = null): Plane {
  const plane: Plane = {
    ...scaleOf(facts, points),
    aspect: facts.pixelAspect,
    origin: null,
    rowDirection: [1, 0, 0],
    columnDirection: [0, 1, 0],
    thicknessMm: facts.sliceThickness ?? 0,
  };
  if (facts.reformatted !== undefined) {
    return { ...plane, ...placeOf(facts), provenance: "reformatted", grain: grainOf(facts) };
  }
  if (plane.provenance === "pixel_spacing") {
    return { ...plane, ...placeOf(facts) };
  }
  return line === null ? plane : calibrated(plane, facts, line);
}

/** Whether a calibration line would have an effect on this image. */
export function isScalable(facts: ImageFacts): boolean {
  return SCALABLE.has(scaleOf(facts, []).provenance);
}

function calibrated(plane: Plane, facts: ImageFacts, line: Finding): Plane {
  const drawn = lengthOf(planeFromPx(planeOf(facts, line.points), line.points));
  if (!SCALABLE.has(plane.provenance) || line.knownMm === null || !(drawn > 0)) {
    return plane;
  }
  const factor = line.knownMm / drawn;
  const [width, height] = stepsOf(plane);
  return { ...plane, spacing: [height * factor, width * factor], provenance: READER_CALIBRATED };
}

/** How far voxels reach along the rows and columns of a computed picture. */
function grainOf({ reformatted, imageOrientationPatient: cosines }: ImageFacts): Pair | null {
  const axes = reformatted?.voxelAxes;
  if (axes === undefined || cosines === null) {
    return null;
  }
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number];
  return [voxelReachMm([a, b, c], axes), voxelReachMm([d, e, f], axes)];
}

function placeOf(facts: ImageFacts): Partial<Plane> {
  const { imageOrientationPatient: cosines, imagePositionPatient: origin } = facts;
  if (cosines === null || origin === null) {
    return {};
  }
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number];
  return { origin, rowDirection: unit([a, b, c]), columnDirection: unit([d, e, f]) };
}

function unit([x, y, z]: Triple): Triple {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}

function scaleOf(facts: ImageFacts, points: readonly Pair[]): Scale {
  const { pixelSpacing, spacingSource, ultrasoundRegions } = facts;
  if (ultrasoundRegions.length > 0 && (pixelSpacing === null || spacingSource === "ultrasound")) {
    return scaleOfRegion(ultrasoundRegions, points);
  }
  return pixelSpacing === null
    ? { spacing: null, provenance: "uncalibrated", axes: null }
    : { spacing: pixelSpacing, provenance: PROVENANCE[spacingSource], axes: null };
}

function scaleOfRegion(regions: readonly UltrasoundRegion[], points: readonly Pair[]): Scale {
  const uncalibrated: Scale = { spacing: null, provenance: "uncalibrated", axes: null };
  const isHeld = (region: UltrasoundRegion): boolean => points.every((point) => holds(region, point));
  const common = regions.filter(isHeld);
  if (points.length === 0 || !points.some((point) => regions.some((region) => holds(region, point)))) {
    return uncalibrated;
  }
  if (common.length === 0) {
    throw new MeasureError("The points lie in several ultrasound regions.");
  }
  const scales = common.map((region) => ({
    spacing: region.pixelSpacing,
    provenance: PROVENANCE.ultrasound,
    axes: region.pixelSpacing === null ? axesOfRegion(region) : null,
  }));
  // A region that says nothing of its units does not speak against another in the same place.
  const [first, ...others] = scales.filter(({ spacing, axes }) => spacing !== null || axes !== null);
  if (first === undefined) {
    throw new MeasureError("The units of this ultrasound region are not known.");
  }
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(first))) {
    throw new MeasureError("The ultrasound regions here overlap and disagree.");
  }
  return first;
}

function holds({ bounds }: UltrasoundRegion, [column, row]: Pair): boolean {
  const [left = 0, top = 0, right = -1, bottom = -1] = bounds;
  return column >= left - 0.5 && column <= right + 0.5 && row >= top - 0.5 && row <= bottom + 0.5;
}

/** What the pixels of a series mean beyond their file: from its passport. */
export interface ValueScale {
  readonly modality: string;
  /** From rescaled values to SUV; null when it is not known. */
  readonly suvFactor: number | null;
}

/** As `imaging.measure_roi.value_unit`. */
export function valueUnit(facts: ImageFacts, modality: string): string {
  const named = facts.rescaleType || facts.units;
  if (named !== "" && named !== "US" && named !== "PIXELVALUE") {
    return named;
  }
  if (!facts.isRescaled) {
    return "stored";
  }
  return modality === "CT" && named !== "US" ? "HU" : "unnamed";
}

let kept: { readonly pixels: Pixels; readonly facts: ImageFacts; readonly values: ArrayLike<number> } | null = null;

/** The values of a frame after the modality step; null for colour. The last frame's are kept. */
export function valuesOf(facts: ImageFacts, pixels: Pixels, scale: ValueScale): Values | null {
  if (facts.pixelFormat === "rgb8" || facts.pixelFormat === "none") {
    return null;
  }
  if (kept?.pixels !== pixels || kept.facts !== facts) {
    kept = { pixels, facts, values: afterModality(facts, pixels) };
  }
  const isPadding = paddingTest(facts);
  const isUptake = scale.suvFactor !== null;
  return {
    rows: facts.rows,
    columns: facts.columns,
    values: kept.values,
    unit: isUptake ? "SUVbw" : valueUnit(facts, scale.modality),
    factor: scale.suvFactor ?? 1,
    isPadding: (index) => isPadding(pixels[index] as number),
  };
}

function afterModality(facts: ImageFacts, pixels: Pixels): ArrayLike<number> {
  if (facts.modalityLut === null && facts.rescaleSlope === 1 && facts.rescaleIntercept === 0) {
    return pixels;
  }
  const curve = modalityCurve(facts);
  return Float64Array.from(pixels, (stored) => curve(stored));
}

/** What the points measure now, or in words why they measure nothing. */
export function tryMeasure(
  kind: string,
  points: readonly Pair[],
  facts: ImageFacts,
  line: Finding | null,
  values: Values | null,
): Result | string {
  try {
    return measure(kind, points, planeOf(facts, points, line), values);
  } catch (error) {
    if (error instanceof MeasureError) {
      return error.message;
    }
    throw error;
  }
}
