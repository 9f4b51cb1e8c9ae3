import { describe, expect, test } from "vitest";

import { finishedPoints, isComplete, seenPoints, simplified, withPoint, type Draft } from "../src/core/finding-draw";
import { findHit, findSnap, reachOf, straight } from "../src/core/finding-hit";
import { planeOf, tryMeasure, valuesOf } from "../src/core/finding-plane";
import { handlesOf, moveHandle, outlineOf } from "../src/core/finding-shapes";
import { markLines, withUncertainty } from "../src/core/finding-text";
import { nextVertebra } from "../src/core/findings";
import { crosses, overlaps, placeLabels } from "../src/core/mark-labels";
import type { Result } from "../src/core/measure";
import type { Pair } from "../src/core/measure-plane";
import { canvasFromImage, invertMatrix, applyMatrix, type View } from "../src/core/view";
import { imageFacts } from "./facts";
import { finding } from "./findings";

const ASPECT = 2;

function isSquare([a, b, c, d]: readonly Pair[]): boolean {
  const [x, y] = [(b as Pair)[0] - (a as Pair)[0], ((b as Pair)[1] - (a as Pair)[1]) * ASPECT];
  const [u, v] = [(d as Pair)[0] - (c as Pair)[0], ((d as Pair)[1] - (c as Pair)[1]) * ASPECT];
  return Math.abs(x * u + y * v) < 1e-9;
}

describe("a handle", () => {
  test("of an axis leaves both axes of a bidirectional perpendicular where pixels are tall", () => {
    const draft: Draft = { kind: "bidirectional", points: [[10, 10], [40, 20], [30, 5]] };
    let points = finishedPoints(draft, ASPECT);
    expect(isSquare(points)).toBe(true);
    for (const [index, to] of [[0, [2, 30]], [3, [50, 2]], [1, [60, 60]], [2, [0, 0]]] as const) {
      points = moveHandle({ kind: "bidirectional", points }, index, to, ASPECT);
      expect(isSquare(points), `${index}`).toBe(true);
    }
    expect(points).toHaveLength(4);
  });

  test("of a turned ellipse turns it about its centre", () => {
    const points: Pair[] = [[0, 0], [20, 0], [10, -2], [10, 2]];
    const turned = moveHandle({ kind: "ellipse", points }, 1, [10, 5], ASPECT);
    expect(isSquare(turned)).toBe(true);
    expect(turned[1]).toEqual([10, 5]);
    expect(turned[0]).toEqual([10, -5]);
  });

  test("of a rectangle takes its two neighbours along and holds the opposite corner", () => {
    const boxed = moveHandle({ kind: "rectangle", points: [[0, 0], [10, 10]] }, 1, [20, -5], 1);
    expect(handlesOf({ kind: "rectangle", points: boxed })).toEqual([[0, -5], [20, -5], [20, 10], [0, 10]]);
    const leaning: Pair[] = [[0, 0], [4, 4], [2, 6], [-2, 2]];
    expect(moveHandle({ kind: "rectangle", points: leaning }, 0, [-1, -1], 1)).toEqual([[-1, -1], [4, 4], [2, 6], [-3, 1]]);
  });
});

test("a circle is round on the plane", () => {
  const [rim] = outlineOf({ kind: "circle", points: [[10, 10], [16, 10]] }, ASPECT).strokes as [Pair[]];
  rim.forEach(([x, y]) => expect(Math.hypot(x - 10, (y - 10) * ASPECT)).toBeCloseTo(6, 9));
});

test("a drawing is done when it has its points, and a double press adds none", () => {
  let draft: Draft = { kind: "angle", points: [[0, 0]] };
  expect(seenPoints(draft, [1, 1], 1)).toEqual([[0, 0], [1, 1]]);
  draft = withPoint(withPoint(draft, [5, 0]), [5, 0]);
  expect(isComplete(draft)).toBe(false);
  expect(isComplete(withPoint(draft, [5, 5]))).toBe(true);
});

test("a freehand line loses only points that lie on it", () => {
  const points: Pair[] = [[0, 0], [1, 0.1], [2, -0.1], [3, 0], [3, 4]];
  expect(simplified(points, 0.3)).toEqual([[0, 0], [3, 0], [3, 4]]);
});

test("the pointer finds handles before outlines, and fingers find from farther", () => {
  const view: View = { center: { x: 50, y: 50 }, scale: 2, rotationDeg: 90, mirrored: true };
  const matrix = canvasFromImage(view, { width: 100, height: 100, pixelAspect: 1 }, { width: 400, height: 300 });
  const at = (x: number, y: number): Pair => {
    const point = applyMatrix(matrix, { x, y });
    return [point.x, point.y];
  };
  const one = finding({ points: [[10, 10], [60, 10]] });
  const reach = reachOf(false);
  expect(findHit([one], matrix, 1, at(60, 11), reach)).toEqual({ key: "a", handle: 1 });
  expect(findHit([one], matrix, 1, at(35, 11), reach)).toEqual({ key: "a", handle: null });
  expect(findHit([one], matrix, 1, at(35, 17), reach)).toBeNull();
  expect(findHit([one], matrix, 1, at(60, 19), reachOf(true))).toEqual({ key: "a", handle: 1 });
  expect(findSnap([one], matrix, at(61, 11), "")).toEqual([60, 10]);
  expect(findSnap([one], matrix, at(61, 11), "a")).toBeNull();
  const { x, y } = applyMatrix(invertMatrix(matrix), { x: straight(at(10, 10), at(50, 13))[0], y: straight(at(10, 10), at(50, 13))[1] });
  expect([x, y]).toEqual([expect.closeTo(50), expect.closeTo(10)]);
});

