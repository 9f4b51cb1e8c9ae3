/** Reads a reader's settings, as the page brings them and as the server answers. */

import {
  CORNER_FIELDS,
  CORNERS,
  DRAG_TOOLS,
  HOUSE_CORNERS,
  HOUSE_PREFERENCES,
  type Corner,
  type CornerField,
  type CornerTexts,
  type DragTool,
  type Preferences,
} from "../core/preferences";
import { asList, asNumber, asObject, asText, type Json, type JsonObject } from "./read";

export function readPreferences(wire: JsonObject): Preferences {
  const document = asObject(wire["document"]);
  const house = HOUSE_PREFERENCES;
  const [mouse, marks, cine] = ["mouse", "marks", "cine"].map((name) => asObject(document[name])) as [
    JsonObject,
    JsonObject,
    JsonObject,
  ];
  return {
    version: asNumber(wire["version"]) ?? 0,
    keys: readKeys(asObject(document["keys"])),
    mouse: {
      left: asTool(mouse["left"]),
      middle: asTool(mouse["middle"]) ?? house.mouse.middle,
      right: asTool(mouse["right"]) ?? house.mouse.right,
      wheel: mouse["wheel"] === "zoom" ? "zoom" : "scroll",
      isWheelReversed: mouse["is_wheel_reversed"] === true,
    },
    presets: asList(document["presets"]).map((one) => readPreset(asObject(one))),
    corners: Object.fromEntries(
      Object.entries(asObject(document["corners"])).map(([modality, texts]) => [modality, readCorners(asObject(texts))]),
    ),
    marks: {
      colour: asText(marks["colour"]) || null,
      textPx: asNumber(marks["text_px"]),
      linePx: asNumber(marks["line_px"]),
    },
    framesPerSecond: asNumber(cine["frames_per_second"]),
    loops: cine["loops"] !== false,
    smooth: document["smooth"] !== false,
    isCompact: document["is_compact"] === true,
  };
}

function asTool(value: Json | undefined): DragTool | null {
  return DRAG_TOOLS.find((tool) => tool === value) ?? null;
}

function readKeys(wire: JsonObject): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(wire).map(([id, keys]) => [id, asList(keys).map((key) => asText(key))]));
}

function readPreset(wire: JsonObject): Preferences["presets"][number] {
  return {
    label: asText(wire["label"]),
    modality: asText(wire["modality"]) || "*",
    center: asNumber(wire["center"]) ?? 0,
    width: asNumber(wire["width"]) ?? 1,
  };
}

function readCorners(wire: JsonObject): CornerTexts {
  const fields = (corner: Corner): readonly CornerField[] =>
    corner in wire
      ? asList(wire[corner]).flatMap((one) => CORNER_FIELDS.find((field) => field === one) ?? [])
      : HOUSE_CORNERS[corner];
  const [one, two, three, four] = CORNERS.map(fields) as [CornerTexts[Corner], CornerTexts[Corner], CornerTexts[Corner], CornerTexts[Corner]];
  return { top_left: one, top_right: two, bottom_left: three, bottom_right: four };
}
