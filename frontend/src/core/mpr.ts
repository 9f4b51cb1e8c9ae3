/**
 * Three planes through a volume that cross in one point, as one reads it: axial seen from the feet,
 * coronal from the front, sagittal from the left. Row direction × column direction is the normal, which
 * points away from the reader (docs/volumes.md). Everything is lps in mm.
 */

import type { Triple } from "./facts";
import { cornersOf, finestMm, middleOfVolume, turnBy, type VolumePlan } from "./volume-plan";

export const PLANE_NAMES = ["axial", "coronal", "sagittal"] as const;
export type PlaneName = (typeof PLANE_NAMES)[number];

export const SLAB_MODES = ["thin", "mip", "minip", "mean"] as const;
export type SlabMode = (typeof SLAB_MODES)[number];

export interface Slab {
  readonly mode: SlabMode;
  /** Half of it on either side of the plane; without meaning for "thin". */
  readonly thicknessMm: number;
}

export interface PlaneAxes {
  readonly normal: Triple;
  /** The picture's top, at right angles to the normal. */
  readonly up: Triple;
}

/** How a volume is cut at the moment. */
export interface Mpr {
  /** Where the planes cross. */
  readonly center: Triple;
  readonly axes: Readonly<Record<PlaneName, PlaneAxes>>;
  readonly slab: Slab;
  readonly timePoint: number;
}

const AXES: Mpr["axes"] = {
  axial: { normal: [0, 0, 1], up: [0, -1, 0] },
  coronal: { normal: [0, 1, 0], up: [0, 0, 1] },
  sagittal: { normal: [-1, 0, 0], up: [0, 0, 1] },
};

export const FIRST_SLAB: Slab = { mode: "thin", thicknessMm: 10 };
export const THICKEST_MM = 200;
/** A picture of more pixels across is made of larger ones. */
const MOST_PIXELS = 1024;

export function firstMpr(plan: VolumePlan, like?: Mpr): Mpr {
  const made = { center: middleOfVolume(plan), axes: AXES, slab: FIRST_SLAB, timePoint: plan.timePoint };
  return like === undefined ? made : { ...like, timePoint: plan.timePoint };
}

/** Three planes of which one has this row and column direction; the others stay upright where they are not leant. */
export function axesAt(name: PlaneName, right: Triple, down: Triple): Mpr["axes"] {
  const { normal: n0, up } = AXES[name];
  const d0 = scaled(up, -1);
  const [r0, normal] = [cross(d0, n0), cross(right, down)];
  const turned = (v: Triple): Triple => added(added(scaled(right, dot(v, r0)), scaled(down, dot(v, d0))), scaled(normal, dot(v, n0)));
  const axesOf = (one: PlaneName): PlaneAxes => {
    const leant = turned(AXES[one].normal);
    const isUpright = one !== name && dot(leant, AXES[one].normal) > 1 - 1e-9;
    return isUpright ? AXES[one] : { normal: leant, up: turned(AXES[one].up) };
  };
  return { axial: axesOf("axial"), coronal: axesOf("coronal"), sagittal: axesOf("sagittal") };
}

/** The planes as they are at first, through the middle. */
export function resetPlanes(mpr: Mpr, plan: VolumePlan): Mpr {
  return { ...mpr, center: middleOfVolume(plan), axes: AXES };
}

/** Whether a plane is turned away from the patient's own axes. */
export function isOblique(mpr: Mpr, name: PlaneName): boolean {
  return dot(mpr.axes[name].normal, AXES[name].normal) < 1 - 1e-9;
}

/** A rectangle in the patient, as `imaging.plane.PlaneGeometry`. */
export interface PlaneGrid {
  readonly origin: Triple;
  readonly right: Triple;
  readonly down: Triple;
  readonly normal: Triple;
  /** Of a pixel; they are square. */
  readonly spacingMm: number;
  readonly rows: number;
  readonly columns: number;
}

/** The plane's picture: all of the volume that it can meet, in pixels of the finest voxel spacing. */
export function gridOf(mpr: Mpr, name: PlaneName, plan: VolumePlan): PlaneGrid {
  const { normal, up } = mpr.axes[name];
  const down = scaled(up, -1);
  const right = cross(down, normal);
  const corners = cornersOf(plan);
  const [x, y] = [spanAlong(corners, right), spanAlong(corners, down)];
  const spacingMm = Math.max(finestMm(plan), x.length / MOST_PIXELS, y.length / MOST_PIXELS);
  const [columns, rows] = [countOf(x.length, spacingMm), countOf(y.length, spacingMm)];
  const first = (middle: number, count: number): number => middle - (spacingMm * (count - 1)) / 2;
  const inPlane = added(scaled(right, first(x.middle, columns)), scaled(down, first(y.middle, rows)));
  const origin = added(inPlane, scaled(normal, dot(mpr.center, normal)));
  return { origin, right, down, normal, spacingMm, rows, columns };
}

