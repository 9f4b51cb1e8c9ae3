import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import type { Triple } from "../src/core/facts";
import { measure } from "../src/core/measure";
import { lpsFromPx, MeasureError, pxFromLps, type Pair, type Plane } from "../src/core/measure-plane";
import type { Axes } from "../src/core/measure-region";
import { polygonPixels, type Values } from "../src/core/measure-roi";

interface Case {
  kind: string;
  plane: string;
  points_px: Pair[];
  value: number;
  unit: string;
  uncertainty: number | null;
  statistics: Record<string, number | number[] | null>;
  notes?: string[];
}

interface GoldenPlane {
  spacing: Pair | null;
  aspect: number;
  provenance: string;
  origin?: Triple;
  row_direction?: Triple;
  column_direction?: Triple;
  axes?: Axes;
  grain?: Pair;
}

const golden = JSON.parse(readFileSync(new URL("../../tests/golden/measure.json", import.meta.url), "utf8")) as {
  planes: Record<string, GoldenPlane>;
  cases: Case[];
  lps: { plane: string; px: Pair; lps: Triple }[];
  refused: Case[];
};

function planeOf(name: string): Plane {
  const { spacing, aspect, provenance, origin, row_direction, column_direction, axes, grain } = golden.planes[name] as GoldenPlane;
  return {
    spacing,
    aspect,
    provenance,
    origin: origin ?? null,
    rowDirection: row_direction ?? [1, 0, 0],
    columnDirection: column_direction ?? [0, 1, 0],
    thicknessMm: 0,
    axes: axes ?? null,
    grain: grain ?? null,
  };
}

const phantom: Values = {
  rows: 24,
  columns: 32,
  values: Array.from({ length: 24 * 32 }, (_, i) => ((7 * (i % 32) + 13 * Math.floor(i / 32)) % 101) - 50),
  unit: "HU",
  factor: 1,
  isPadding: () => false,
};

function expectNumber(found: unknown, wanted: number | null, name: string): void {
  if (wanted === null) {
    expect(found, name).toBeNull();
  } else {
    expect(Math.abs((found as number) - wanted), name).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(wanted)));
  }
}

describe("a measurement", () => {
  test.each(golden.cases)("$kind on the $plane plane equals the golden one: $points_px", (one) => {
    const found = measure(one.kind, one.points_px, planeOf(one.plane), phantom);
    expectNumber(found.value, one.value, "value");
    expect(found.unit).toBe(one.unit);
    expect(found.provenance).toBe(golden.planes[one.plane]?.provenance);
    if (one.uncertainty !== null) {
      expectNumber(found.uncertainty, one.uncertainty, "uncertainty");
    }
    for (const [name, wanted] of Object.entries(one.statistics)) {
      if (Array.isArray(wanted)) {
        expect(found.statistics["histogram"]).toMatchObject({ counts: wanted });
      } else {
        expectNumber(found.statistics[name], wanted, name);
      }
    }
    if (one.notes !== undefined) {
      expect(found.notes).toEqual(one.notes);
    }
  });

  test.each(golden.refused)("refuses $kind of $points_px", (one) => {
    expect(() => measure(one.kind, one.points_px, planeOf(one.plane), phantom)).toThrow(MeasureError);
  });

  test("says what is padding or no number", () => {
    const pixels = { ...phantom, values: [1, 2, Number.NaN, -2000], rows: 2, columns: 2, isPadding: (i: number) => i === 3 };
    const { statistics } = measure("rectangle", [[-0.5, -0.5], [1.5, 1.5]], planeOf("square"), pixels);
    expect(statistics).toMatchObject({ count: 2, padding_count: 1, not_finite_count: 1, mean: 1.5, sd: 0.5 });
  });
});

test.each(golden.lps)("an oblique plane leads to the patient and back: $px", ({ plane, px, lps }) => {
  lpsFromPx(planeOf(plane), px).forEach((value, axis) => expectNumber(value, lps[axis] as number, "lps"));
  pxFromLps(planeOf(plane), lps).forEach((value, axis) => expectNumber(value, px[axis] as number, "px"));
  expect(() => pxFromLps(planeOf(plane), [lps[0] - 0.6, lps[1], lps[2] + 0.8])).toThrow(MeasureError);
});

test("triangles side by side share no pixel and leave none", () => {
  const corners: Pair[] = [[1, 1], [13, 2], [29, 5], [27, 20], [9.5, 22], [2, 12]];
  const parts = corners.flatMap((corner, i) =>
    polygonPixels([[13, 11], corner, corners[(i + 1) % corners.length] as Pair], 24, 32),
  );
  expect(parts.sort((one, two) => one - two)).toEqual(polygonPixels(corners, 24, 32));
});
