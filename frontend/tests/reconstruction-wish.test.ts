import { expect, test } from "vitest";

import { defaultSpacingMm, fieldsOf, outputsOf, parametersOf, type Choice } from "../src/core/reconstruction-wish";

const CHOICE: Choice = {
  kind: "mpr", plane: "coronal", mode: "mean", spacingMm: 2.5, thicknessMm: 5, views: 36,
  tissue: "bone", body: "best", lowest: 100, highest: NaN, outputs: ["dicom"],
}; // prettier-ignore

test("each kind is asked with its own parameters alone", () => {
  expect(parametersOf(CHOICE)).toEqual({ plane: "coronal", mode: "mean", spacing_mm: 2.5, thickness_mm: 5, output: ["dicom"] });
  expect(parametersOf({ ...CHOICE, mode: "thin" })).toEqual({ plane: "coronal", mode: "thin", spacing_mm: 2.5, output: ["dicom"] });
  expect(parametersOf({ ...CHOICE, kind: "mip", thicknessMm: NaN })).toEqual({ plane: "coronal", spacing_mm: 2.5, output: ["dicom"] });
  expect(parametersOf({ ...CHOICE, kind: "rotating_mip" })).toEqual({ views: 36, output: ["dicom"] });
  expect(parametersOf({ ...CHOICE, kind: "surface", outputs: ["stl"] })).toEqual({ tissue: "bone", output: ["stl"] });
  expect(parametersOf({ ...CHOICE, kind: "surface", tissue: "range" })).toEqual({ tissue: "range", lowest: 100, output: ["dicom"] });
});

test("a body is asked by its preset and its views, the series' own preset by none", () => {
  expect(parametersOf({ ...CHOICE, kind: "volume_rendering", outputs: ["mp4"] })).toEqual({ views: 36, output: ["mp4"] });
  expect(parametersOf({ ...CHOICE, kind: "volume_rendering", body: "angio" })).toEqual({ views: 36, preset: "angio", output: ["dicom"] });
  expect(outputsOf("volume_rendering")).toEqual(["dicom", "png", "mp4", "gif"]);
});

test("a thin plane has no thickness", () => {
  expect(fieldsOf({ kind: "mpr", mode: "thin", tissue: "bone" })).not.toContain("thickness");
});

test("the step suits the slices", () => {
  expect(defaultSpacingMm(undefined)).toBe(3);
});
