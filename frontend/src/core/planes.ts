/**
 * Images as planes in the patient (PS3.3 C.7.6.2.1.1): where a point of one lies in another, and where
 * two planes cross. Points are lps mm; image points are (column, row), the first pixel's centre is (0, 0).
 */

import type { ImageFacts, Triple } from "./facts";
import type { Point } from "./view";

export interface ImagePlane {
  /** Centre of the first pixel. */
  readonly origin: Triple;
  /** Directions of growing columns and growing rows, and the normal; each of length 1. */
  readonly row: Triple;
  readonly column: Triple;
  readonly normal: Triple;
  /** From one column to the next, from one row to the next, in mm. */
  readonly stepX: number;
  readonly stepY: number;
  readonly columns: number;
  readonly rows: number;
  readonly thicknessMm: number;
  readonly frameOfReferenceUid: string;
}

export interface Segment {
  readonly from: Point;
  readonly to: Point;
}

/** Direction cosines are written with few digits; more than this is no right angle, no length of 1. */
const SLOPPINESS = 1e-2;
/** Planes that lean less against each other show the same; 5°. */
const PARALLEL_COSINE = Math.cos((5 * Math.PI) / 180);
const NEAR_MM = 0.5;

/** The plane of an image, or null when the file does not prove where it lies. */
export function planeOf(facts: ImageFacts): ImagePlane | null {
  const { imagePositionPatient: origin, imageOrientationPatient: cosines, pixelSpacing } = facts;
  if (origin === null || cosines === null || pixelSpacing === null || facts.spacingSource !== "patient") {
    return null;
  }
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number];
  const [row, column] = [[a, b, c] as const, [d, e, f] as const];
  const [rowLength, columnLength] = [Math.sqrt(dot(row, row)), Math.sqrt(dot(column, column))];
  const isSquare = Math.abs(dot(row, column)) < SLOPPINESS;
  if (!isSquare || Math.abs(rowLength - 1) > SLOPPINESS || Math.abs(columnLength - 1) > SLOPPINESS) {
    return null;
  }
  const [rowUnit, columnUnit] = [scaled(row, 1 / rowLength), scaled(column, 1 / columnLength)];
  return {
    origin,
    row: rowUnit,
    column: columnUnit,
    normal: cross(rowUnit, columnUnit),
    stepX: pixelSpacing[1],
    stepY: pixelSpacing[0],
    columns: facts.columns,
    rows: facts.rows,
    thicknessMm: facts.sliceThickness ?? 0,
    frameOfReferenceUid: facts.frameOfReferenceUid,
  };
}

/** Only within one frame of reference are two places comparable. */
export function shareSpace(one: ImagePlane, other: ImagePlane): boolean {
  return one.frameOfReferenceUid !== "" && one.frameOfReferenceUid === other.frameOfReferenceUid;
}

export function areParallel(one: ImagePlane, other: ImagePlane): boolean {
  return Math.abs(dot(one.normal, other.normal)) >= PARALLEL_COSINE;
}

export function lpsFromImage(plane: ImagePlane, { x, y }: Point): Triple {
  const [alongRow, alongColumn] = [scaled(plane.row, x * plane.stepX), scaled(plane.column, y * plane.stepY)];
  return added(plane.origin, added(alongRow, alongColumn));
}

/** The image point below an lps point, seen along the normal. */
export function imageFromLps(plane: ImagePlane, lps: Triple): Point {
  const offset = added(lps, scaled(plane.origin, -1));
  return { x: dot(offset, plane.row) / plane.stepX, y: dot(offset, plane.column) / plane.stepY };
}

/** How far a point lies before the plane, in mm along its normal. */
export function heightOver(plane: ImagePlane, lps: Triple): number {
  return dot(added(lps, scaled(plane.origin, -1)), plane.normal);
}

export function middleOfPlane(plane: ImagePlane): Triple {
  return lpsFromImage(plane, { x: (plane.columns - 1) / 2, y: (plane.rows - 1) / 2 });
}

