import { describe, expect, test } from "vitest";

import { crossing, heightOver, imageFromLps, lpsFromImage, nearestSlice, planeOf, shareSpace, type ImagePlane } from "../src/core/planes";
import type { JsonObject } from "../src/io/read";
import { imageFacts } from "./facts";

const SIZE = { rows: 100, columns: 100, pixel_spacing: [2, 2], frame_of_reference_uid: "1.2.3" };
const AXIAL = { image_orientation_patient: [1, 0, 0, 0, 1, 0] };
const CORONAL = { image_orientation_patient: [1, 0, 0, 0, 0, -1] };

function plane(says: JsonObject): ImagePlane {
  return planeOf(imageFacts({ ...SIZE, ...says })) as ImagePlane;
}

describe("a plane", () => {
  // By hand, PS3.3 equation C.7.6.2.1-1: P = S + X * Δi * i + Y * Δj * j.
  test("has the points of the standard's equation", () => {
    const one = plane({ image_position_patient: [-10, 20, 30], image_orientation_patient: [0, 1, 0, 0, 0, -1], pixel_spacing: [0.5, 2] });
    const lps = lpsFromImage(one, { x: 3, y: 4 });
    expect(lps).toEqual([-10, 26, 28]);
    expect(imageFromLps(one, lps)).toEqual({ x: 3, y: 4 });
    // The normal of row (0,1,0) and column (0,0,-1) is (-1,0,0).
    expect(heightOver(one, [-15, 0, 0])).toBeCloseTo(5, 12);
  });

  test.each([
    ["no position", { ...AXIAL }],
    ["no orientation", { image_position_patient: [0, 0, 0] }],
    ["a skew orientation", { image_position_patient: [0, 0, 0], image_orientation_patient: [1, 0, 0, 0.5, 0.86, 0] }],
    ["a spacing at the detector", { image_position_patient: [0, 0, 0], ...AXIAL, pixel_spacing_source: "imager" }],
  ])("is not believed with %s", (_, says) => {
    expect(planeOf(imageFacts({ ...SIZE, ...says }))).toBeNull();
  });

  test("without a frame of reference shares its space with none, not even itself", () => {
    const one = plane({ image_position_patient: [0, 0, 0], ...AXIAL, frame_of_reference_uid: "" });
    expect(shareSpace(one, one)).toBe(false);
  });
});

describe("where two planes cross", () => {
  // Axial at z = 50, columns over x from -99 to 99 + 1, rows over y likewise.
  const axial = plane({ image_position_patient: [-99, -99, 50], ...AXIAL });

  test("is by hand: an axial slice at z 50 lies on row 24.5 of a coronal one whose first row is at z 99", () => {
    const coronal = plane({ image_position_patient: [-99, 0, 99], ...CORONAL });
    const line = crossing(coronal, axial);
    expect(line?.from.y).toBeCloseTo(24.5, 9);
    expect(line?.to.y).toBeCloseTo(24.5, 9);
    expect([line?.from.x ?? 0, line?.to.x ?? 0].sort((a, b) => a - b)).toEqual([-0.5, 99.5]);
  });

  test("ends where the other picture ends: one of half the width reaches from column -0.5 to 49.5", () => {
    const narrow = plane({ image_position_patient: [-99, -99, 50], ...AXIAL, columns: 50 });
    const line = crossing(plane({ image_position_patient: [-99, 0, 99], ...CORONAL }), narrow);
    expect([line?.from.x ?? 0, line?.to.x ?? 0].sort((a, b) => a - b)).toEqual([-0.5, 49.5]);
  });

  test("of slices tilted by 45 degrees is by hand", () => {
    // The plane z = y + 50, turned about x; against the coronal plane y = 10 it crosses at z = 60: row 19.5.
    const half = Math.SQRT1_2;
    const tilted = plane({ image_position_patient: [-99, -60, -10], image_orientation_patient: [1, 0, 0, 0, half, half] });
    const line = crossing(plane({ image_position_patient: [-99, 10, 99], ...CORONAL }), tilted);
    expect(line?.from.y).toBeCloseTo(19.5, 9);
    expect(line?.to.y).toBeCloseTo(19.5, 9);
  });

  test("may run aslant over the picture: where x + z = 0, column and row of this coronal slice are the same", () => {
    const half = Math.SQRT1_2;
    const says = { image_position_patient: [-200 * half, -200, 200 * half], image_orientation_patient: [0, 1, 0, half, 0, -half] };
    const line = crossing(plane({ image_position_patient: [-99, 0, 99], ...CORONAL }), plane({ ...says, rows: 200, columns: 200 }));
    const ends = [line?.from, line?.to].sort((one, other) => (one?.x ?? 0) - (other?.x ?? 0));
    expect(ends[0]?.x).toBeCloseTo(-0.5, 9);
    expect(ends[0]?.y).toBeCloseTo(-0.5, 9);
    expect(ends[1]?.x).toBeCloseTo(99.5, 9);
    expect(ends[1]?.y).toBeCloseTo(99.5, 9);
  });

  test("is nowhere for parallel planes and for pictures that do not reach each other", () => {
    expect(crossing(plane({ image_position_patient: [-99, -99, 52], ...AXIAL }), axial)).toBeNull();
    expect(crossing(plane({ image_position_patient: [-99, 0, 40], ...CORONAL }), axial)).toBeNull();
  });
});

describe("the slice nearest to a point", () => {
  const stack = [0, 5, 10, 15].map((z) => plane({ image_position_patient: [0, 0, z], ...AXIAL, slice_thickness: 1 }));

  test("is found along the normal; beyond half a gap from the last it is outside", () => {
    expect(nearestSlice(stack, [500, -500, 11])).toEqual({ index: 2, distanceMm: 1, isInside: true });
    expect(nearestSlice(stack, [0, 0, 17.4])).toMatchObject({ index: 3, isInside: true });
    expect(nearestSlice(stack, [0, 0, 18])).toMatchObject({ index: 3, isInside: false });
  });

  test("is not one that stands across", () => {
    const sagittal = plane({ image_position_patient: [0, 0, 0], image_orientation_patient: [0, 1, 0, 0, 0, -1] });
    expect(nearestSlice([sagittal, ...stack], [0, 0, 6], stack[0])).toMatchObject({ index: 2 });
    expect(nearestSlice([sagittal], [0, 0, 6], stack[0])).toBeNull();
  });
});