function countOf(length: number, spacingMm: number): number {
  return Math.max(1, Math.ceil(length / spacingMm - 1e-4));
}

interface Span {
  readonly low: number;
  readonly high: number;
  readonly length: number;
  readonly middle: number;
}

function spanAlong(points: readonly Triple[], direction: Triple): Span {
  const places = points.map((point) => dot(point, direction));
  const [low, high] = [Math.min(...places), Math.max(...places)];
  return { low, high, length: high - low, middle: (low + high) / 2 };
}

// --- through the volume ---------------------------------------------------------------------
/** How far one goes along a plane's normal until the voxels are others. */
export function stepOf(mpr: Mpr, name: PlaneName, plan: VolumePlan): number {
  const [i, j, w] = turnBy(plan.ijwFromLps, mpr.axes[name].normal);
  const k = plan.sliceMm.length === 0 || plan.spacingMm[2] <= 0 ? w : w / plan.spacingMm[2];
  return 1 / Math.max(Math.abs(i), Math.abs(j), Math.abs(k));
}

/** The plane's place among all of its steps through the volume, from 0. */
export function placeOf(mpr: Mpr, name: PlaneName, plan: VolumePlan): { readonly index: number; readonly count: number } {
  const { low, length } = spanAlong(cornersOf(plan), mpr.axes[name].normal);
  const step = stepOf(mpr, name, plan);
  const count = countOf(length, step);
  const index = Math.floor((dot(mpr.center, mpr.axes[name].normal) - low) / step + 1e-6);
  return { index: Math.min(count - 1, Math.max(0, index)), count };
}

/** Moves a plane along its normal by so many steps; it stays within the volume. */
export function moveBySteps(mpr: Mpr, name: PlaneName, plan: VolumePlan, steps: number): Mpr {
  const { index, count } = placeOf(mpr, name, plan);
  const allowed = Math.min(count - 1 - index, Math.max(-index, steps));
  const { normal } = mpr.axes[name];
  return allowed === 0 ? mpr : { ...mpr, center: added(mpr.center, scaled(normal, allowed * stepOf(mpr, name, plan))) };
}

/** Puts the crossing at a point, or as near to it as the volume goes. */
export function moveCenter(mpr: Mpr, plan: VolumePlan, lps: Triple): Mpr {
  return { ...mpr, center: within(plan, lps) };
}

/** The point itself inside the volume, or the nearest one on its border along the voxels' axes. */
function within(plan: VolumePlan, lps: Triple): Triple {
  const corners = cornersOf(plan);
  const [first, i, j, , w] = corners as [Triple, Triple, Triple, Triple, Triple];
  const axes = [i, j, w].map((corner) => added(corner, scaled(first, -1)));
  const [a, b, c] = turnBy(plan.ijwFromLps, added(lps, scaled(first, -1)));
  const ends = axes.map((axis) => turnBy(plan.ijwFromLps, axis));
  const shares = [a / (ends[0]?.[0] ?? 1), b / (ends[1]?.[1] ?? 1), c / (ends[2]?.[2] ?? 1)];
  if (shares.every((share) => share >= 0 && share <= 1)) {
    return lps;
  }
  return shares.reduce<Triple>(
    (point, share, axis) => added(point, scaled(axes[axis] as Triple, Math.min(1, Math.max(0, share)))),
    first,
  );
}

// --- turning -----------------------------------------------------------------------------------
/**
 * Turns planes about the normal of the one that is looked at, clockwise as one sees it. Of the two that
 * are seen as lines both turn, and stay at right angles, or one of them alone.
 */
export function turnPlanes(mpr: Mpr, seen: PlaneName, turned: readonly PlaneName[], angle: number): Mpr {
  const axis = mpr.axes[seen].normal;
  const axes = { ...mpr.axes };
  for (const name of turned) {
    const { normal, up } = mpr.axes[name];
    const turnedNormal = unit(rotated(normal, axis, angle));
    const turnedUp = rotated(up, axis, angle);
    axes[name] = { normal: turnedNormal, up: unit(added(turnedUp, scaled(turnedNormal, -dot(turnedUp, turnedNormal)))) };
  }
  return { ...mpr, axes };
}

/** By Rodrigues' formula; positive angles turn row towards column of a picture with this normal. */
function rotated(vector: Triple, axis: Triple, angle: number): Triple {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const along = scaled(axis, dot(axis, vector) * (1 - cos));
  return added(added(scaled(vector, cos), scaled(cross(axis, vector), sin)), along);
}

export function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

export function cross(a: Triple, b: Triple): Triple {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

export function scaled(a: Triple, by: number): Triple {
  return [a[0] * by, a[1] * by, a[2] * by];
}

export function added(a: Triple, b: Triple): Triple {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}

function unit(a: Triple): Triple {
  return scaled(a, 1 / Math.hypot(...a));
}
