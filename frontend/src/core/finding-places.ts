/** Where findings lie, and on which pictures they are seen: on their image, or on planes that hold theirs. */

import type { ImageFacts, Triple } from "./facts";
import { isOn, type Finding, type FindingKind, type MarkPlane, type Place } from "./findings";
import { lpsFromPx, type Pair, type Plane } from "./measure-plane";

/** Directions and places that differ by less are the same. */
const SAME_DIRECTION = 1 - 1e-6;
const SAME_MM = 1e-3;
/** What is seen alike from every plane that holds its points. */
const LINES: ReadonlySet<FindingKind> = new Set(["length", "polyline", "probe", "arrow", "text", "spine_label", "point", "freehand"]);

/** The place of what is drawn on a picture; null: nothing can be kept there. */
export function placeOn(facts: ImageFacts, seriesId: string): Place | null {
  const { instanceId, sopInstanceUid, frame } = facts;
  if (facts.reformatted === undefined) {
    return { seriesId, instanceId, sopInstanceUid, frame, plane: null };
  }
  const plane = markPlaneOf(facts);
  return plane === null ? null : { seriesId, instanceId: "", sopInstanceUid: "", frame: 0, plane };
}

/** The grid of a reformatted picture; null for an image, and for what is curved. */
export function markPlaneOf(facts: ImageFacts): MarkPlane | null {
  const { reformatted, imagePositionPatient: origin, imageOrientationPatient: cosines, pixelSpacing } = facts;
  if (reformatted === undefined || origin === null || cosines === null || pixelSpacing === null) {
    return null;
  }
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number];
  return {
    frameOfReferenceUid: facts.frameOfReferenceUid,
    origin,
    rowDirection: [a, b, c],
    columnDirection: [d, e, f],
    spacing: pixelSpacing,
    thicknessMm: reformatted.slab.mode === "thin" ? 0 : reformatted.slab.thicknessMm,
    mode: reformatted.slab.mode,
    timePoint: reformatted.timePoint,
  };
}

/** As formulas take it. */
export function measuredPlane(plane: MarkPlane, grain: Pair | null = null): Plane {
  const { spacing, origin, rowDirection, columnDirection, thicknessMm } = plane;
  return { spacing, aspect: 1, provenance: "reformatted", origin, rowDirection, columnDirection, thicknessMm, axes: null, grain };
}

/** How far a voxel reaches along a direction, mm; as `imaging.plane.voxel_reach_mm`. */
export function voxelReachMm(direction: Triple, axes: readonly Triple[]): number {
  return Math.hypot(...axes.map((axis) => dot(direction, axis)));
}

/** Whether a place is this very picture: what is drawn there is measured on its pixels. */
export function isHere(place: Place, facts: ImageFacts): boolean {
  const shown = place.plane === null ? null : markPlaneOf(facts);
  if (place.plane === null || shown === null) {
    return place.plane === null && facts.reformatted === undefined && isOn(place, facts.instanceId, facts.frame);
  }
  const { mode, thicknessMm } = place.plane;
  const isSameSlab = mode === shown.mode && Math.abs(thicknessMm - shown.thicknessMm) < SAME_MM;
  return isOfVolume(place, facts) && isSameSlab && hasSameGrid(place.plane, shown) && distanceMm(place.plane, shown) < SAME_MM;
}

/** Whether its points are those of the picture's own pixels, so that a hand can move them there. */
export function isShapedOn(finding: Finding, facts: ImageFacts): boolean {
  const shown = finding.plane === null ? null : markPlaneOf(facts);
  return finding.plane === null || shown === null ? isHere(finding, facts) : isOfVolume(finding, facts) && hasSameGrid(finding.plane, shown);
}

/** Whether points of one place are points of the other: images of one series, or planes of one grid. */
export function isOfGrid(one: Place, other: Place): boolean {
  const areImages = one.plane === null && other.plane === null;
  const arePlanes = one.plane !== null && other.plane !== null && hasSameGrid(one.plane, other.plane);
  return one.seriesId === other.seriesId && (areImages || arePlanes);
}

