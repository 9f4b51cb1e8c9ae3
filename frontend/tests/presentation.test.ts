import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

import { countedValues } from "../src/core/automatic-window";
import { greyCurve, ownColours } from "../src/core/display";
import type { VoiFunction } from "../src/core/facts";
import { composeOverlays, drawOverlays, hideUnder, OVERLAY_COLOUR, readOverlays, shutterOnly } from "../src/core/overlays";
import { applyShutter, greyToRgb, visibleMask } from "../src/core/shutters";
import { AS_FILED, resolveVoi } from "../src/core/voi";
import type { JsonObject } from "../src/io/read";
import { imageFacts } from "./facts";

interface GroupsSay {
  slope?: number;
  intercept?: number;
  center?: number;
  width?: number;
  function?: string;
  voi_lut?: JsonObject;
}

interface Golden {
  padding: {
    name: string;
    stored: number[];
    slope: number;
    intercept: number;
    center: number;
    width: number;
    function: VoiFunction;
    invert: boolean;
    padding_value: number | null;
    padding_range_limit: number | null;
    grey: number[];
  }[];
  presentation_lut: { name: string; voi: number[]; bits: number; entries: number[]; grey: number[] }[];
  shutter: {
    name: string;
    rows: number;
    columns: number;
    row_to_column: number;
    shutter: JsonObject;
    visible: string[];
  }[];
  overlay: {
    name: string;
    rows: number;
    columns: number;
    planes: {
      overlay_type: string;
      overlay_rows: number;
      overlay_columns: number;
      overlay_origin: [number, number];
      data: number[];
      is_shutter?: boolean;
    }[];
    over: string[];
  }[];
  supplemental_palette: {
    name: string;
    photometric_interpretation: string;
    center: number;
    width: number;
    padding_value: number | null;
    first: number;
    rgb: number[];
    stored: number[];
    colours: number[][];
    automatic: [number, number];
  }[];
  shutter_color: { name: string; cielab: number[]; rgb: number[] }[];
  functional_groups: {
    name: string;
    image: GroupsSay;
    shared: GroupsSay;
    frames: GroupsSay[];
    stored: number[];
    grey: number[][];
  }[];
  colour: { overlay: number[]; grey: number; region: number[] };
}

const golden = JSON.parse(
  readFileSync(new URL("../../tests/golden/presentation.json", import.meta.url), "utf8"),
) as Golden;

/** What the server says of one image: a window that a frame brings has a function. */
function wireOfGroups({ slope, intercept, center, width, function: named, voi_lut: table }: GroupsSay): JsonObject {
  return {
    ...(slope === undefined ? {} : { rescale_slope: slope, rescale_intercept: intercept ?? 0 }),
    ...(center === undefined ? {} : { window_center: [center], window_width: [width ?? 0], voi_lut_function: "LINEAR" }),
    ...(named === undefined ? {} : { voi_lut_function: named }),
    ...(table === undefined ? {} : { voi_luts: [table] }),
  };
}

test.each(golden.functional_groups)("each frame is shown by its own groups: $name", (one) => {
  const grey = one.frames.map((frame) => {
    const says = [one.image, one.shared, frame].map(wireOfGroups);
    const facts = imageFacts(Object.assign({}, ...says) as JsonObject);
    const voi = resolveVoi(facts, AS_FILED, () => ({ center: Number.NaN, width: Number.NaN }));
    return one.stored.map((stored) => greyCurve(facts, voi, false)(stored));
  });
  expect(grey).toEqual(one.grey);
});

function lines(codes: Uint8Array, columns: number, letters: string): string[] {
  const text = [...codes].map((code) => letters[code]).join("");
  return Array.from({ length: codes.length / columns }, (_, row) => text.slice(row * columns, (row + 1) * columns));
}

test.each(golden.padding)("padding is black: $name", (one) => {
  const facts = imageFacts({
    rescale_slope: one.slope,
    rescale_intercept: one.intercept,
    photometric_interpretation: one.invert ? "MONOCHROME1" : "MONOCHROME2",
    pixel_padding_value: one.padding_value,
    pixel_padding_range_limit: one.padding_range_limit,
  });
  const curve = greyCurve(facts, { ...one, table: null }, false);
  expect(one.stored.map((stored) => curve(stored))).toEqual(one.grey);
});

test.each(golden.presentation_lut)("a presentation LUT gives P-values: $name", (one) => {
  const table = { first: 0, bits: one.bits, entries: one.entries, explanation: "" };
  const facts = imageFacts({ pixel_format: "u8", bits_stored: 8, presentation_lut: table });
  const curve = greyCurve(facts, { center: 127.5, width: 255, function: "LINEAR_EXACT", table: null }, false);
  expect(one.voi.map((value) => curve(value))).toEqual(one.grey);
});

test.each(golden.shutter)("a shutter leaves the pixels of the standard: $name", (one) => {
  const { shutter } = imageFacts({ shutter: one.shutter });
  const mask = shutter === null ? null : visibleMask(shutter, one.rows, one.columns, one.row_to_column);
  expect(mask === null ? null : lines(mask, one.columns, ".#")).toEqual(one.visible);
});