describe("a plane", () => {
  const uncalibrated = imageFacts({ pixel_aspect_ratio: [2, 1] });
  const line = finding({ kind: "calibration", family: "annotation", points: [[0, 0], [0, 10]], knownMm: 50 });
  const length: Pair[] = [[0, 0], [4, 0]];

  test("without a scale says px; a reader's line gives millimetres that say so", () => {
    expect(tryMeasure("length", length, uncalibrated, null, null)).toMatchObject({ value: 4, unit: "px" });
    const calibrated = tryMeasure("length", length, uncalibrated, line, null);
    expect(calibrated).toMatchObject({ value: 10, unit: "mm", provenance: "reader_calibrated" });
    expect(markLines(finding(), calibrated)).toContain("calibrated by user");
  });

  test("of the patient is not scaled by a hand", () => {
    const spaced = imageFacts({ pixel_spacing: [0.5, 0.5], pixel_spacing_source: "pixel_spacing" });
    expect(planeOf(spaced, length, line).provenance).toBe("pixel_spacing");
  });

  test("at the detector is marked", () => {
    const facts = imageFacts({ pixel_spacing: [0.5, 0.5], pixel_spacing_source: "imager" });
    expect(markLines(finding(), tryMeasure("length", length, facts, null, null))).toEqual(["2.0 ± 0.2 mm", "imager plane"]);
  });

  test("of ultrasound is that of the region: millimetres, or each axis in its unit, or px outside", () => {
    const facts = imageFacts({
      pixel_spacing: [0.2, 0.2],
      pixel_spacing_source: "ultrasound_region",
      ultrasound_regions: [
        { bounds_px: [0, 0, 99, 99], pixel_spacing: [0.2, 0.2] },
        {
          bounds_px: [0, 100, 99, 199],
          physical_units_x_direction: 4,
          physical_units_y_direction: 7,
          physical_delta_x: 0.004,
          physical_delta_y: -0.5,
        },
      ],
    });
    const measured = (...points: Pair[]): Result | string => tryMeasure("length", points, facts, null, null);
    expect(measured([10, 10], [40, 50])).toMatchObject({ unit: "mm", provenance: "ultrasound_region" });
    expect((measured([10, 10], [40, 50]) as Result).value).toBeCloseTo(10, 9);
    expect(markLines(finding(), measured([10, 150], [60, 110]))).toEqual(["200 ms · 20 cm/s", "US region"]);
    expect(measured([150, 10], [153, 14])).toMatchObject({ value: 5, unit: "px" });
    expect(measured([10, 90], [10, 110])).toContain("several");
  });
});

test("values come after the modality step, in SUV where the factor is known", () => {
  const facts = imageFacts({ rescale_slope: 2, rescale_intercept: -10, units: "BQML" });
  const pixels = Uint16Array.from({ length: 16 }, (_, i) => i);
  const found = (suvFactor: number | null): Result | string =>
    tryMeasure("probe", [[1, 1]], facts, null, valuesOf(facts, pixels, { modality: "PT", suvFactor }));
  expect(found(null)).toMatchObject({ value: 0, unit: "BQML" });
  expect(tryMeasure("probe", [[3, 3]], facts, null, valuesOf(facts, pixels, { modality: "PT", suvFactor: 0.5 }))).toMatchObject({
    value: 10,
    unit: "SUVbw",
  });
});

test("a number has the places that its uncertainty lets it have", () => {
  expect(withUncertainty(100.04, 0.204)).toBe("100.0 ± 0.2");
  expect(withUncertainty(1234.5, 12.6)).toBe("1235 ± 13");
  expect(withUncertainty(0.4512, 0.0176)).toBe("0.45 ± 0.02");
  expect(withUncertainty(-0.001, null)).toBe("0");
});

test("vertebrae follow each other from C1 to S5", () => {
  expect(["C7", "T12", "L5", "S5"].map((name) => nextVertebra(name))).toEqual(["T1", "L1", "S1", "S5"]);
  expect(nextVertebra("T1", -1)).toBe("C7");
  expect(nextVertebra("L6")).toBe("L6");
});

test("texts cover neither their marks nor each other, and stay in the pane", () => {
  const pane = { width: 400, height: 300 };
  const size = { width: 120, height: 40 };
  const stroke = (x: number, y: number): Pair[] => [[x, y], [x + 60, y + 30]];
  const starts: readonly Pair[] = [[20, 20], [40, 30], [330, 250], [200, 140], [100, 20]];
  const wishes = starts.map(([x, y], i) => ({ key: `${i}`, size, strokes: [stroke(x, y)] }));
  const placed = [...placeLabels(wishes, pane, new Map()).values()].map(({ box }) => box);
  expect(placed).toHaveLength(5);
  placed.forEach((box) => {
    expect(starts.some(([x, y]) => crosses(stroke(x, y), box))).toBe(false);
    expect(placed.some((other) => other !== box && overlaps(box, other))).toBe(false);
    expect(box.x >= 0 && box.y >= 0 && box.x + box.width <= 400 && box.y + box.height <= 300).toBe(true);
  });
});
