/**
 * Lengths, angles and areas on a plane with their standard uncertainty (k = 1), as
 * `imaging.measure_geometry` in Python, where the model is told.
 */

import { MeasureError, type Pair } from "./measure-plane";

const COORDINATE_PX = 1 / Math.sqrt(12);
const DEG = 180 / Math.PI;

export function minus(a: Pair, b: Pair): Pair {
  return [a[0] - b[0], a[1] - b[1]];
}

export function lengthOf(points: readonly Pair[]): number {
  return sidesOf(points).reduce((sum, side) => sum + Math.hypot(...side), 0);
}

function sidesOf(points: readonly Pair[]): Pair[] {
  return points.slice(1).map((point, i) => minus(point, points[i] as Pair));
}

export function lengthUncertainty(points: readonly Pair[], steps: Pair): number {
  const pulls = points.map((): [number, number] => [0, 0]);
  sidesOf(points).forEach((side, i) => {
    const length = Math.hypot(...side) || 1;
    const [start, end] = [pulls[i] as [number, number], pulls[i + 1] as [number, number]];
    for (const axis of [0, 1] as const) {
      start[axis] -= side[axis] / length;
      end[axis] += side[axis] / length;
    }
  });
  return combine(pulls, steps);
}

export function closed(points: readonly Pair[]): Pair[] {
  return [...points, points[0] as Pair];
}

/** The angle at the second of three points, 0 to 180 degrees. */
export function angleDeg(points: readonly Pair[]): number {
  const [one, two] = arms(points);
  return Math.atan2(Math.abs(cross(one, two)), dot(one, two)) * DEG;
}

export function angleUncertaintyDeg(points: readonly Pair[], steps: Pair): number {
  const [one, two] = arms(points).map(turn) as [Pair, Pair];
  return combine([[-one[0], -one[1]], minus(one, two), two], steps) * DEG;
}

function arms(points: readonly Pair[]): [Pair, Pair] {
  const [a, vertex, b] = points as [Pair, Pair, Pair];
  return different([minus(a, vertex), minus(b, vertex)], "An angle needs three different points.");
}

/** The angle between two lines of two points each, 0 to 90 degrees. */
export function cobbDeg(points: readonly Pair[]): number {
  const [one, two] = lines(points);
  return Math.atan2(Math.abs(cross(one, two)), Math.abs(dot(one, two))) * DEG;
}

export function cobbUncertaintyDeg(points: readonly Pair[], steps: Pair): number {
  const [one, two] = lines(points).map(turn) as [Pair, Pair];
  return combine([one, one, two, two], steps) * DEG;
}

/** How wide the first of two lines is along the second, divided by the second's length. */
export function widthRatio(points: readonly Pair[]): number {
  const [one, two] = lines(points);
  return Math.abs(dot(one, two)) / dot(two, two);
}

export function widthRatioUncertainty(points: readonly Pair[], steps: Pair): number {
  const [one, two] = lines(points);
  const [square, part] = [dot(two, two), (2 * dot(one, two)) / dot(two, two)];
  const byOne: Pair = [two[0] / square, two[1] / square];
  const byTwo: Pair = [(one[0] - part * two[0]) / square, (one[1] - part * two[1]) / square];
  return combine([byOne, byOne, byTwo, byTwo], steps);
}

function lines(points: readonly Pair[]): [Pair, Pair] {
  const [a, b, c, d] = points as [Pair, Pair, Pair, Pair];
  return different([minus(b, a), minus(d, c)], "A line needs two different points.");
}

function different(vectors: [Pair, Pair], message: string): [Pair, Pair] {
  if (vectors.some(([x, y]) => x === 0 && y === 0)) {
    throw new MeasureError(message);
  }
  return vectors;
}

function turn([x, y]: Pair): Pair {
  const square = x * x + y * y;
  return [-y / square, x / square];
}

export function dot(a: Pair, b: Pair): number {
  return a[0] * b[0] + a[1] * b[1];
}

function cross(a: Pair, b: Pair): number {
  return a[0] * b[1] - a[1] * b[0];
}

function combine(pulls: readonly Pair[], steps: Pair): number {
  const squares = pulls.map(([x, y]) => (x * steps[0]) ** 2 + (y * steps[1]) ** 2);
  return Math.sqrt(squares.reduce((sum, square) => sum + square, 0)) * COORDINATE_PX;
}

export function polygonArea(points: readonly Pair[]): number {
  const from = points.map((point) => minus(point, points[0] as Pair));
  const parts = from.map((point, i) => cross(point, from[(i + 1) % from.length] as Pair));
  return Math.abs(parts.reduce((sum, part) => sum + part, 0)) / 2;
}

export function polygonAreaUncertainty(points: readonly Pair[], steps: Pair): number {
  const inPx = points.map(([x, y]): Pair => [x / steps[0], y / steps[1]]);
  return lengthOf(closed(inPx)) * COORDINATE_PX * steps[0] * steps[1];
}

/** Whether two sides of a closed polygon that are not neighbours touch or cross. */
export function isSelfIntersecting(drawn: readonly Pair[]): boolean {
  const points = drawn.filter((point, i) => {
    const before = drawn[(i + drawn.length - 1) % drawn.length] as Pair;
    return point[0] !== before[0] || point[1] !== before[1];
  });
  const at = (i: number): Pair => points[i % points.length] as Pair;
  for (let i = 0; i < points.length - 2; i += 1) {
    const last = i === 0 ? points.length - 1 : points.length;
    for (let j = i + 2; j < last; j += 1) {
      if (touches(at(i), at(i + 1), at(j), at(j + 1))) {
        return true;
      }
    }
  }
  return false;
}

function touches(a: Pair, b: Pair, c: Pair, d: Pair): boolean {
  const side = (start: Pair, end: Pair, point: Pair): number =>
    Math.sign(cross(minus(end, start), minus(point, start)));
  const apart = ([0, 1] as const).some(
    (axis) =>
      Math.min(c[axis], d[axis]) > Math.max(a[axis], b[axis]) ||
      Math.max(c[axis], d[axis]) < Math.min(a[axis], b[axis]),
  );
  return !apart && side(a, b, c) * side(a, b, d) <= 0 && side(c, d, a) * side(c, d, b) <= 0;
}

/** Exact to rounding, by the arithmetic-geometric mean (DLMF 19.8.6). */
export function ellipsePerimeter(semiAxis: number, other: number): number {
  const large = Math.max(semiAxis, other);
  const small = Math.min(semiAxis, other);
  if (small === 0) {
    return 4 * large;
  }
  let [a, b, factor] = [large, small, 0.5];
  let rest = (large * large - small * small) / 2;
  while (Math.abs(a - b) > 1e-15 * large) {
    const half = (a - b) / 2;
    [a, b] = [(a + b) / 2, Math.sqrt(a * b)];
    factor *= 2;
    rest += factor * half * half;
  }
  return (2 * Math.PI * (large * large - rest)) / a;
}

/** Of the two half-axis vectors. */
export function ellipseAreaUncertainty(first: Pair, second: Pair, steps: Pair): number {
  const [a, b] = [first[0] / steps[0], first[1] / steps[1]];
  const [c, d] = [second[0] / steps[0], second[1] / steps[1]];
  // The half axes of the same ellipse in pixels: singular values of a matrix of two by two.
  const sum = Math.hypot(a + d, b - c);
  const difference = Math.hypot(a - d, b + c);
  const around = ellipsePerimeter((sum + difference) / 2, Math.abs(sum - difference) / 2);
  return around * COORDINATE_PX * steps[0] * steps[1];
}
