import { describe, expect, test } from "vitest";

import { belongsTo, fromDisplay, roundPoints, shutterPath, type Named, type PresentationState } from "../src/core/stored-objects";
import { fitView } from "../src/core/view";
import { ourRotation, stateLook } from "../src/ui/viewer-object-state";
import { imageFacts } from "./facts";

const STATE: PresentationState = {
  greys: [],
  inverted: false,
  rotationDeg: 0,
  flipped: false,
  areas: [],
  shutter: null,
  marks: [],
};

describe("a presentation state", () => {
  test("turns before it mirrors, where we mirror first", () => {
    // A point at the right, (1, 0), y down. DICOM: turned by 90 clockwise it is at the bottom,
    // mirrored it stays there. Ours: mirrored it is at the left, turned by 270 it is at the bottom.
    expect(ourRotation({ ...STATE, rotationDeg: 90, flipped: true })).toBe(270);
    expect(ourRotation({ ...STATE, rotationDeg: 90 })).toBe(90);
    expect(ourRotation({ ...STATE, rotationDeg: 0, flipped: true })).toBe(0);
  });

  test("shows a part of the image in the middle of the canvas, as large as it can", () => {
    const facts = imageFacts({ rows: 100, columns: 200 });
    const state = { ...STATE, areas: [{ images: [], first: { x: 51, y: 11 }, last: { x: 100, y: 60 } }] };
    const look = stateLook(state, facts, { width: 500, height: 800 });
    // 50 columns on 500 px; pixels 50 to 99 and 10 to 59, counted from 0.
    expect(look.view?.scale).toBeCloseTo(10);
    expect(look.view?.center).toEqual({ x: 74.5, y: 34.5 });
    expect(look.isFitted).toBe(false);
    const whole = stateLook({ ...STATE, areas: [{ images: [], first: { x: 1, y: 1 }, last: { x: 200, y: 100 } }] }, facts, { width: 500, height: 800 });
    expect(whole.isFitted).toBe(true);
    expect(whole.view).toEqual(fitView({ width: 200, height: 100, pixelAspect: 1 }, { width: 500, height: 800 }));
  });

  test("says how grey comes out, whatever the image says", () => {
    const white = imageFacts({ photometric_interpretation: "MONOCHROME1" });
    expect(stateLook(STATE, white, { width: 1, height: 1 }).invert).toBe(true);
    expect(stateLook({ ...STATE, inverted: true }, white, { width: 1, height: 1 }).invert).toBe(false);
  });

  test("places what is in parts of the display by the corners that are displayed", () => {
    expect(fromDisplay({ x: 0.5, y: 0.25 }, STATE, undefined, 200, 100)).toEqual({ x: 99.5, y: 24.5 });
    // Turned clockwise by 90 the stored bottom left is at the top left: along the screen is up the column.
    const turned = { ...STATE, rotationDeg: 90 };
    const area = { images: [], first: { x: 1, y: 100 }, last: { x: 200, y: 1 } };
    expect(fromDisplay({ x: 0, y: 0 }, turned, area, 200, 100)).toEqual({ x: -0.5, y: 99.5 });
    expect(fromDisplay({ x: 1, y: 0 }, turned, area, 200, 100)).toEqual({ x: -0.5, y: -0.5 });
    expect(fromDisplay({ x: 0, y: 1 }, turned, area, 200, 100)).toEqual({ x: 199.5, y: 99.5 });
  });
});

test("an ellipse runs through the ends of its axes", () => {
  const ends = [
    { x: 0, y: 5 },
    { x: 20, y: 5 },
    { x: 10, y: 0 },
    { x: 10, y: 10 },
  ];
  const points = roundPoints("ELLIPSE", ends);
  for (const { x, y } of points) {
    expect(((x - 10) / 10) ** 2 + ((y - 5) / 5) ** 2).toBeCloseTo(1);
  }
});

test("a shutter leaves the pixels that it names", () => {
  const path = shutterPath({ rectangle: [2, 4, 3, 6], circle: [], polygon: [] }, 10, 8);
  // Rows 2 to 4 and columns 3 to 6 from 1: from 1.5 to 5.5 and from 0.5 to 3.5 from 0.
  expect(path).toBe("M-0.5 -0.5H9.5V7.5H-0.5ZM1.5 0.5H5.5V3.5H1.5Z");
});

test("marks belong to the frames that are named, or to all", () => {
  const named = (frames: number[]): Named => ({ instanceId: "a", seriesId: "", studyId: "", words: "", frames });
  expect(belongsTo([named([])], "a", 7)).toBe(true);
  expect(belongsTo([named([2])], "a", 7)).toBe(false);
  expect(belongsTo([named([])], "b", 0)).toBe(false);
  // An image that is not here, and a plane that is no image.
  expect(belongsTo([{ ...named([]), instanceId: "" }], "", 0)).toBe(false);
});
