import { afterEach, describe, expect, test, vi } from "vitest";

import { styleVariables } from "../src/core/finding-style";
import { FindingApi, readSaved } from "../src/io/finding-api";
import { writeStyle } from "../src/io/finding-style";
import type { JsonObject } from "../src/io/read";
import { isSame } from "../src/state/findings";
import { finding } from "./findings";

const STYLE = { colour: "#ffcc00", line: "dashed", line_width: 2.5, font_size: 20, fill_opacity: 0.25 };
const ROW: JsonObject = { id: "m1", kind: "ellipse", version: 3, points_px: [[0, 0], [3, 4]], style: STYLE };

afterEach(() => vi.unstubAllGlobals());

describe("a style that came over REST", () => {
  test("is whole again when it goes back", () => {
    const { content } = readSaved(ROW, "measurement");
    expect(content.style).toEqual({ line: "dashed", lineWidthPx: 2.5, fontSizePx: 20, fillOpacity: 0.25 });
    expect(writeStyle(content)).toEqual(STYLE);
    expect(writeStyle(finding())).toEqual({});
    expect(isSame(content, { ...content, style: { ...content.style, line: "solid" } })).toBe(false);
  });

  test("loses nothing when the reader changes the colour alone", async () => {
    const sent: JsonObject[] = [];
    vi.stubGlobal("fetch", (_address: string, { body }: { body: string }) => {
      sent.push(JSON.parse(body) as JsonObject);
      return Promise.resolve(new Response(JSON.stringify({ ...ROW, version: 4 })));
    });
    const saved = readSaved(ROW, "measurement");
    await new FindingApi("/api/v1/", "study", "token").change(saved, { ...saved.content, colour: "#00ff00" });
    expect(sent).toEqual([{ version: 3, style: { ...STYLE, colour: "#00ff00" } }]);
  });

  test("of a form that is not known is as everywhere", () => {
    expect(readSaved({ ...ROW, style: { line: "wavy", line_width: "thick" } }, "measurement").content.style).toBeUndefined();
  });
});

test("dashes grow with the line, and only areas are filled", () => {
  expect(styleVariables("ellipse", { line: "dashed", lineWidthPx: 3, fillOpacity: 0.25, fontSizePx: 20 })).toEqual({
    "--mark-line": "3", "--mark-dash": "18 12", "--mark-text": "20px", "--mark-fill": "0.25",
  });
  expect(styleVariables("length", { fillOpacity: 0.25 })).toEqual({ "--mark-line": null, "--mark-dash": null, "--mark-text": null, "--mark-fill": null });
});