test("what a shutter hides has its presentation value", () => {
  const none = { circle: null, polygon: null, isBitmap: false, presentationColor: null };
  const shutter = { ...none, rectangle: [1, 1, 1, 1], presentationValue: 0x8000 };
  const samples = new Uint8Array(9).fill(255);
  applyShutter(samples, 3, shutter, visibleMask(shutter, 1, 3, 1));
  expect([...samples]).toEqual([255, 255, 255, 128, 128, 128, 128, 128, 128]);
});

test.each(golden.shutter_color)("a coloured screen shows the shutter's own colour: $name", ({ rgb }) => {
  const { shutter } = imageFacts({ shutter: { rectangle: [1, 1, 1, 1], presentation_value: 9, presentation_color: rgb } });
  if (shutter === null) {
    throw new Error("no shutter");
  }
  const samples = greyToRgb(Uint8Array.of(200, 100));
  applyShutter(samples, 3, shutter, visibleMask(shutter, 1, 2, 1));
  expect([...samples]).toEqual([200, 200, 200, ...rgb]);
});

test.each(golden.supplemental_palette)("a palette lies over grey: $name", (one) => {
  const facts = imageFacts({
    pixel_presentation: "COLOR",
    supplemental_palette: { first: one.first, rgb: one.rgb },
    photometric_interpretation: one.photometric_interpretation,
    pixel_padding_value: one.padding_value,
  });
  const pixels = Uint16Array.from(one.stored);
  const voi = { center: one.center, width: one.width, function: "LINEAR_EXACT" as const, table: null };
  const rgb = ownColours(pixels, facts, voi);
  expect(one.stored.map((_, i) => [...rgb.subarray(i * 3, i * 3 + 3)])).toEqual(one.colours);
  const values = countedValues(pixels, facts);
  expect([Math.min(...values), Math.max(...values)]).toEqual(one.automatic);
  expect(imageFacts({ pixel_presentation: "MIXED", supplemental_palette: { first: 0, rgb: one.rgb } }).supplement).toBeNull();
});

test("a bitmap shutter hides its pixels, and with the overlays hidden it alone is left", () => {
  const over = Uint8Array.of(0, 4, 6, 2);
  const mask = new Uint8Array(4).fill(1);
  hideUnder(mask, over);
  expect([...mask]).toEqual([1, 0, 0, 1]);
  expect([...shutterOnly(over)]).toEqual([0, 4, 4, 0]);
  expect(shutterOnly(over)).toBe(shutterOnly(over));
  expect([...drawOverlays(Uint8Array.of(1, 2, 3, 4), 1, over)]).toEqual([1, 1, 1, 2, 2, 2, ...OVERLAY_COLOUR, ...OVERLAY_COLOUR]);
});

function wireOf(planes: Golden["overlay"][number]["planes"]): ArrayBuffer {
  const bytes = planes.flatMap((plane) => {
    const head = new DataView(new ArrayBuffer(16));
    head.setUint16(0, 0x6000, true);
    head.setUint16(2, plane.overlay_rows, true);
    head.setUint16(4, plane.overlay_columns, true);
    head.setUint16(6, (plane.overlay_type === "R" ? 1 : 0) + (plane.is_shutter === true ? 2 : 0), true);
    head.setInt16(8, plane.overlay_origin[0], true);
    head.setInt16(10, plane.overlay_origin[1], true);
    head.setUint32(12, plane.data.length, true);
    return [...new Uint8Array(head.buffer), ...plane.data];
  });
  return Uint8Array.from(bytes).buffer;
}

describe("overlays", () => {
  test.each(golden.overlay)("lie where they say: $name", (one) => {
    const over = composeOverlays(readOverlays(wireOf(one.planes)), one.rows, one.columns);
    expect(lines(over ?? new Uint8Array(one.rows * one.columns), one.columns, ".RG.srg")).toEqual(one.over);
  });

  test("are solid graphics and regions that let the picture through", () => {
    const { colour } = golden;
    const drawn = drawOverlays(new Uint8Array(3).fill(colour.grey), 1, Uint8Array.of(0, 1, 2));
    expect([...drawn]).toEqual([colour.grey, colour.grey, colour.grey, ...colour.region, ...colour.overlay]);
    expect([...OVERLAY_COLOUR]).toEqual(colour.overlay);
  });

  test("that are cut short are left out", () => {
    expect(readOverlays(wireOf(golden.overlay[0]?.planes ?? []).slice(0, 17))).toEqual([]);
  });

  test("belong to the frames that they name", () => {
    const has = (frame: number): boolean =>
      imageFacts({ frame, overlays: [{ number_of_frames_in_overlay: 2, image_frame_origin: 2 }] }).hasOverlays;
    expect([0, 1, 2, 3].map(has)).toEqual([false, true, true, false]);
  });
});
