/** A plane cut from a volume as an image like any other, so that all that reads image facts reads it, too. */

import type { ImageFacts, Stack, Triple } from "./facts";
import { dot, gridOf, isOblique, placeOf, type Mpr, type PlaneGrid, type PlaneName, type Slab } from "./mpr";
import { valuesOf, type PlaneValues } from "./plane-values";
import { voxelAxesOf, type VolumePlan } from "./volume-plan";

/** What a picture says of itself that was cut and not taken. */
export interface Reformatted {
  readonly seriesId: string;
  /** Which of the three planes, or a curved one's own word. */
  readonly name: string;
  /** Turned away from the patient's axes. */
  readonly isOblique: boolean;
  readonly slab: Slab;
  readonly timePoint: number;
  readonly timePoints: number;
  /** Edges of a voxel of the volume, lps in mm: how fine the picture can be. */
  readonly voxelAxes?: readonly Triple[];
  /** The place among the steps through the volume, from 0. */
  readonly index: number;
  readonly count: number;
}

export interface PlaneImage {
  readonly facts: ImageFacts;
  readonly grid: PlaneGrid;
}

const KEPT = 64;
const made = new Map<string, PlaneImage>();
const plans = new WeakMap<VolumePlan, number>();
let planCount = 0;

/** The plane as an image; the same object for the same plane, until many others were asked for. */
export function planeImage(mpr: Mpr, name: PlaneName, plan: VolumePlan, stack: Stack): PlaneImage | null {
  const middle = stack.images.find(({ key }) => key === plan.middleKey);
  if (middle === undefined) {
    return null;
  }
  const number = plans.get(plan) ?? (planCount += 1);
  plans.set(plan, number);
  const { normal, up } = mpr.axes[name];
  const { mode, thicknessMm } = mpr.slab;
  const thickness = mode === "thin" ? 0 : thicknessMm;
  const height = dot(mpr.center, normal).toFixed(6);
  const about = [plan.seriesId, number, name, mode, thickness, height, ...normal, ...up];
  const key = `plane/${about.join("/")}`;
  const kept = made.get(key);
  if (kept !== undefined) {
    return kept;
  }
  const image = makeImage(mpr, name, plan, { key, middle, values: planeValues(plan, stack) });
  made.set(key, image);
  for (const oldest of made.keys()) {
    if (made.size <= KEPT) {
      break;
    }
    made.delete(oldest);
  }
  return image;
}

interface Origin {
  readonly key: string;
  readonly middle: ImageFacts;
  readonly values: PlaneValues;
}

function makeImage(mpr: Mpr, name: PlaneName, plan: VolumePlan, { key, middle, values }: Origin): PlaneImage {
  const grid = gridOf(mpr, name, plan);
  const isThin = mpr.slab.mode === "thin";
  const reformatted: Reformatted = {
    seriesId: plan.seriesId,
    name,
    isOblique: isOblique(mpr, name),
    slab: isThin ? { mode: "thin", thicknessMm: 0 } : mpr.slab,
    timePoint: plan.timePoint,
    timePoints: plan.timePoints,
    voxelAxes: voxelAxesOf(plan),
    ...placeOf(mpr, name, plan),
  };
  return { grid, facts: reformattedFacts({ key, middle, values, reformatted }, grid, plan.frameOfReferenceUid) };
}

/** Facts of a picture on a grid, whose windows are those of the series' middle image. */
export function reformattedFacts(
  { key, middle, values, reformatted }: Origin & { readonly reformatted: Reformatted },
  grid: PlaneGrid,
  frameOfReferenceUid: string,
): ImageFacts {
  const bitsOf = { i16: 16, i32: 32, f32: 32 } as const;
  return {
    ...middle,
    key,
    reformatted,
    instanceId: "",
    sopInstanceUid: "",
    instanceNumber: null,
    frame: 0,
    frameCount: 1,
    pixelFormat: values.pixelFormat,
    bytes: 0,
    bitsStored: bitsOf[values.pixelFormat],
    rows: grid.rows,
    columns: grid.columns,
    rescaleSlope: values.rescaleSlope,
    rescaleIntercept: values.rescaleIntercept,
    modalityLut: null,
    pixelPaddingValue: null,
    pixelPaddingRangeLimit: null,
    supplement: null,
    shutter: null,
    hasOverlays: false,
    pixelSpacing: [grid.spacingMm, grid.spacingMm],
    spacingSource: "patient",
    isSpacingUnclear: false,
    ultrasoundRegions: [],
    pixelAspect: 1,
    frameOfReferenceUid,
    imagePositionPatient: grid.origin,
    imageOrientationPatient: [...grid.right, ...grid.down],
    patientOrientation: null,
    sliceLocation: null,
    sliceThickness: reformatted.slab.thicknessMm,
    remark: "",
    videoUrl: "",
  };
}

const valuesByPlan = new WeakMap<VolumePlan, PlaneValues>();

/** How the slices' stored values become the planes'; found once for a plan. */
export function planeValues(plan: VolumePlan, stack: Stack): PlaneValues {
  const known = valuesByPlan.get(plan);
  if (known !== undefined) {
    return known;
  }
  const byKey = new Map(stack.images.map((image) => [image.key, image] as const));
  const values = valuesOf(plan.keys.map((key) => byKey.get(key)).filter((one): one is ImageFacts => one !== undefined));
  valuesByPlan.set(plan, values);
  return values;
}
