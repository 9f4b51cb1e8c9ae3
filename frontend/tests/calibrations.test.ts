import { expect, test } from "vitest";

import { scaleIn } from "../src/state/calibrations";
import { finding } from "./findings";
import { imageFacts } from "./facts";

// 20 pixels are 40 mm in truth.
const line = finding({ family: "annotation", kind: "calibration", instanceId: "i", points: [[0, 0], [20, 0]], knownMm: 40 });
const calibrations = new Map([["i", { line, by: "rada" }]]);

test("a picture without millimetres has those of the reader's line, and none without it", () => {
  const facts = { ...imageFacts({}), instanceId: "i", pixelSpacing: null };
  expect(scaleIn({ calibrations }, facts)).toEqual({ spacing: [2, 2], by: "rada" });
  expect(scaleIn({ calibrations: new Map() }, facts)).toEqual({ spacing: null, by: "" });
});

test("millimetres at the detector give way, those in the patient do not", () => {
  const facts = { ...imageFacts({}), instanceId: "i", pixelSpacing: [1, 1] as const };
  expect(scaleIn({ calibrations }, { ...facts, spacingSource: "detector" }).spacing).toEqual([2, 2]);
  expect(scaleIn({ calibrations }, { ...facts, spacingSource: "patient" })).toEqual({ spacing: [1, 1], by: "" });
});
