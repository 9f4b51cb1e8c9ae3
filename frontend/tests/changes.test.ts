import { describe, expect, test } from "vitest";

import type { Series, Stack } from "../src/core/facts";
import { readSeriesList } from "../src/io/api";
import { activeLook, activeImage, filedSpeed, goTo, renewSeries, renewStack, setCine, setStack } from "../src/state/changes";
import { activePane, firstPane } from "../src/state/panes";
import type { ViewerState } from "../src/state/store";
import { imageFacts } from "./facts";

function stack(version: string, frames: readonly number[]): Stack {
  const images = frames.map((frame) => imageFacts({ frame }));
  return { seriesId: "a", version, images, videos: [], presets: [], presetsWhyNot: "", suvFactor: null, displayable: true, whyNot: "" };
}

function series(...ids: string[]): readonly Series[] {
  return readSeriesList({ series: ids.map((id) => ({ id, displayable: id !== "report" })) });
}

function opened(): ViewerState {
  const empty = { series: series("a"), panes: [firstPane("a")], activePaneId: "1", priors: [], stacks: new Map(), looks: new Map() };
  return setStack("a", { kind: "ready", stack: stack("1", [4, 5, 6]) })(empty as unknown as ViewerState);
}

describe("what arrives while a study is open", () => {
  test("goes around the image that is looked at", () => {
    const before = goTo(1)(opened());
    const after = renewStack("a", stack("2", [1, 2, 3, 4, 5, 6, 7]))(before);
    expect(activeImage(after)?.key).toBe(activeImage(before)?.key);
    expect(activeLook(after).index).toBe(4);
  });

  test("goes around the first image, too, when nobody has moved yet", () => {
    expect(activeLook(renewStack("a", stack("2", [1, 4, 5, 6]))(opened())).index).toBe(1);
  });

  test("changes nothing when the stack is the same", () => {
    const before = opened();
    expect(renewStack("a", stack("1", [4, 5, 6]))(before)).toBe(before);
  });

  test("leaves no place outside the stack when images are gone", () => {
    const before = goTo(2)(opened());
    expect(activeLook(renewStack("a", stack("2", [4]))(before)).index).toBe(0);
  });

  test("adds series and keeps the open one", () => {
    expect(activePane(renewSeries(series("report", "b", "a"))(opened())).seriesId).toBe("a");
  });

  test("opens the first series with pictures where there was none", () => {
    const before = { ...opened(), series: [], panes: [firstPane("")] };
    expect(activePane(renewSeries(series("report", "b"))(before)).seriesId).toBe("b");
  });
});

test("a film runs as fast as its file says, else as the reader likes, within what a screen can show", () => {
  expect(filedSpeed(imageFacts({ frame_time_ms: 40 }), 12)).toBe(25);
  expect(filedSpeed(imageFacts({ frame_time_ms: 0 }), 12)).toBe(12);
  expect(filedSpeed(imageFacts({}), null)).toBe(15);
  const speeds = [0, 24.6, 500].map((framesPerSecond) => setCine({ framesPerSecond })(opened()).cine.framesPerSecond);
  expect(speeds).toEqual([1, 25, 60]);
});
