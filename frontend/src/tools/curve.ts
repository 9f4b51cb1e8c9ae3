/**
 * Draws a line through a volume, point by point: on its planes, on its slices, and on the plane across the
 * line. A press on a point takes hold of it, one on the line puts a point between, any other one goes on.
 */

import type { Triple } from "../core/facts";
import { added, scaled } from "../core/mpr";
import { heightOver, imageFromLps, lpsFromImage, planeOf, type ImagePlane } from "../core/planes";
import { applyMatrix, canvasFromImage, invertMatrix, type Matrix, type Point } from "../core/view";
import { addCurvePoint, curveOf, holdCurvePoint, moveCurvePoint, orderAt } from "../state/curves";
import { activePane } from "../state/panes";
import { NO_DRAG, sightOf, type Tool } from "./tool";

const POINT_REACH_PX = 10;
const LINE_REACH_PX = 6;
/** A point farther from the plane than this is not meant: lines are drawn slice by slice. */
const LEAST_DEPTH_MM = 1;

interface Seen {
  readonly at: Point;
  /** Along the plane's normal. */
  readonly height: number;
}

export const curveTool: Tool = (instrument, start) => {
  const { store, viewport } = instrument;
  const sight = sightOf(instrument);
  const { shown, size } = viewport;
  const plane = shown === null ? null : planeOf(shown.facts);
  const pane = activePane(store.state);
  if (sight === null || plane === null || pane.seriesId === "") {
    return NO_DRAG;
  }
  const { seriesId } = pane;
  const matrix = canvasFromImage(sight.view, sight.extent, size);
  const back = invertMatrix(matrix);
  const curve = curveOf(store.state, seriesId);
  const { points } = curve.wish;
  const depth = Math.max(LEAST_DEPTH_MM, plane.thicknessMm / 2);
  const seen = points.map((lps) => seenOn(plane, matrix, lps));
  const held = pointUnder(seen, start, depth);
  const lpsAt = (at: Point): Triple => lpsFromImage(plane, applyMatrix(back, at));
  let index = held;
  let isFirst = true;
  if (held < 0) {
    const between = segmentUnder(seen, start, depth);
    index = between >= 0 ? between + 1 : pane.shows === "section" ? orderAt(curve) : points.length;
    store.change(addCurvePoint(seriesId, index, lpsAt(start)));
    isFirst = false;
  } else {
    store.change(holdCurvePoint(seriesId, held));
  }
  // A point stays as far from the plane as it was.
  const from = held < 0 ? lpsAt(start) : (points[held] as Triple);
  const hand = lpsAt(start);
  return (dx, dy) => {
    const way = added(lpsAt({ x: start.x + dx, y: start.y + dy }), scaled(hand, -1));
    store.change(moveCurvePoint(seriesId, index, added(from, way), isFirst));
    isFirst = false;
  };
};

function seenOn(plane: ImagePlane, matrix: Matrix, lps: Triple): Seen {
  return { at: applyMatrix(matrix, imageFromLps(plane, lps)), height: heightOver(plane, lps) };
}

/** The nearest point in reach; -1: none. */
export function pointUnder(seen: readonly Seen[], at: Point, depthMm: number): number {
  let best = -1;
  let nearest = POINT_REACH_PX;
  seen.forEach((one, index) => {
    const far = Math.hypot(one.at.x - at.x, one.at.y - at.y);
    if (far <= nearest && Math.abs(one.height) <= depthMm) {
      [best, nearest] = [index, far];
    }
  });
  return best;
}

/** The piece of the line, by its first point, that passes the plane in reach; -1: none. */
export function segmentUnder(seen: readonly Seen[], at: Point, depthMm: number): number {
  return seen.findIndex((one, index) => {
    const next = seen[index + 1];
    if (next === undefined) {
      return false;
    }
    const [dx, dy] = [next.at.x - one.at.x, next.at.y - one.at.y];
    const squared = dx * dx + dy * dy;
    const share = squared === 0 ? 0 : Math.min(1, Math.max(0, ((at.x - one.at.x) * dx + (at.y - one.at.y) * dy) / squared));
    const far = Math.hypot(one.at.x + share * dx - at.x, one.at.y + share * dy - at.y);
    return far <= LINE_REACH_PX && Math.abs(one.height + share * (next.height - one.height)) <= depthMm;
  });
}
