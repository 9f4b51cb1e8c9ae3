/**
 * Planes on which readers measure, as `imaging.measure_plane` in Python. Points are (column, row);
 * the centre of the first pixel is (0, 0). On the plane they are in mm, or in px: pixel widths.
 */

import type { Triple } from "./facts";
import type { Axes } from "./measure-region";

export type Pair = readonly [number, number];

/** Points that make no such measurement; the message says why, for the person who drew them. */
export class MeasureError extends Error {}

export interface Plane {
  /** Between rows, between columns, in mm; null when nothing gives millimetres. */
  readonly spacing: Pair | null;
  /** Height of a pixel by its width where there is no spacing. */
  readonly aspect: number;
  readonly provenance: string;
  /** Centre of the first pixel in lps mm; null without a place in the patient. */
  readonly origin: Triple | null;
  readonly rowDirection: Triple;
  readonly columnDirection: Triple;
  readonly thicknessMm: number;
  /** Of an ultrasound region whose axes are not both lengths. */
  readonly axes: Axes | null;
  /** Along a row and a column in mm, of a computed plane: how far the voxels reach that it was made from. */
  readonly grain?: Pair | null;
}

const OFF_PLANE_MM = 0.5;

export function unitOf(plane: Plane): "mm" | "px" {
  return plane.spacing === null ? "px" : "mm";
}

/** Width and height of a pixel in the plane's unit. */
export function stepsOf(plane: Plane): Pair {
  return plane.spacing === null ? [1, plane.aspect] : [plane.spacing[1], plane.spacing[0]];
}

/** To half of which a point is known: a pixel, or the grain where that is coarser. */
export function doubtStepsOf(plane: Plane): Pair {
  const [width, height] = stepsOf(plane);
  const { grain } = plane;
  return grain == null ? [width, height] : [Math.max(width, grain[0]), Math.max(height, grain[1])];
}

export function planeFromPx(plane: Plane, points: readonly Pair[]): Pair[] {
  const [width, height] = stepsOf(plane);
  return points.map(([column, row]) => [column * width, row * height]);
}

export function lpsFromPx(plane: Plane, point: Pair): Triple {
  const origin = placed(plane);
  const [width, height] = stepsOf(plane);
  const along = (axis: 0 | 1 | 2): number =>
    origin[axis] + point[0] * width * plane.rowDirection[axis] + point[1] * height * plane.columnDirection[axis];
  return [along(0), along(1), along(2)];
}

/** Refuses points before or behind the plane by more than half a slice, 0.5 mm at least. */
export function pxFromLps(plane: Plane, point: Triple): Pair {
  const origin = placed(plane);
  const offset: Triple = [point[0] - origin[0], point[1] - origin[1], point[2] - origin[2]];
  const [width, height] = stepsOf(plane);
  const x = dot(offset, plane.rowDirection);
  const y = dot(offset, plane.columnDirection);
  const off = dot(offset, cross(plane.rowDirection, plane.columnDirection));
  if (Math.abs(off) > Math.max(OFF_PLANE_MM, plane.thicknessMm / 2)) {
    throw new MeasureError("A point does not lie on the plane of this image.");
  }
  return [x / width, y / height];
}

function placed(plane: Plane): Triple {
  if (plane.origin === null || plane.spacing === null) {
    throw new MeasureError("This image has no place in the patient: give points in pixels.");
  }
  return plane.origin;
}

function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Triple, b: Triple): Triple {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}