export interface Nearest {
  readonly index: number;
  readonly distanceMm: number;
  /** False beyond the ends of the stack: the point is in no slice and between no two. */
  readonly isInside: boolean;
}

/** The slice nearest to a point, among those that may be compared with it; null when there is none. */
export function nearestSlice(planes: readonly (ImagePlane | null)[], lps: Triple, like?: ImagePlane): Nearest | null {
  let best: Nearest | null = null;
  let gap = Number.POSITIVE_INFINITY;
  const heights = planes.map((plane) => {
    const isComparable = plane !== null && (like === undefined || areParallel(plane, like));
    return isComparable ? heightOver(plane, lps) : null;
  });
  heights.forEach((height, index) => {
    if (height !== null && (best === null || Math.abs(height) < best.distanceMm)) {
      best = { index, distanceMm: Math.abs(height), isInside: true };
    }
  });
  if (best === null) {
    return null;
  }
  const { index, distanceMm } = best as Nearest;
  const nearest = heights[index] as number;
  for (const height of heights) {
    const apart = height === null ? 0 : Math.abs(height - nearest);
    gap = apart > NEAR_MM / 100 && apart < gap ? apart : gap;
  }
  const reach = Math.max(Number.isFinite(gap) ? gap / 2 : 0, (planes[index]?.thicknessMm ?? 0) / 2, NEAR_MM);
  return { index, distanceMm, isInside: distanceMm <= reach + NEAR_MM / 100 };
}

/**
 * Where the plane of `cutting` crosses the picture of `seen`, as a line on that picture that ends where
 * either picture ends; null when they do not cross, or lie too nearly alike to say where.
 */
export function crossing(seen: ImagePlane, cutting: ImagePlane): Segment | null {
  if (areParallel(seen, cutting)) {
    return null;
  }
  // Height of the seen picture's points over the cutting plane: at + x * alongX + y * alongY.
  const at = heightOver(cutting, seen.origin);
  const alongX = dot(seen.row, cutting.normal) * seen.stepX;
  const alongY = dot(seen.column, cutting.normal) * seen.stepY;
  const squared = alongX * alongX + alongY * alongY;
  const foot = { x: (-at * alongX) / squared, y: (-at * alongY) / squared };
  const along = { x: -alongY / Math.sqrt(squared), y: alongX / Math.sqrt(squared) };
  const there = imageFromLps(cutting, lpsFromImage(seen, foot));
  const onward = imageFromLps(cutting, lpsFromImage(seen, { x: foot.x + along.x, y: foot.y + along.y }));
  const alongThere = { x: onward.x - there.x, y: onward.y - there.y };
  const inside = clip(clip([-Infinity, Infinity], foot, along, seen), there, alongThere, cutting);
  if (inside === null) {
    return null;
  }
  const place = (t: number): Point => ({ x: foot.x + t * along.x, y: foot.y + t * along.y });
  return { from: place(inside[0]), to: place(inside[1]) };
}

type Span = readonly [number, number];

/** The part of a line that lies on the picture: its pixels reach half a pixel beyond their centres. */
function clip(span: Span | null, from: Point, along: Point, { columns, rows }: ImagePlane): Span | null {
  const ofX = clipAxis(span, from.x, along.x, columns);
  return clipAxis(ofX, from.y, along.y, rows);
}

function clipAxis(span: Span | null, from: number, along: number, count: number): Span | null {
  if (span === null) {
    return null;
  }
  const [low, high] = [-0.5, count - 0.5];
  if (Math.abs(along) < 1e-12) {
    return from >= low && from <= high ? span : null;
  }
  const ends = [(low - from) / along, (high - from) / along];
  const [start, end] = [Math.max(span[0], Math.min(...ends)), Math.min(span[1], Math.max(...ends))];
  return start < end ? [start, end] : null;
}

function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Triple, b: Triple): Triple {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function scaled(a: Triple, by: number): Triple {
  return [a[0] * by, a[1] * by, a[2] * by];
}

function added(a: Triple, b: Triple): Triple {
  return [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
}
