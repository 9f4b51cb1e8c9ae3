/**
 * A line through the patient, drawn by hand, and places on the picture along it. The server makes the line
 * smooth and says for each column of the picture where it lies (docs/derived.md). Everything is lps in mm.
 */

import type { Triple } from "./facts";
import { added, dot, scaled, type PlaneAxes, type Slab } from "./mpr";

export const CURVE_FORMS = ["straightened", "stretched"] as const;
export type CurveForm = (typeof CURVE_FORMS)[number];

/** As the server takes them. */
export const MOST_CURVE_POINTS = 500;
export const WIDEST_MM = 500;

/** Where the columns of a curved picture lie; lists have one entry for each. */
export interface CurveGeometry {
  readonly form: CurveForm;
  readonly columns: number;
  readonly rows: number;
  /** Of a pixel; they are square. */
  readonly spacingMm: number;
  readonly points: readonly Triple[];
  readonly tangents: readonly Triple[];
  /** The direction of a column's rows, downwards. */
  readonly across: readonly Triple[];
  /** The row, with fraction, in which the column crosses the line. */
  readonly lineRows: readonly number[];
  readonly arcMm: readonly number[];
}

/** A place on the line, and the frame that stands on it. */
export interface CurvePlace {
  readonly lps: Triple;
  readonly tangent: Triple;
  readonly across: Triple;
}

/** What of a curve is asked of the server. */
export interface CurveWish {
  readonly points: readonly Triple[];
  readonly form: CurveForm;
  readonly widthMm: number;
  readonly angleDeg: number;
  readonly slab: Slab;
}

export const FIRST_WISH: CurveWish = { points: [], form: "straightened", widthMm: 60, angleDeg: 0, slab: { mode: "thin", thicknessMm: 5 } };

// --- points ---------------------------------------------------------------------------------------
export function moved(points: readonly Triple[], index: number, lps: Triple): readonly Triple[] {
  return points.map((point, at) => (at === index ? lps : point));
}

export function inserted(points: readonly Triple[], index: number, lps: Triple): readonly Triple[] {
  return [...points.slice(0, index), lps, ...points.slice(index)];
}

export function removed(points: readonly Triple[], index: number): readonly Triple[] {
  return points.filter((_, at) => at !== index);
}

/** Which of the points come before a place of the smooth line. */
export function countBefore(points: readonly Triple[], geometry: CurveGeometry, arcMm: number): number {
  return points.filter((point) => (geometry.arcMm[nearestColumn(geometry, point)] ?? 0) < arcMm).length;
}

export function lengthOf(points: readonly Triple[]): number {
  return points.reduce((sum, point, at) => (at === 0 ? 0 : sum + distance(point, points[at - 1] as Triple)), 0);
}

// --- columns -----------------------------------------------------------------------------------------
/** The column, with fraction, at a length along the line. */
export function columnAt({ arcMm, columns }: CurveGeometry, wantedMm: number): number {
  let low = 0;
  let high = columns - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((arcMm[middle] as number) <= wantedMm) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const [from, to] = [arcMm[low] ?? 0, arcMm[high] ?? 0];
  const share = to > from ? (wantedMm - from) / (to - from) : 0;
  return low + Math.min(1, Math.max(0, share)) * (high - low);
}

/** The length along the line at a column, with fraction; columns beyond the picture are its ends. */
export function arcAt({ arcMm, columns }: CurveGeometry, column: number): number {
  return between(arcMm, Math.min(columns - 1, Math.max(0, column)), (a, b, share) => a + (b - a) * share);
}

export function placeAt(geometry: CurveGeometry, arcMm: number): CurvePlace {
  const column = columnAt(geometry, arcMm);
  return {
    lps: between(geometry.points, column, mixed),
    tangent: unit(between(geometry.tangents, column, mixed)),
    across: unit(between(geometry.across, column, mixed)),
  };
}

/** The point in the patient below a point of the picture: column and row, with fraction. */
export function lpsFromCurve(geometry: CurveGeometry, x: number, y: number): Triple {
  const column = Math.min(geometry.columns - 1, Math.max(0, x));
  const row = between(geometry.lineRows, column, (a, b, share) => a + (b - a) * share);
  const across = unit(between(geometry.across, column, mixed));
  return added(between(geometry.points, column, mixed), scaled(across, (y - row) * geometry.spacingMm));
}

export function lineRowAt(geometry: CurveGeometry, column: number): number {
  return between(geometry.lineRows, Math.min(geometry.columns - 1, Math.max(0, column)), (a, b, share) => a + (b - a) * share);
}

function nearestColumn({ points }: CurveGeometry, lps: Triple): number {
  let best = 0;
  let nearest = Infinity;
  points.forEach((point, column) => {
    const far = distance(point, lps);
    if (far < nearest) {
      [best, nearest] = [column, far];
    }
  });
  return best;
}

/**
 * The plane at right angles to the line: its normal is the tangent, its top where the column's top is. Of a
 * stretched picture columns may run along the line; then any top will do.
 */
export function sectionAxes({ tangent, across }: Pick<CurvePlace, "tangent" | "across">): PlaneAxes {
  const upright = (towards: Triple): Triple => added(towards, scaled(tangent, -dot(towards, tangent)));
  const wanted = upright(scaled(across, -1));
  const other = Math.abs(tangent[2]) < 0.9 ? upright([0, 0, 1]) : upright([0, -1, 0]);
  return { normal: tangent, up: unit(Math.hypot(...wanted) > 0.1 ? wanted : other) };
}

/** The geometry of a picture of finer pixels, each larger one's centre among theirs. */
export function refined(geometry: CurveGeometry, factor: number): CurveGeometry {
  if (factor === 1) {
    return geometry;
  }
  const columns = (geometry.columns - 1) * factor + 1;
  const spread = <T>(list: readonly T[], mix: (a: T, b: T, share: number) => T): T[] =>
    Array.from({ length: columns }, (_, column) => between(list, column / factor, mix));
  const numbers = (list: readonly number[], by: number): number[] => spread(list, (a, b, share) => a + (b - a) * share).map((one) => one * by);
  return {
    form: geometry.form,
    columns,
    rows: (geometry.rows - 1) * factor + 1,
    spacingMm: geometry.spacingMm / factor,
    points: spread(geometry.points, mixed),
    tangents: spread(geometry.tangents, mixed).map(unit),
    across: spread(geometry.across, mixed).map(unit),
    lineRows: numbers(geometry.lineRows, factor),
    arcMm: numbers(geometry.arcMm, 1),
  };
}

/** What stands between two entries of a list. */
function between<T>(list: readonly T[], at: number, mix: (a: T, b: T, share: number) => T): T {
  const low = Math.min(list.length - 1, Math.max(0, Math.floor(at)));
  const high = Math.min(list.length - 1, low + 1);
  return mix(list[low] as T, list[high] as T, at - low);
}

function mixed(a: Triple, b: Triple, share: number): Triple {
  return added(scaled(a, 1 - share), scaled(b, share));
}

function unit(vector: Triple): Triple {
  return scaled(vector, 1 / Math.max(1e-12, Math.hypot(...vector)));
}

function distance(one: Triple, other: Triple): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1], one[2] - other[2]);
}
