/** Cuts a second series on the plane of a picture from its frames, as far as they are here; the last planes are kept. */

import { Cut, type Slices } from "../core/cut";
import type { ImageFacts, Stack } from "../core/facts";
import { insideTest, type OverlayPlane } from "../core/fusion";
import type { PlaneGrid } from "../core/mpr";
import { valuesOf, type PlaneValues } from "../core/plane-values";
import { lpsFromImage, planeOf, type ImagePlane } from "../core/planes";
import { applyAffine, depthOf, type VolumePlan } from "../core/volume-plan";

const KEPT_BYTES = 64 << 20;

export class OverlayCutter {
  private readonly kept = new Map<ImageFacts, OverlayPlane>();
  private plan: VolumePlan | null = null;
  private values: PlaneValues | null = null;

  /** The plane over a picture; undefined while slices that it needs are on their way. */
  planeOf(plan: VolumePlan, stack: Stack, slices: Slices, facts: ImageFacts): OverlayPlane | undefined {
    if (this.plan !== plan) {
      this.plan = plan;
      this.kept.clear();
      this.values = valuesOf(imagesOf(plan, stack));
    }
    const known = this.kept.get(facts);
    if (known !== undefined) {
      return known;
    }
    const plane = planeOf(facts);
    if (plane === null || this.values === null || !hasAll(plan, slices, plane)) {
      return undefined;
    }
    const made = cutOver(plan, this.values, slices, plane, facts);
    this.keep(facts, made);
    return made;
  }

  clear(): void {
    this.kept.clear();
    this.plan = null;
  }

  private keep(facts: ImageFacts, plane: OverlayPlane): void {
    this.kept.set(facts, plane);
    let used = [...this.kept.values()].reduce((sum, { values }) => sum + values.byteLength, 0);
    for (const [oldest, { values }] of this.kept) {
      if (used <= KEPT_BYTES || oldest === facts) {
        return;
      }
      this.kept.delete(oldest);
      used -= values.byteLength;
    }
  }
}

function imagesOf(plan: VolumePlan, stack: Stack): ImageFacts[] {
  const byKey = new Map(stack.images.map((image) => [image.key, image] as const));
  return plan.keys.flatMap((key) => byKey.get(key) ?? []);
}

/** Pixels need not be square: the grid's directions are as long as its steps. */
function cutOver(plan: VolumePlan, values: PlaneValues, slices: Slices, plane: ImagePlane, facts: ImageFacts): OverlayPlane {
  const longer = ([x, y, z]: ImagePlane["row"], by: number): ImagePlane["row"] => [x * by, y * by, z * by];
  const grid: PlaneGrid = {
    origin: plane.origin,
    right: longer(plane.row, plane.stepX),
    down: longer(plane.column, plane.stepY),
    normal: plane.normal,
    spacingMm: 1,
    rows: plane.rows,
    columns: plane.columns,
  };
  const cut = new Cut(plan, values, slices, grid, { mode: "thin", thicknessMm: 0 });
  cut.go(plane.rows);
  // As the picture holds it, which may be of four bytes.
  const outside = values.pixelFormat === "f32" ? Math.fround(cut.outside) : cut.outside;
  const isInside = insideTest(facts, { lpsFromIjw: plan.lpsFromIjw, columns: plan.columns, rows: plan.rows, depth: depthOf(plan) });
  return { values: cut.picture.pixels, scale: values.rescaleSlope, offset: values.rescaleIntercept, outside, isInside };
}

/** Whether every slice that the rectangle can meet is here. */
function hasAll({ ijwFromLps, sliceMm }: VolumePlan, slices: Slices, plane: ImagePlane): boolean {
  const corners = [0, plane.columns - 1].flatMap((x) => [0, plane.rows - 1].map((y) => applyAffine(ijwFromLps, lpsFromImage(plane, { x, y }))[2]));
  const [low, high] = [Math.min(...corners), Math.max(...corners)];
  return slices.every((pixels, k) => {
    const before = sliceMm[k - 1] ?? Number.NEGATIVE_INFINITY;
    const after = sliceMm[k + 1] ?? Number.POSITIVE_INFINITY;
    const isNear = sliceMm.length === 0 ? k >= low - 1 && k <= high + 1 : after >= low && before <= high;
    return pixels !== undefined || !isNear;
  });
}
