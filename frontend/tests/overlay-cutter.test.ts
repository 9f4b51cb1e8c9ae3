import { expect, test } from "vitest";

import type { ImageFacts, Stack } from "../src/core/facts";
import { invertAffine, type VolumePlan } from "../src/core/volume-plan";
import { OverlayCutter } from "../src/render/overlay-cutter";

const [COLUMNS, ROWS] = [7, 6];
// Columns run along -y, rows along z, slices along x, in steps of 4, 5 and 3 mm: mirrored against the picture.
const AFFINE = [[0, 0, 3, -6], [-4, 0, 0, 12], [0, 5, 0, -10]] as const;
const PLAN: VolumePlan = {
  seriesId: "b", keys: ["0", "1", "2", "3", "4"], rows: ROWS, columns: COLUMNS,
  lpsFromIjw: AFFINE as unknown as VolumePlan["lpsFromIjw"],
  ijwFromLps: invertAffine(AFFINE as unknown as VolumePlan["lpsFromIjw"]) as VolumePlan["ijwFromLps"],
  sliceMm: [], holes: [], spacingMm: [4, 5, 3], timePoint: 0, timePoints: 1, frameOfReferenceUid: "1.2",
  notes: [], middleKey: "2", needsTables: false,
};

function stackOf(slopes: readonly number[]): Stack {
  const images = slopes.map((rescaleSlope, k) => ({ key: `${k}`, rescaleSlope, rescaleIntercept: 0, pixelFormat: "i16", bitsStored: 16 }));
  return { images } as unknown as Stack;
}

/** Values that name their place: trilinear between voxels they are the same linear function everywhere. */
function slicesOf(slopes: readonly number[]): Int16Array[] {
  const value = (k: number, at: number): number => 2 * (at % COLUMNS) + 20 * Math.floor(at / COLUMNS) + 200 * k;
  return slopes.map((slope, k) => Int16Array.from({ length: COLUMNS * ROWS }, (_, at) => value(k, at) / slope));
}

// An oblique picture: turned by 30 degrees about z, pixels of 1.5 x 2.5 mm.
const [COS, SIN] = [Math.cos(Math.PI / 6), Math.sin(Math.PI / 6)];
const FACTS = {
  rows: 9, columns: 14, pixelSpacing: [2.5, 1.5], spacingSource: "patient", frameOfReferenceUid: "1.2",
  imagePositionPatient: [-7, 1, -9], imageOrientationPatient: [COS, SIN, 0, 0, 0, 1], sliceThickness: 1,
} as unknown as ImageFacts;

test.each([
  ["one slope", [1, 1, 1, 1, 1]],
  ["a slope for each slice, as PET has", [1, 2, 0.5, 1, 2]],
])("an oblique picture of oblong pixels is overlaid with what lies at each pixel's centre: %s", (_name, slopes) => {
  const plane = new OverlayCutter().planeOf(PLAN, stackOf(slopes), slicesOf(slopes), FACTS);
  let inside = 0;
  for (let at = 0; at < FACTS.rows * FACTS.columns; at += 1) {
    const [x, y] = [(at % FACTS.columns) * 1.5, Math.floor(at / FACTS.columns) * 2.5];
    const [px, py, pz] = [-7 + x * COS, 1 + x * SIN, -9 + y];
    const [i, j, k] = [(12 - py) / 4, (pz + 10) / 5, (px + 6) / 3];
    const isWithin = i >= 0 && i <= 6 && j >= 0 && j <= 5 && k >= 0 && k <= 4;
    const value = (plane?.values[at] ?? NaN) * (plane?.scale ?? NaN) + (plane?.offset ?? NaN);
    if (isWithin) {
      inside += 1;
      expect(plane?.isInside(at)).toBe(true);
      expect(Math.abs(value - (2 * i + 20 * j + 200 * k))).toBeLessThanOrEqual(0.5);
    } else if (i < -0.51 || i > 6.51 || j < -0.51 || j > 5.51 || k < -0.51 || k > 4.51) {
      expect([plane?.isInside(at), value]).toEqual([false, 0]);
    }
  }
  expect(inside).toBeGreaterThan(40);
});

test("nothing is laid over a picture before all slices that it meets are here", () => {
  const slopes = [1, 1, 1, 1, 1];
  const cutter = new OverlayCutter();
  const some = slicesOf(slopes).map((pixels, k) => (k === 3 ? undefined : pixels));
  expect(cutter.planeOf(PLAN, stackOf(slopes), some, FACTS)).toBeUndefined();
  // A picture along x = -5 meets the first two slices alone.
  const flat = { ...FACTS, imagePositionPatient: [-5, -10, -9], imageOrientationPatient: [0, 1, 0, 0, 0, 1] } as unknown as ImageFacts;
  expect(cutter.planeOf(PLAN, stackOf(slopes), some, flat)).toBeDefined();
  expect(cutter.planeOf(PLAN, stackOf(slopes), slicesOf(slopes), FACTS)).toBeDefined();
});
