import { readFileSync } from "node:fs";

import { describe, expect, test } from "vitest";

import type { Pixels, Triple } from "../src/core/facts";
import { coarser, countLayers, Cut, enlarge } from "../src/core/cut";
import type { PlaneGrid, SlabMode } from "../src/core/mpr";
import { valuesOf, type PlaneValues } from "../src/core/plane-values";
import { invertAffine, type Affine, type VolumePlan } from "../src/core/volume-plan";

interface GoldenCase {
  readonly stack: string;
  readonly mode: SlabMode;
  readonly thickness_mm: number;
  readonly origin: Triple;
  readonly right: Triple;
  readonly down: Triple;
  readonly unit_normal: Triple;
  readonly spacing_mm: number;
  readonly rows: number;
  readonly columns: number;
  readonly values: readonly (readonly (number | null)[])[];
}

const golden = JSON.parse(readFileSync(new URL("../../tests/golden/planes.json", import.meta.url), "utf8")) as {
  shape: Triple;
  spacing_mm: Triple;
  stacks: Record<string, { lps_from_ijw: number[][]; slice_mm: number[]; holes: number[] }>;
  cases: GoldenCase[];
};
const [SLICES, ROWS, COLUMNS] = golden.shape;

/** Stored values 24 above the phantom's, so that the intercept counts. */
function slicesOf(slope = 1): Pixels[] {
  return Array.from({ length: SLICES }, (_, k) =>
    Int16Array.from({ length: ROWS * COLUMNS }, (_unused, at) => {
      const [i, j] = [at % COLUMNS, Math.floor(at / COLUMNS)];
      return (((37 * i + 101 * j + 53 * k + 7 * i * j + 11 * j * k) % 1999) - 1000 + 24) / slope;
    }),
  );
}

function planOf(name: string): VolumePlan {
  const { lps_from_ijw, slice_mm, holes } = golden.stacks[name] as (typeof golden.stacks)[string];
  const lpsFromIjw = lps_from_ijw.slice(0, 3) as unknown as Affine;
  return {
    seriesId: name,
    keys: Array.from({ length: SLICES }, (_, k) => `${k}`),
    rows: ROWS,
    columns: COLUMNS,
    lpsFromIjw,
    ijwFromLps: invertAffine(lpsFromIjw) as Affine,
    sliceMm: slice_mm,
    holes: slice_mm.slice(1).map((_, k) => holes.includes(k)),
    spacingMm: golden.spacing_mm,
    timePoint: 0,
    timePoints: 1,
    frameOfReferenceUid: "1",
    notes: [],
    middleKey: "4",
    needsTables: false,
  };
}

function gridOf({ origin, right, down, unit_normal: normal, spacing_mm: spacingMm, rows, columns }: GoldenCase): PlaneGrid {
  return { origin, right, down, normal, spacingMm, rows, columns };
}

const CT: PlaneValues = valuesOf([{ rescaleSlope: 1, rescaleIntercept: -24, pixelFormat: "i16", bitsStored: 12 }]);

function cutWhole(one: GoldenCase, slices: readonly (Pixels | undefined)[], values = CT): Cut {
  const cut = new Cut(planOf(one.stack), values, slices, gridOf(one), { mode: one.mode, thicknessMm: one.thickness_mm });
  cut.go(one.rows);
  return cut;
}

