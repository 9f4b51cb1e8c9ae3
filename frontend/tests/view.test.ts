import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { edgeLetters, lettersOf } from "../src/core/orientation";
import { scaleBar, scaleLabel } from "../src/core/scale";
import {
  applyMatrix,
  canvasFromImage,
  fitView,
  flipView,
  invertMatrix,
  panView,
  rotateView,
  zoomView,
  type View,
} from "../src/core/view";
import { imageFacts } from "./facts";

const extent = { width: 101, height: 51, pixelAspect: 2 };
const canvas = { width: 400, height: 300 };
const upright = fitView(extent, canvas);

describe("the view", () => {
  test("fits the whole picture, in its true proportions", () => {
    expect(upright.scale).toBeCloseTo(300 / 102, 9);
    const middle = applyMatrix(canvasFromImage(upright, extent, canvas), { x: 50, y: 25 });
    expect(middle).toEqual({ x: 200, y: 150 });
  });

  test("makes a row of tall pixels as tall as they are", () => {
    const matrix = canvasFromImage(upright, extent, canvas);
    expect(matrix.d / matrix.a).toBeCloseTo(2, 9);
  });

  test("keeps the point under the pointer while it zooms, turned and mirrored too", () => {
    const view = flipView(rotateView(upright, 90), "horizontal");
    const at = { x: 311, y: 77 };
    const before = applyMatrix(invertMatrix(canvasFromImage(view, extent, canvas)), at);
    const zoomed = zoomView(view, extent, canvas, 3, at);
    const after = applyMatrix(canvasFromImage(zoomed, extent, canvas), before);
    expect(after.x).toBeCloseTo(at.x, 9);
    expect(after.y).toBeCloseTo(at.y, 9);
  });

  test("follows the hand", () => {
    const view = rotateView(upright, 270);
    const before = applyMatrix(canvasFromImage(view, extent, canvas), { x: 3, y: 4 });
    const after = applyMatrix(canvasFromImage(panView(view, extent, 10, -20), extent, canvas), { x: 3, y: 4 });
    expect(after.x - before.x).toBeCloseTo(10, 9);
    expect(after.y - before.y).toBeCloseTo(-20, 9);
  });

  test.each(["horizontal", "vertical"] as const)("flipped %sly twice is as before", (axis) => {
    const view = rotateView(upright, 90);
    expect(flipView(flipView(view, axis), axis)).toEqual(view);
  });

  test("flips what is on the screen, whatever its rotation", () => {
    const view = rotateView(upright, 90);
    const before = applyMatrix(canvasFromImage(view, extent, canvas), { x: 10, y: 5 });
    const after = applyMatrix(canvasFromImage(flipView(view, "horizontal"), extent, canvas), { x: 10, y: 5 });
    expect(after.x).toBeCloseTo(canvas.width - before.x, 9);
    expect(after.y).toBeCloseTo(before.y, 9);
  });
});

interface Edges {
  orientation: number[];
  left: string;
  right: string;
  top: string;
  bottom: string;
}

const golden = JSON.parse(
  readFileSync(new URL("../../tests/golden/orientation.json", import.meta.url), "utf8"),
) as { edges: Edges[] };

describe("the letters on the edges", () => {
  test.each(golden.edges)("equal the golden ones for $orientation", ({ orientation, left, right, top, bottom }) => {
    const facts = imageFacts({ image_orientation_patient: orientation });
    expect(edgeLetters(facts, upright)).toEqual({ left, right, top, bottom });
  });

  const axial = imageFacts({ image_orientation_patient: [1, 0, 0, 0, 1, 0] });
  const letters = (view: View): string => Object.values(edgeLetters(axial, view)).join("");

  test("turn and mirror with the picture", () => {
    expect(letters(upright)).toBe("ALPR");
    expect(letters(rotateView(upright, 90))).toBe("RALP");
    expect(letters(flipView(upright, "horizontal"))).toBe("ARPL");
    expect(letters(flipView(upright, "vertical"))).toBe("PLAR");
  });

  test("come from Patient Orientation when there is no plane", () => {
    const facts = imageFacts({ patient_orientation: ["P", "FL"] });
    expect(edgeLetters(facts, upright)).toEqual({ top: "HR", right: "P", bottom: "FL", left: "A" });
    expect(edgeLetters(facts, rotateView(upright, 90))).toEqual({ top: "A", right: "HR", bottom: "P", left: "FL" });
  });

  test("are not guessed", () => {
    expect(edgeLetters(imageFacts({}), upright)).toEqual({ top: "", right: "", bottom: "", left: "" });
    expect(lettersOf([0, 0, 0])).toBe("");
  });
});

test("the scale bar is a round length that fits", () => {
  expect(scaleBar(2, 160)).toEqual({ lengthMm: 50, lengthPx: 100 });
  expect(scaleBar(0.1, 160)).toEqual({ lengthMm: 1000, lengthPx: 100 });
  expect(scaleBar(Number.NaN, 160)).toBeNull();
  expect([scaleLabel(50), scaleLabel(5)]).toEqual(["5 cm", "5 mm"]);
});
