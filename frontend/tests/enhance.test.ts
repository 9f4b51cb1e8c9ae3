import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { autoWindowOf, percentileWindow, type Percentiles, type Rectangle } from "../src/core/automatic-window";
import { paintGrey, paletteOf } from "../src/core/colour-map";
import { applyFilters, type Filter, type FilterName } from "../src/core/enhance";
import { imageFacts } from "./facts";

function golden<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../tests/golden/${name}`, import.meta.url), "utf8")) as T;
}

const enhanced = golden<{
  pictures: Record<string, number[][]>;
  cases: { name: string; picture: string; filters: [FilterName, number][]; grey: number[][] }[];
}>("enhance.json");
const windows = golden<{
  cases: { name: string; runs: number[][]; padding: [number, number] | null; percentiles: Percentiles; low: number; high: number }[];
  regions: {
    name: string;
    rows: number;
    columns: number;
    pixels: number[];
    slope: number;
    intercept: number;
    padding: number | null;
    region: Rectangle;
    low: number | null;
    high: number | null;
  }[];
}>("automatic_window.json");

describe("filters give what other programs give, within one grey level", () => {
  test.each(enhanced.cases)("$name", ({ picture, filters, grey }) => {
    const rows = enhanced.pictures[picture] as number[][];
    const steps: Filter[] = filters.map(([name, strength]) => ({ name, strength }));
    const made = applyFilters(Uint8Array.from(rows.flat()), (rows[0] as number[]).length, rows.length, steps);
    const off = grey.flat().map((truth, i) => Math.abs(truth - (made[i] as number)));
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
  });
});

describe("the automatic window leaves padding and background out", () => {
  test.each(windows.cases)("$name", ({ runs, padding, percentiles, low, high }) => {
    const values = runs.flatMap(([first, second, step]) =>
      step === undefined
        ? Array.from({ length: second as number }, () => first as number)
        : Array.from({ length: Math.round(((second as number) - (first as number)) / step) + 1 }, (_, i) => (first as number) + i * step),
    );
    const facts = imageFacts({
      pixel_format: "f64",
      pixel_padding_value: padding?.[0] ?? null,
      pixel_padding_range_limit: padding?.[1] ?? null,
    });
    const window = percentileWindow(Float64Array.from(values), facts, percentiles);
    expect(window.center - window.width / 2).toBeCloseTo(low, 6);
    expect(window.center + window.width / 2).toBeCloseTo(high, 6);
  });
});

test.each(windows.regions)("the window of a region is over what lies in it: $name", (one) => {
  const facts = imageFacts({
    rows: one.rows,
    columns: one.columns,
    rescale_slope: one.slope,
    rescale_intercept: one.intercept,
    pixel_padding_value: one.padding,
  });
  const window = autoWindowOf(Uint16Array.from(one.pixels), facts, one.region);
  if (one.low === null || one.high === null) {
    expect(window).toBeNull();
    return;
  }
  const { center, width } = window ?? { center: Number.NaN, width: Number.NaN };
  expect(center - width / 2).toBeCloseTo(one.low, 9);
  expect(center + width / 2).toBeCloseTo(one.high, 9);
});

test("colour is filtered in its luminance: each channel moves by the same", () => {
  const colour = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => 100 + (i % 3) * 10 + (Math.floor(i / 3) % 16 > 7 ? 40 : 0));
  const made = applyFilters(colour, 16, 16, [{ name: "sharpen", strength: 1 }]);
  const moves = [...made].map((value, i) => value - (colour[i] as number));
  expect(moves.every((move, i) => move === moves[Math.floor(i / 3) * 3])).toBe(true);
  expect(Math.max(...moves)).toBeGreaterThan(3);
});

test("a colour map runs straight between its stops", () => {
  const stops = [
    { at: 0, rgb: [0, 0, 0] },
    { at: 128, rgb: [255, 0, 0] },
    { at: 255, rgb: [255, 254, 0] },
  ] as const;
  const palette = paletteOf({ code: "x", label: "x", stops });
  expect([...paintGrey(Uint8Array.of(0, 64, 128, 192, 255), palette)]).toEqual([
    0, 0, 0, 128, 0, 0, 255, 0, 0, 255, 128, 0, 255, 254, 0,
  ]);
});