describe("a plane", () => {
  test.each(golden.cases)("of the $stack stack, $mode over $thickness_mm mm, is that of other programs", (one) => {
    const { pixels, isPartial } = cutWhole(one, slicesOf()).picture;
    const outside = Math.min(...slicesOf().flatMap((slice) => [...slice])) - 24;
    expect(pixels).toBeInstanceOf(Int16Array);
    expect(isPartial).toBe(false);
    one.values.flat().forEach((value, at) => {
      const apart = Math.abs((pixels[at] as number) - (value ?? outside));
      // The other program keeps four bytes of a number, and three decimals were written.
      expect(apart, `pixel ${at}`).toBeLessThanOrEqual(value === null ? 0 : 0.502);
    });
  });

  test.each([golden.cases[1], golden.cases[8]] as GoldenCase[])("whose slices are scaled differently has the same values: $stack", (one) => {
    const slices = slicesOf().map((slice, k) => Float32Array.from(slice, (value) => value / (k + 1)));
    const graded = slices.map((_, k) => ({ rescaleSlope: k + 1, rescaleIntercept: -24, pixelFormat: "f32" as const, bitsStored: 32 }));
    const { pixels } = cutWhole(one, slices, valuesOf(graded)).picture;
    one.values.flat().forEach((value, at) => {
      expect(value === null ? 0 : Math.abs((pixels[at] as number) - value)).toBeLessThan(0.01);
    });
  });

  test("tells pixels whose slices have not arrived apart from those that are there", () => {
    const one = golden.cases[2] as GoldenCase;
    const whole = cutWhole(one, slicesOf()).picture;
    const part = cutWhole(one, slicesOf().map((slice, k) => (k > 5 ? undefined : slice))).picture;
    expect(part.isPartial).toBe(true);
    const same = part.pixels.filter((value, at) => value === whole.pixels[at]).length;
    expect(same).toBeGreaterThan(50);
    expect(same).toBeLessThan(part.pixels.length);
  });

  test("is cut in pieces to the same picture, and a draft's pixels lie where they belong", () => {
    const one = golden.cases[3] as GoldenCase;
    const [plan, grid, slab] = [planOf(one.stack), gridOf(one), { mode: one.mode, thicknessMm: one.thickness_mm }];
    const cut = new Cut(plan, CT, slicesOf(), grid, slab);
    while (!cut.isDone) {
      cut.go(2);
    }
    expect(cut.picture.pixels).toEqual(cutWhole(one, slicesOf()).picture.pixels);
    expect(countLayers(slab, plan)).toBe(7);

    // A ramp is the same through pixels of any size: the middle of a large one is their mean.
    const ramp = slicesOf().map((slice) => slice.map((_, at) => 10 * (at % COLUMNS)));
    const flat: PlaneGrid = { ...grid, origin: [2, 3, 4], right: [1, 0, 0], down: [0, 1, 0], normal: [0, 0, 1], spacingMm: 1, rows: 6, columns: 6 };
    const unit: Affine = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]];
    const straight = { ...plan, lpsFromIjw: unit, ijwFromLps: unit };
    const draft = new Cut(straight, CT, ramp, coarser(flat, 2), { mode: "thin", thicknessMm: 0 });
    draft.go(3);
    const large = enlarge(draft.picture.pixels as Int16Array, coarser(flat, 2), flat, 2, new Int16Array(36));
    expect([...large.slice(0, 6)]).toEqual([1, 1, 21, 21, 41, 41]);
    expect([...large.slice(30)]).toEqual([1, 1, 21, 21, 41, 41]);
  });
});

test("values of planes are kept as the server keeps them", () => {
  const one = { rescaleSlope: 1, rescaleIntercept: -1024, pixelFormat: "u16" as const, bitsStored: 12 };
  expect(valuesOf([one, one])).toMatchObject({ pixelFormat: "i16", slope: 1, intercept: -1024, rescaleSlope: 1, rescaleIntercept: 0 });
  const fine = { ...one, rescaleSlope: 0.5, rescaleIntercept: 0.25 };
  expect(valuesOf([fine])).toMatchObject({ pixelFormat: "i16", slope: 1, rescaleSlope: 0.5, rescaleIntercept: 0.25 });
  expect(valuesOf([{ ...one, bitsStored: 16 }])).toMatchObject({ pixelFormat: "i32", isRounded: true });
  expect(valuesOf([one, fine])).toMatchObject({ pixelFormat: "f32", isRounded: false });
});
