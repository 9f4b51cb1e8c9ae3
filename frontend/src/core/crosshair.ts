/** Where the planes of a volume cross on the picture of one of them, and what of it a hand takes. All canvas px. */

import type { Triple } from "./facts";
import { cross, PLANE_NAMES, type Mpr, type PlaneName } from "./mpr";
import { imageFromLps, type ImagePlane } from "./planes";
import { applyMatrix, type Matrix, type Point, type Size } from "./view";

export interface PlaneLine {
  readonly name: PlaneName;
  /** Of length 1. */
  readonly along: Point;
  /** At right angles to it, as long as the slab is deep to either side; null: thin. */
  readonly edge: Point | null;
  readonly handles: readonly [Point, Point];
}

export interface Crosshair {
  readonly center: Point;
  readonly lines: readonly PlaneLine[];
}

export type CrosshairPart = { readonly kind: "center" } | { readonly kind: "move" | "turn"; readonly name: PlaneName };

/** Between the centre and where a line begins, so that what is looked at stays free. */
export const GAP_PX = 18;
const HANDLE_SHARE = 0.36;

/** Lines of the other planes on the picture of `seen`. */
export function crosshairOn(seen: PlaneName, mpr: Mpr, plane: ImagePlane, matrix: Matrix, size: Size): Crosshair {
  const center = applyMatrix(matrix, imageFromLps(plane, mpr.center));
  const reach = HANDLE_SHARE * Math.min(size.width, size.height);
  const lines = PLANE_NAMES.filter((name) => name !== seen).flatMap((name) => {
    const { normal } = mpr.axes[name];
    const along = onCanvas(cross(plane.normal, normal), plane, matrix);
    const length = Math.hypot(along.x, along.y);
    if (length < 1e-9) {
      return [];
    }
    const unit = { x: along.x / length, y: along.y / length };
    const handle = (way: 1 | -1): Point => ({ x: center.x + way * reach * unit.x, y: center.y + way * reach * unit.y });
    return [{ name, along: unit, edge: edgeOf(mpr, name, plane, matrix), handles: [handle(1), handle(-1)] as const }];
  });
  return { center, lines };
}

/** A direction in the patient as a step on the canvas, mm for mm. */
function onCanvas(lps: Triple, plane: ImagePlane, { a, b, c, d }: Matrix): Point {
  const x = (lps[0] * plane.row[0] + lps[1] * plane.row[1] + lps[2] * plane.row[2]) / plane.stepX;
  const y = (lps[0] * plane.column[0] + lps[1] * plane.column[1] + lps[2] * plane.column[2]) / plane.stepY;
  return { x: a * x + c * y, y: b * x + d * y };
}

/** From the line to where the slab of that plane ends. */
function edgeOf({ slab, axes }: Mpr, name: PlaneName, plane: ImagePlane, matrix: Matrix): Point | null {
  if (slab.mode === "thin") {
    return null;
  }
  const { normal } = axes[name];
  const away = normal[0] * plane.normal[0] + normal[1] * plane.normal[1] + normal[2] * plane.normal[2];
  const inPlane: Triple = [normal[0] - away * plane.normal[0], normal[1] - away * plane.normal[1], normal[2] - away * plane.normal[2]];
  // The slab is cut aslant: it looks deeper by the cosine between the planes.
  const squared = inPlane[0] ** 2 + inPlane[1] ** 2 + inPlane[2] ** 2;
  const half = slab.thicknessMm / 2 / squared;
  return onCanvas([inPlane[0] * half, inPlane[1] * half, inPlane[2] * half], plane, matrix);
}

/** What lies under a point: the centre before the handles, and these before the lines. */
export function partAt({ center, lines }: Crosshair, at: Point, reach: number): CrosshairPart | null {
  const fromCenter = Math.hypot(at.x - center.x, at.y - center.y);
  if (fromCenter <= Math.max(reach, GAP_PX * 0.6)) {
    return { kind: "center" };
  }
  for (const { name, handles } of lines) {
    if (handles.some(({ x, y }) => Math.hypot(at.x - x, at.y - y) <= reach * 1.4)) {
      return { kind: "turn", name };
    }
  }
  if (fromCenter < GAP_PX) {
    return null;
  }
  const near = lines
    .map(({ name, along }) => ({ name, far: Math.abs((at.x - center.x) * along.y - (at.y - center.y) * along.x) }))
    .sort((one, other) => one.far - other.far)[0];
  return near !== undefined && near.far <= reach ? { kind: "move", name: near.name } : null;
}
