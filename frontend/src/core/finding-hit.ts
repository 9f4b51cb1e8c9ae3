/** What the pointer means: which finding it is on, which point it wants. All in CSS px. */

import { distanceToSegment } from "./finding-draw";
import { handlesOf, outlineOf } from "./finding-shapes";
import type { Finding } from "./findings";
import type { Pair } from "./measure-plane";
import { applyMatrix, type Matrix } from "./view";

export const HANDLE_PX = 12;
export const TOUCH_HANDLE_PX = 44;
const LINE_PX = 6;
const SNAP_PX = 8;

/** `handle` is null when the pointer is on the outline. */
export interface Hit {
  readonly key: string;
  readonly handle: number | null;
}

/** How near the pointer must come; fingers are wide. */
export interface Reach {
  readonly handlePx: number;
  readonly linePx: number;
}

export function reachOf(isTouch: boolean): Reach {
  const handlePx = (isTouch ? TOUCH_HANDLE_PX : HANDLE_PX) / 2;
  return { handlePx, linePx: isTouch ? handlePx : LINE_PX };
}

export function toCanvas(matrix: Matrix, [x, y]: Pair): Pair {
  const at = applyMatrix(matrix, { x, y });
  return [at.x, at.y];
}

/** The handle or outline under the pointer; what is nearest, and handles before outlines. */
export function findHit(
  findings: readonly Finding[],
  matrix: Matrix,
  aspect: number,
  at: Pair,
  reach: Reach,
): Hit | null {
  let [best, nearest]: [Hit | null, number] = [null, Infinity];
  for (const finding of findings) {
    handlesOf(finding).forEach((handle, index) => {
      const off = distance(toCanvas(matrix, handle), at);
      if (off <= reach.handlePx && off < nearest) {
        [best, nearest] = [{ key: finding.key, handle: index }, off];
      }
    });
  }
  if (best !== null) {
    return best;
  }
  for (const finding of findings) {
    const off = distanceToOutline(finding, matrix, aspect, at);
    if (off <= reach.linePx && off < nearest) {
      [best, nearest] = [{ key: finding.key, handle: null }, off];
    }
  }
  return best;
}

function distanceToOutline(finding: Finding, matrix: Matrix, aspect: number, at: Pair): number {
  const { strokes, guides } = outlineOf(finding, aspect);
  let nearest = Infinity;
  for (const stroke of [...strokes, ...guides]) {
    const line = stroke.map((point) => toCanvas(matrix, point));
    for (let i = 1; i < line.length; i += 1) {
      nearest = Math.min(nearest, distanceToSegment(at, line[i - 1] as Pair, line[i] as Pair));
    }
  }
  return nearest;
}

function distance(one: Pair, other: Pair): number {
  return Math.hypot(one[0] - other[0], one[1] - other[1]);
}

/** The image point of another finding that the pointer is almost on, or null. */
export function findSnap(findings: readonly Finding[], matrix: Matrix, at: Pair, except: string): Pair | null {
  let [best, nearest]: [Pair | null, number] = [null, SNAP_PX];
  for (const finding of findings) {
    if (finding.key === except) {
      continue;
    }
    for (const point of finding.points) {
      const off = distance(toCanvas(matrix, point), at);
      if (off < nearest) {
        [best, nearest] = [point, off];
      }
    }
  }
  return best;
}

/** The place on the screen's horizontal or vertical through `from` that is nearest to `at`. */
export function straight(from: Pair, at: Pair): Pair {
  return Math.abs(at[0] - from[0]) >= Math.abs(at[1] - from[1]) ? [at[0], from[1]] : [from[0], at[1]];
}
