import { describe, expect, it } from "vitest";

import { exportBody, type ExportChoice, type OnScreen } from "../src/core/export-wish";
import { AS_FILED } from "../src/core/voi";
import { imageFacts } from "./facts";

const CHOICE: ExportChoice = {
  scope: "image",
  format: "png",
  hasMarks: true,
  hasDemographics: true,
  isDeidentified: false,
  dates: "remove",
  descriptions: "remove",
  characteristics: false,
  burnedIn: "refuse",
  framesPerSecond: null,
};
const SCREEN: OnScreen = {
  studyId: "s",
  seriesId: "e",
  facts: imageFacts({ instance_id: "i", frame: 3 }),
  look: { window: { kind: "manual", window: { center: 40, width: 400 } }, invert: true, filters: [], colourMap: "", hasOverlays: false, hasShutter: true },
  presets: [],
};

describe("what is asked of the server", () => {
  it("takes the image on the screen as it looks there", () => {
    expect(exportBody(CHOICE, SCREEN)).toEqual({
      images: [{ instance: "i", frames: [3] }],
      format: "png",
      marks: true,
      demographics: true,
      look: { window: "40,400", invert: "1", overlays: "0" },
    });
  });

  it("leaves other series their own windows", () => {
    const body = exportBody({ ...CHOICE, scope: "study", format: "pdf" }, SCREEN);
    expect(body).toMatchObject({ study: "s", format: "pdf" });
    expect(body).not.toHaveProperty("look");
  });

  it("never names the patient on what is to be de-identified", () => {
    const body = exportBody({ ...CHOICE, isDeidentified: true, burnedIn: "leave_out" }, SCREEN);
    expect(body).toMatchObject({ demographics: false, deidentify: { burned_in: "leave_out" } });
  });

  it("takes objects without any look", () => {
    const body = exportBody({ ...CHOICE, scope: "series", format: "dicom" }, { ...SCREEN, look: { ...SCREEN.look, window: AS_FILED } });
    expect(body).toEqual({ series: ["e"], format: "dicom" });
  });

  it("has nothing to take from an empty screen", () => {
    expect(exportBody(CHOICE, { ...SCREEN, facts: undefined })).toBeNull();
  });
});
