/** Curved pictures, and planes across a line, as images like any other. */

import { columnAt, placeAt, sectionAxes, type CurveGeometry, type CurveWish } from "./curve";
import type { ImageFacts, Stack } from "./facts";
import { added, cross, scaled, type PlaneGrid } from "./mpr";
import { planeValues, reformattedFacts, type PlaneImage, type Reformatted } from "./plane-facts";
import { finestMm, voxelAxesOf, type VolumePlan } from "./volume-plan";

export const SECTION = "section";
export const CURVED = "curved";

/** A plane across the line needs no more than this; its picture is as fine as the finest voxels. */
const MOST_SECTION_PX = 512;

/**
 * A curved picture lies on no plane: it has no position and no orientation, so that nothing reads letters
 * or places from it. Its millimetres are true along a row where it is straightened, and in any column.
 */
export function curvedFacts(key: string, wish: CurveWish, geometry: CurveGeometry, plan: VolumePlan, stack: Stack): ImageFacts | null {
  const origin = originOf(plan, stack);
  if (origin === null) {
    return null;
  }
  const { spacingMm, rows, columns } = geometry;
  const grid: PlaneGrid = { origin: [0, 0, 0], right: [1, 0, 0], down: [0, 1, 0], normal: [0, 0, 1], spacingMm, rows, columns };
  const reformatted = about(CURVED, wish, plan, { index: 0, count: columns });
  const facts = reformattedFacts({ ...origin, key, reformatted }, grid, plan.frameOfReferenceUid);
  return { ...facts, imagePositionPatient: null, imageOrientationPatient: null };
}

interface Made {
  readonly plan: VolumePlan;
  readonly stack: Stack;
  readonly image: PlaneImage;
}

const KEPT = 16;
const made = new Map<string, Made>();

/** The plane at right angles to the line at a length along it; the same object for the same plane. */
export function sectionImage(wish: CurveWish, geometry: CurveGeometry, arcMm: number, plan: VolumePlan, stack: Stack): PlaneImage | null {
  const origin = originOf(plan, stack);
  if (origin === null) {
    return null;
  }
  const grid = sectionGrid(geometry, arcMm, wish.widthMm, finestMm(plan));
  const reformatted: Reformatted = {
    ...about(SECTION, wish, plan, { index: Math.round(columnAt(geometry, arcMm)), count: geometry.columns }),
    slab: { mode: "thin", thicknessMm: 0 },
  };
  const key = [SECTION, plan.seriesId, plan.timePoint, reformatted.index, reformatted.count, grid.spacingMm, grid.rows, ...grid.origin, ...grid.right, ...grid.down].join("/");
  const kept = made.get(key);
  if (kept?.plan === plan && kept.stack === stack) {
    return kept.image;
  }
  const image = { grid, facts: reformattedFacts({ ...origin, key, reformatted }, grid, plan.frameOfReferenceUid) };
  made.delete(key);
  made.set(key, { plan, stack, image });
  const [oldest] = made.keys();
  if (made.size > KEPT && oldest !== undefined) {
    made.delete(oldest);
  }
  return image;
}

export function sectionGrid(geometry: CurveGeometry, arcMm: number, widthMm: number, finest: number): PlaneGrid {
  const place = placeAt(geometry, arcMm);
  const { normal, up } = sectionAxes(place);
  const down = scaled(up, -1);
  const right = cross(down, normal);
  const spacingMm = Math.max(finest, widthMm / MOST_SECTION_PX);
  // An odd number: the line goes through the middle of a pixel.
  const side = 2 * Math.max(1, Math.round(widthMm / spacingMm / 2)) + 1;
  const half = (spacingMm * (side - 1)) / 2;
  const origin = added(place.lps, added(scaled(right, -half), scaled(down, -half)));
  return { origin, right, down, normal, spacingMm, rows: side, columns: side };
}

function originOf(plan: VolumePlan, stack: Stack): { readonly middle: ImageFacts; readonly values: ReturnType<typeof planeValues> } | null {
  const middle = stack.images.find(({ key }) => key === plan.middleKey);
  return middle === undefined ? null : { middle, values: planeValues(plan, stack) };
}

function about(name: string, { slab }: CurveWish, plan: VolumePlan, place: { readonly index: number; readonly count: number }): Reformatted {
  return {
    seriesId: plan.seriesId,
    name,
    isOblique: false,
    slab: slab.mode === "thin" ? { mode: "thin", thicknessMm: 0 } : slab,
    timePoint: plan.timePoint,
    timePoints: plan.timePoints,
    voxelAxes: voxelAxesOf(plan),
    ...place,
  };
}
