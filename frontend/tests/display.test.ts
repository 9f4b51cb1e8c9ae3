import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { greyCurve, paintGreyPixels, renderGrey, voiCurve, type Voi } from "../src/core/display";
import type { VoiFunction } from "../src/core/facts";
import { resolveVoi, AS_FILED } from "../src/core/voi";
import { percentileWindow } from "../src/core/automatic-window";
import { dragWindow } from "../src/core/window";
import { imageFacts } from "./facts";

interface Golden {
  window: { function: VoiFunction; center: number; width: number; values: number[]; grey: number[] }[];
  pipeline: {
    name: string;
    stored: number[];
    slope: number;
    intercept: number;
    center: number;
    width: number;
    function: VoiFunction;
    invert: boolean;
    grey: number[];
  }[];
}

const golden = JSON.parse(
  readFileSync(new URL("../../tests/golden/display.json", import.meta.url), "utf8"),
) as Golden;

describe("the display pipeline equals the golden values", () => {
  test.each(golden.window)("$function C $center W $width", (one) => {
    const curve = voiCurve({ center: one.center, width: one.width, function: one.function, table: null });
    expect(one.values.map((value) => Math.floor(curve(value) + 0.5))).toEqual(one.grey);
  });

  test.each(golden.pipeline)("$name", (one) => {
    const facts = imageFacts({
      rescale_slope: one.slope,
      rescale_intercept: one.intercept,
      photometric_interpretation: one.invert ? "MONOCHROME1" : "MONOCHROME2",
    });
    const curve = greyCurve(facts, { ...one, table: null }, false);
    expect(one.stored.map((stored) => curve(stored))).toEqual(one.grey);
  });
});

test("a table of levels gives what each value alone gives", () => {
  const facts = imageFacts({ pixel_format: "i16", rescale_slope: 0.7, rescale_intercept: -13 });
  const pixels = Int16Array.from({ length: 10_000 }, (_, i) => ((i * 37) % 4000) - 2000);
  const voi = { center: 40, width: 400, function: "LINEAR", table: null } as const;
  const curve = greyCurve(facts, voi, true);
  expect([...renderGrey(pixels, facts, voi, true)]).toEqual([...pixels].map((value) => curve(value)));
});

test("lookup tables hold their ends and scale by their bits", () => {
  const table = { first: 10, bits: 8, entries: [0, 128, 255], explanation: "steep" };
  const curve = voiCurve({ center: 0, width: 1, function: "LINEAR", table });
  expect([5, 10, 11, 12, 99].map(curve)).toEqual([0, 0, 128, 255, 255]);
});

test("a modality table comes before the window", () => {
  const modality = { first: 0, bits: 16, entries: [100, 200, 300], explanation: "" };
  const facts = imageFacts({ modality_lut: modality, rescale_slope: 5 });
  const curve = greyCurve(facts, { center: 200, width: 200, function: "LINEAR_EXACT", table: null }, false);
  expect([0, 1, 2].map(curve)).toEqual([0, 128, 255]);
});

test("one bit is black or white", () => {
  const facts = imageFacts({ pixel_format: "u8", bits_stored: 1 });
  const curve = greyCurve(facts, { center: 9, width: 3, function: "LINEAR", table: null }, false);
  expect([0, 1].map(curve)).toEqual([0, 255]);
});

describe("the window of an image", () => {
  const never = (): never => {
    throw new Error("the pixels are not asked when the file says how to show it");
  };

  test("is the file's first one", () => {
    const facts = imageFacts({ window_center: [40, 300], window_width: [400, 1500] });
    expect(resolveVoi(facts, AS_FILED, never)).toMatchObject({ center: 40, width: 400 });
  });

  test("gives way to the file's table", () => {
    const table = { first: 0, bits: 8, entries: [0, 255], explanation: "own" };
    const facts = imageFacts({ window_center: [40], window_width: [400], voi_luts: [table] });
    expect(resolveVoi(facts, AS_FILED, never)).toMatchObject({ table: { first: 0 }, label: "own" });
  });

  test("comes from the pixels and says so when the file has none", () => {
    const facts = imageFacts({ window_center: [40], window_width: [0] });
    const voi = resolveVoi(facts, AS_FILED, () => ({ center: 5, width: 10 }));
    expect(voi).toMatchObject({ center: 5, width: 10, label: "auto", function: "LINEAR_EXACT" });
  });
});

test("the automatic window leaves padding out", () => {
  const facts = imageFacts({ pixel_padding_value: -2000, pixel_format: "i16" });
  const pixels = Int16Array.from({ length: 2002 }, (_, i) => (i < 1000 ? -2000 : i - 1000));
  const window = percentileWindow(pixels, facts);
  expect(window.center - window.width / 2).toBeCloseTo(5.005, 6);
  expect(window.center + window.width / 2).toBeCloseTo(995.995, 6);
});

test("an even picture still has a window", () => {
  expect(percentileWindow(new Uint8Array(16).fill(7), imageFacts({}))).toEqual({ center: 7, width: 1 });
});

test("dragging never makes a window without width", () => {
  expect(dragWindow({ center: 40, width: 80 }, -5000, 0, true).width).toBe(1);
  expect(dragWindow({ center: 0, width: 0.01 }, -5000, 0, false).width).toBeGreaterThan(0);
});

test("neighbours in a stack are as grey as each alone, whatever values come up next", () => {
  const facts = imageFacts({ pixel_format: "i16", rescale_slope: 0.7, rescale_intercept: -13 });
  const windowOf = (center: number, width: number): Voi => ({ center, width, function: "LINEAR", table: null });
  const [soft, bone] = [windowOf(40, 400), windowOf(300, 1500)];
  const frames = [[-20, 0, 60], [-1000, 0, 3000], [3001, -1001, 5]].map((values) => Int16Array.from(values));
  for (const voi of [soft, bone, soft]) {
    for (const invert of [false, true]) {
      const curve = greyCurve(facts, voi, invert);
      for (const frame of frames) {
        const greys = [...frame].map(curve);
        expect([...renderGrey(frame, facts, voi, invert)]).toEqual(greys);
        const painted = new Uint32Array(frame.length);
        paintGreyPixels(frame, facts, voi, invert, painted);
        expect([...new Uint8Array(painted.buffer)]).toEqual(greys.flatMap((grey) => [grey, grey, grey, 255]));
      }
    }
  }
});
