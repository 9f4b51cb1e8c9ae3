import { describe, expect, test } from "vitest";

import type { ImageFacts, Triple } from "../src/core/facts";
import { planeOf } from "../src/core/finding-plane";
import { isHere, isShapedOn, markPlaneOf, placeOn, seenOn } from "../src/core/finding-places";
import { axesAt } from "../src/core/mpr";
import { imageFacts } from "./facts";
import { finding } from "./findings";

/** Slices 5 mm apart, pixels of 0.5 mm; a plane's pixels are 0.5 mm. */
function plane(origin: Triple, cosines: readonly number[], says: { thicknessMm?: number; timePoint?: number } = {}): ImageFacts {
  const { thicknessMm = 0, timePoint = 0 } = says;
  return {
    ...imageFacts({ rows: 100, columns: 100 }),
    instanceId: "",
    sopInstanceUid: "",
    frameOfReferenceUid: "1.9",
    pixelSpacing: [0.5, 0.5],
    spacingSource: "patient",
    imagePositionPatient: origin,
    imageOrientationPatient: cosines,
    reformatted: {
      seriesId: "s",
      name: "axial",
      isOblique: false,
      slab: thicknessMm > 0 ? { mode: "mip", thicknessMm } : { mode: "thin", thicknessMm: 0 },
      timePoint,
      timePoints: 2,
      voxelAxes: [[0.5, 0, 0], [0, 0.5, 0], [0, 0, 5]],
      index: 0,
      count: 1,
    },
  };
}

const AXIAL = [1, 0, 0, 0, 1, 0];
const CORONAL = [1, 0, 0, 0, 0, -1];
const here = plane([0, 0, 10], AXIAL);

function drawn(kind: "length" | "circle" | "rectangle", points: readonly (readonly [number, number])[]) {
  const place = placeOn(here, "s");
  if (place === null) {
    throw new Error("no place");
  }
  return finding({ ...place, kind, points });
}

describe("a finding on a plane", () => {
  const line = drawn("length", [[10, 20], [30, 20]]);

  test("lies on its plane, and on those that hold it within half a voxel or half a slab", () => {
    expect(isHere(line, here)).toBe(true);
    expect(seenOn(line, plane([0, 0, 12.4], AXIAL))).toBe(line);
    expect(seenOn(line, plane([0, 0, 12.6], AXIAL))).toBeNull();
    expect(seenOn(line, plane([0, 0, 14], AXIAL, { thicknessMm: 10 }))).toBe(line);
    expect(seenOn(line, plane([0, 0, 16], AXIAL, { thicknessMm: 10 }))).toBeNull();
    expect(seenOn(line, plane([0, 0, 10], AXIAL, { timePoint: 1 }))).toBeNull();
    expect(seenOn(line, { ...here, frameOfReferenceUid: "1.8" })).toBeNull();
    expect(seenOn(line, imageFacts({}))).toBeNull();
  });

  test("is carried to another grid by its place in the patient", () => {
    // Row 20 is y = 10 mm; the coronal plane there begins at x = 2, z = 30 and goes down.
    const coronal = plane([2, 10, 30], CORONAL);
    expect(seenOn(line, coronal)?.points).toEqual([[6, 40], [26, 40]]);
    expect(isShapedOn(line, coronal)).toBe(false);
    expect(seenOn(drawn("circle", [[10, 20], [14, 20]]), coronal)).toBeNull();
    // The same plane, turned by 90 degrees: a box keeps its four corners.
    const turned = plane([0, 50, 10], [0, -1, 0, 1, 0, 0]);
    const box = seenOn(drawn("rectangle", [[10, 20], [30, 40]]), turned);
    expect(box?.points).toEqual([[80, 10], [80, 30], [60, 30], [60, 10]]);
  });

  test("is known no better than the voxels below", () => {
    expect(planeOf(plane([2, 10, 30], CORONAL), []).grain).toEqual([0.5, 5]);
    expect(planeOf(here, []).provenance).toBe("reformatted");
    expect(placeOn({ ...here, imagePositionPatient: null }, "s")).toBeNull();
  });
});

test("planes are turned to where one was drawn, at right angles to one another", () => {
  const axes = axesAt("coronal", [0.8, 0, 0.6], [0.6, 0, -0.8]);
  expect(axes.coronal.up.map((one) => Math.round(one * 1e9) / 1e9)).toEqual([-0.6, 0, 0.8]);
  const shown = markPlaneOf(plane([0, 0, 0], [0.8, 0, 0.6, 0.6, 0, -0.8]));
  const [x, y, z] = axes.coronal.normal;
  expect([x, y, z].map((one) => Math.round(one * 1e9) / 1e9 + 0)).toEqual([0, 1, 0]);
  expect(shown?.rowDirection).toEqual([0.8, 0, 0.6]);
  // Turned about the body's axis only, the axial picture stays as it was.
  expect(axesAt("coronal", [0.8, -0.6, 0], [0, 0, -1]).axial).toEqual({ normal: [0, 0, 1], up: [0, -1, 0] });
  const dot = (one: Triple, other: Triple): number => one[0] * other[0] + one[1] * other[1] + one[2] * other[2];
  expect(dot(axes.axial.normal, axes.coronal.normal)).toBeCloseTo(0);
  expect(dot(axes.axial.normal, axes.sagittal.normal)).toBeCloseTo(0);
});
