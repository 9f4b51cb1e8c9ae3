/** The style of a mark as the server keeps it: colour, line, widths. */

import { LINES, type MarkStyle } from "../core/finding-style";
import type { Finding } from "../core/findings";
import { asNumber, asObject, asText, type Json, type JsonObject } from "./read";

export function readStyle(wire: Json | undefined): Pick<Finding, "colour" | "style"> {
  const found = asObject(wire);
  const line = LINES.find((one) => one === asText(found["line"]));
  const [width, size, opacity] = ["line_width", "font_size", "fill_opacity"].map((name) => asNumber(found[name]));
  const style: MarkStyle = {
    ...(line === undefined ? {} : { line }),
    ...(typeof width === "number" ? { lineWidthPx: width } : {}),
    ...(typeof size === "number" ? { fontSizePx: size } : {}),
    ...(typeof opacity === "number" ? { fillOpacity: opacity } : {}),
  };
  return { colour: asText(found["colour"]), ...(Object.keys(style).length === 0 ? {} : { style }) };
}

/** All of it: the server replaces a style whole. */
export function writeStyle({ colour, style = {} }: Finding): JsonObject {
  const { line, lineWidthPx, fontSizePx, fillOpacity } = style;
  return {
    ...(colour === "" ? {} : { colour }),
    ...(line === undefined ? {} : { line }),
    ...(lineWidthPx === undefined ? {} : { line_width: lineWidthPx }),
    ...(fontSizePx === undefined ? {} : { font_size: fontSizePx }),
    ...(fillOpacity === undefined ? {} : { fill_opacity: fillOpacity }),
  };
}
