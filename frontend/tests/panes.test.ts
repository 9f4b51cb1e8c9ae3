import { describe, expect, test } from "vitest";

import { readSeriesList } from "../src/io/api";
import { activeLook, goTo, openSeries, setStack, setWindow } from "../src/state/changes";
import { setLayout, stepPane, toggleMaximised } from "../src/state/layouts";
import { activatePane, activePane, firstPane, openIn } from "../src/state/panes";
import type { ViewerState } from "../src/state/store";
import { imageFacts } from "./facts";

function opened(...ids: string[]): ViewerState {
  const series = readSeriesList({ series: ids.map((id) => ({ id, displayable: id !== "report" })) });
  const cine = { isPlaying: true, framesPerSecond: 10, loops: true, swings: false };
  const empty = { series, panes: [firstPane(ids[0] ?? "")], activePaneId: "1", stacks: new Map(), looks: new Map(), cine };
  const images = [0, 1, 2, 3].map((frame) => imageFacts({ frame }));
  const stack = { seriesId: "", version: "1", images, videos: [], presets: [], presetsWhyNot: "", suvFactor: null, displayable: true, whyNot: "" };
  return ids.reduce<ViewerState>(
    (state, id) => setStack(id, { kind: "ready", stack: { ...stack, seriesId: id } })(state),
    empty as unknown as ViewerState,
  );
}

function seriesOf(state: ViewerState): string[] {
  return state.panes.map(({ seriesId }) => seriesId);
}

describe("a layout", () => {
  test("takes the series that are not on the page yet, and leaves out what has no pictures", () => {
    const state = setLayout({ rows: 2, columns: 2 })(openSeries("b")(opened("a", "report", "b", "c")));
    expect(seriesOf(state)).toEqual(["b", "a", "c", ""]);
    expect(new Set(state.panes.map(({ id }) => id)).size).toBe(4);
  });

  test("that is smaller keeps the active pane", () => {
    const many = setLayout({ rows: 1, columns: 3 })(opened("a", "b", "c"));
    const third = many.panes[2]?.id ?? "";
    const one = setLayout({ rows: 1, columns: 1 })(activatePane(third)(many));
    expect(seriesOf(one)).toEqual(["c"]);
    expect(activePane(one).seriesId).toBe("c");
  });

  test("has 1 to 5 rows and columns, whatever is asked for", () => {
    expect(setLayout({ rows: 9, columns: 0 })(opened("a")).layout).toEqual({ rows: 5, columns: 1 });
    expect(setLayout({ rows: 5, columns: 5 })(opened("a")).panes).toHaveLength(25);
  });

  test("of one pane has nothing to maximise; another layout ends it", () => {
    const one = opened("a");
    expect(toggleMaximised()(one)).toBe(one);
    const two = toggleMaximised()(setLayout({ rows: 1, columns: 2 })(one));
    expect(two.isMaximised).toBe(true);
    expect(setLayout({ rows: 2, columns: 1 })(two).isMaximised).toBe(false);
  });
});

describe("panes", () => {
  const two = setLayout({ rows: 1, columns: 2 })(opened("a", "b"));
  const [left, right] = [two.panes[0]?.id ?? "", two.panes[1]?.id ?? ""];

  test("have looks of their own at the same series", () => {
    const same = openIn(right, "a")(goTo(1)(two));
    const moved = goTo(3)(activatePane(right)(same));
    expect(moved.panes.map(({ look }) => look.index)).toEqual([1, 3]);
  });

  test("take over the last look at a series when they open it", () => {
    const windowed = setWindow({ kind: "manual", window: { center: 1, width: 2 } })(goTo(2)(two));
    expect(activeLook(openIn(right, "a")(windowed)).index).toBe(2);
    expect(openIn(right, "a")(windowed).panes[1]?.look.window.kind).toBe("manual");
  });

  test("follow one another in a round, and a film does not go on in another pane", () => {
    expect(stepPane(1)(two).activePaneId).toBe(right);
    expect(stepPane(1)(stepPane(1)(two)).activePaneId).toBe(left);
    expect(stepPane(-1)(two).activePaneId).toBe(right);
    expect(stepPane(1)(two).cine.isPlaying).toBe(false);
  });
});
