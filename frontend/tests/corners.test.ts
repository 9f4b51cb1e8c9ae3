import { expect, test } from "vitest";

import type { Study } from "../src/core/facts";
import { HOUSE_CORNERS } from "../src/core/preferences";
import { resolveVoi } from "../src/core/voi";
import { readSeriesList } from "../src/io/api";
import type { JsonObject } from "../src/io/read";
import { cornerLines, warningLines, type CornerFacts } from "../src/ui/viewer-corners";
import { imageFacts } from "./facts";

const AXIAL: JsonObject = {
  instance_number: 12, slice_thickness: 1.25, pixel_spacing: [0.5, 0.5], rows: 512, columns: 256,
  image_orientation_patient: [1, 0, 0, 0, 1, 0], image_position_patient: [-10, -20, -45.5],
};

/** The second of three images, with what the test says about its file. */
function seen(says: JsonObject): CornerFacts {
  const facts = imageFacts({ ...AXIAL, ...says });
  const [series] = readSeriesList({ series: [{ id: "a", modality: "CT", series_number: 4, series_description: "Lung" }] });
  return {
    facts, series: series as CornerFacts["series"], study: { patientName: "Doe, Jane" } as Study, texts: HOUSE_CORNERS,
    scale: { spacing: facts.pixelSpacing, by: "" },
    voi: resolveVoi(facts, { kind: "manual", window: { center: -600, width: 1500 } }, () => ({ center: 0, width: 1 })),
    view: { center: { x: 0, y: 0 }, scale: 1.5, rotationDeg: 0, mirrored: false },
    invert: false, isOverlayMissing: false, enhancement: [], size: { width: 512, height: 512 }, index: 1, count: 3, uptake: null, center: null,
  };
}

test("the corners say image, window, zoom, thickness and place", () => {
  const now = seen({});
  expect(cornerLines(now, "top_left")).toEqual(["Se 4 · CT", "Lung", "Im 2/3  #12"]);
  expect(cornerLines(now, "bottom_left")).toEqual(["W 1500  L -600", "Zoom 150%"]);
  expect(cornerLines(now, "bottom_right")).toEqual(["Th 1.25 mm", "F 45.5 mm", "256 × 512"]);
  expect(cornerLines({ ...now, texts: { ...HOUSE_CORNERS, top_right: ["patient_name"] } }, "top_right")).toEqual(["Doe, Jane"]);
});

test.each<[string, JsonObject, string[]]>([
  ["what is as it was taken says nothing", {}, []],
  ["lossy, by its last ratio", { lossy_image_compression: "01", lossy_image_compression_ratio: [4, 10.5] }, ["Lossy 10.5:1"]],
  ["lossy without a ratio", { lossy_image_compression: "01" }, ["Lossy"]],
  ["no millimetres", { pixel_spacing: null }, ["Uncalibrated"]],
])("warnings stay whatever the reader has chosen: %s", (_, says, wanted) => {
  const nothing = { top_left: [], top_right: [], bottom_left: [], bottom_right: [] };
  expect(warningLines({ ...seen(says), texts: nothing })).toEqual(wanted);
});

test("a filter is marked before all else", () => {
  expect(warningLines({ ...seen({ lossy_image_compression: "01" }), enhancement: ["Not the original"] })).toEqual(["Not the original", "Lossy"]);
});
