import { describe, expect, test } from "vitest";

import type { Stack } from "../src/core/facts";
import { readSeriesList } from "../src/io/api";
import { goTo, setStack, stepRound, togglePlaying, turnRepeat } from "../src/state/changes";
import { followLinks, NO_LINKS } from "../src/state/links";
import { firstPane } from "../src/state/panes";
import type { ViewerState } from "../src/state/store";
import { imageFacts } from "./facts";

function film(seriesId: string, count: number): Stack {
  const images = Array.from({ length: count }, (_, frame) => imageFacts({ frame, image_position_patient: null }));
  return { seriesId, version: "1", images, videos: [], presets: [], presetsWhyNot: "", suvFactor: null, displayable: true, whyNot: "" };
}

function opened(loops: boolean, swings: boolean): ViewerState {
  const empty = {
    series: readSeriesList({ series: [{ id: "a", displayable: true }, { id: "b", displayable: true }] }),
    panes: [firstPane("a"), { ...firstPane("b"), id: "2" }],
    activePaneId: "1",
    priors: [],
    stacks: new Map(),
    looks: new Map(),
    volumes: new Map(),
    mpr: new Map(),
    anchors: new Map(),
    cursor: null,
    links: { ...NO_LINKS, scroll: true },
    cine: { isPlaying: true, framesPerSecond: 10, loops, swings },
  };
  const one = setStack("a", { kind: "ready", stack: film("a", 4) })(empty as unknown as ViewerState);
  return setStack("b", { kind: "ready", stack: film("b", 8) })(one);
}

function run(state: ViewerState, steps: number): readonly (readonly number[])[] {
  const seen: number[][] = [];
  for (let i = 0; i < steps; i += 1) {
    state = followLinks(state, stepRound()(state));
    seen.push(state.panes.map(({ look }) => look.index));
  }
  return seen;
}

describe("a film", () => {
  test("starts again, and a linked one without places keeps its time", () => {
    expect(run(opened(true, false), 5)).toEqual([[1, 2], [2, 4], [3, 6], [0, 0], [1, 2]]);
  });
  test("runs there and back without showing its ends twice", () => {
    expect(run(opened(true, true), 7).map(([index]) => index)).toEqual([1, 2, 3, 2, 1, 0, 1]);
  });
  test("that plays once stops at its end, and starts from there anew", () => {
    const atEnd = goTo(3)(opened(false, false));
    const over = stepRound()(atEnd);
    expect([over.cine.isPlaying, over.panes[0]?.look.index]).toEqual([false, 3]);
    const again = togglePlaying()(over);
    expect([again.cine.isPlaying, again.panes[0]?.look.index]).toEqual([true, 0]);
  });
  test("repeats in three ways, one after another", () => {
    const ways = [0, 1, 2].reduce<ViewerState[]>((all) => [...all, turnRepeat()(all[all.length - 1] as ViewerState)], [opened(true, false)]);
    expect(ways.map(({ cine }) => [cine.loops, cine.swings])).toEqual([[true, false], [true, true], [false, false], [true, false]]);
  });
  test("that does not play leaves the others alone", () => {
    const still = { ...opened(true, false), cine: { isPlaying: false, framesPerSecond: 10, loops: true, swings: false } };
    expect(followLinks(still, goTo(2)(still)).panes.map(({ look }) => look.index)).toEqual([2, 0]);
  });
});
