/** How a finding comes into being, point by point: what each kind still needs, and what is seen of it. */

import { withShortAxis } from "./finding-shapes";
import { isOpenEnded, type DrawnKind } from "./findings";
import type { Pair } from "./measure-plane";

export interface Draft {
  readonly kind: DrawnKind;
  readonly points: readonly Pair[];
}

/** How often a reader sets a point; kinds without an end of their own are ended by the reader. */
const POINTS: Readonly<Record<DrawnKind, number>> = {
  length: 2,
  polyline: Infinity,
  angle: 3,
  cobb: 4,
  bidirectional: 3,
  cardiothoracic: 4,
  rectangle: 2,
  ellipse: 2,
  circle: 2,
  polygon: Infinity,
  probe: 1,
  arrow: 2,
  text: 1,
  spine_label: 1,
  calibration: 2,
};
const FEWEST = { polyline: 2, polygon: 3 };

/** The points as they are seen while the pointer is at `hover`. */
export function seenPoints({ kind, points }: Draft, hover: Pair | null, aspect: number): readonly Pair[] {
  const all = hover === null ? points : [...points, hover];
  const [a, b, c] = all;
  if (kind === "bidirectional" && a !== undefined && b !== undefined && c !== undefined) {
    return withShortAxis(a, b, c, aspect);
  }
  return all;
}

/** The draft with one more point; a point on the last one is none. */
export function withPoint(draft: Draft, point: Pair): Draft {
  const last = draft.points.at(-1);
  const isSame = last !== undefined && last[0] === point[0] && last[1] === point[1];
  return isSame ? draft : { ...draft, points: [...draft.points, point] };
}

export function isComplete({ kind, points }: Draft): boolean {
  return points.length >= POINTS[kind];
}

/** Kinds that are drawn as two lines, one after the other. */
export function isOfTwoLines(kind: DrawnKind): boolean {
  return kind === "cobb" || kind === "cardiothoracic";
}

/** Whether an open-ended kind has enough points to be ended. */
export function canEnd({ kind, points }: Draft): boolean {
  return isOpenEnded(kind) && points.length >= (kind === "polygon" ? FEWEST.polygon : FEWEST.polyline);
}

/** The points that are kept. */
export function finishedPoints(draft: Draft, aspect: number): Pair[] {
  return [...seenPoints(draft, null, aspect)];
}

/** Leaves out points that say nothing: none lies farther than `tolerance` from what is kept. */
export function simplified(points: readonly Pair[], tolerance: number): Pair[] {
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined || points.length < 3) {
    return [...points];
  }
  const kept = new Set([0, points.length - 1]);
  const spans: [number, number][] = [[0, points.length - 1]];
  for (let span = spans.pop(); span !== undefined; span = spans.pop()) {
    const [from, to] = span;
    let [farthest, at] = [tolerance, -1];
    for (let i = from + 1; i < to; i += 1) {
      const off = distanceToSegment(points[i] as Pair, points[from] as Pair, points[to] as Pair);
      if (off > farthest) {
        [farthest, at] = [off, i];
      }
    }
    if (at > 0) {
      kept.add(at);
      spans.push([from, at], [at, to]);
    }
  }
  return points.filter((_, i) => kept.has(i));
}

export function distanceToSegment(point: Pair, a: Pair, b: Pair): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const square = dx * dx + dy * dy;
  const part = square === 0 ? 0 : ((point[0] - a[0]) * dx + (point[1] - a[1]) * dy) / square;
  const held = Math.min(1, Math.max(0, part));
  return Math.hypot(point[0] - a[0] - held * dx, point[1] - a[1] - held * dy);
}