/** The finding in pixels of the picture; null when it does not lie there. */
export function seenOn(finding: Finding, facts: ImageFacts): Finding | null {
  const { plane } = finding;
  if (plane === null) {
    return isHere(finding, facts) ? finding : null;
  }
  const shown = markPlaneOf(facts);
  if (shown === null || !isOfVolume(finding, facts)) {
    return null;
  }
  if (hasSameGrid(plane, shown)) {
    return distanceMm(plane, shown) <= reachOf(facts, shown) ? finding : null;
  }
  return carried(finding, plane, shown, reachOf(facts, shown));
}

/** Half of the slab, or half a voxel. */
function reachOf({ reformatted, pixelSpacing }: ImageFacts, shown: MarkPlane): number {
  const axes = reformatted?.voxelAxes ?? [];
  const voxel = axes.length === 0 ? (pixelSpacing?.[0] ?? 0) : voxelReachMm(normalOf(shown), axes);
  return Math.max(shown.thicknessMm, voxel) / 2 + SAME_MM;
}

/** Points of one grid on another, when the other plane holds them all. */
function carried(finding: Finding, from: MarkPlane, to: MarkPlane, reachMm: number): Finding | null {
  const isAlike = Math.abs(dot(normalOf(from), normalOf(to))) > SAME_DIRECTION;
  if (!isAlike && !LINES.has(finding.kind)) {
    return null;
  }
  const grid = measuredPlane(from);
  const placed = cornersOf(finding).map((point) => lpsFromPx(grid, point));
  const normal = normalOf(to);
  const offsets = placed.map((point): Triple => [point[0] - to.origin[0], point[1] - to.origin[1], point[2] - to.origin[2]]);
  if (offsets.some((offset) => Math.abs(dot(offset, normal)) > reachMm)) {
    return null;
  }
  const points = offsets.map((offset): Pair => [dot(offset, to.rowDirection) / to.spacing[1], dot(offset, to.columnDirection) / to.spacing[0]]);
  return { ...finding, points };
}

/** Boxes that lie along one grid lie across another: all their corners, or the ends of both axes. */
function cornersOf({ kind, points }: Finding): readonly Pair[] {
  const [one, other] = points;
  if (points.length !== 2 || one === undefined || other === undefined) {
    return points;
  }
  const [left, top, right, bottom] = [one[0], one[1], other[0], other[1]];
  if (kind === "rectangle") {
    return [[left, top], [right, top], [right, bottom], [left, bottom]];
  }
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  return kind === "ellipse" ? [[left, y], [right, y], [x, top], [x, bottom]] : points;
}

function isOfVolume(place: Place, { reformatted, frameOfReferenceUid }: ImageFacts): boolean {
  const { plane, seriesId } = place;
  const isSameTime = plane !== null && reformatted?.seriesId === seriesId && reformatted.timePoint === plane.timePoint;
  return isSameTime && (plane.frameOfReferenceUid === "" || plane.frameOfReferenceUid === frameOfReferenceUid);
}

/** Whether pixels of both lie over one another, seen along the normal. */
function hasSameGrid(one: MarkPlane, other: MarkPlane): boolean {
  const areAlike = dot(one.rowDirection, other.rowDirection) > SAME_DIRECTION && dot(one.columnDirection, other.columnDirection) > SAME_DIRECTION;
  const isFine = one.spacing.every((step, axis) => Math.abs(step - (other.spacing[axis] as number)) < 1e-6);
  const by: Triple = [other.origin[0] - one.origin[0], other.origin[1] - one.origin[1], other.origin[2] - one.origin[2]];
  return areAlike && isFine && Math.abs(dot(by, one.rowDirection)) < SAME_MM && Math.abs(dot(by, one.columnDirection)) < SAME_MM;
}

function distanceMm(one: MarkPlane, other: MarkPlane): number {
  const normal = normalOf(one);
  return Math.abs(dot(one.origin, normal) - dot(other.origin, normal));
}

export function normalOf({ rowDirection: [a, b, c], columnDirection: [d, e, f] }: MarkPlane): Triple {
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

function dot(one: Triple, other: Triple): number {
  return one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
}
