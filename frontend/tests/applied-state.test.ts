import { expect, test } from "vitest";

import type { ObjectDocument, PresentationState } from "../src/core/stored-objects";
import { resolveVoi } from "../src/core/voi";
import { readSeriesList } from "../src/io/api";
import { activeLook, goTo, setStack } from "../src/state/changes";
import { firstPane } from "../src/state/panes";
import { Store, type ViewerState } from "../src/state/store";
import { AppliedState } from "../src/ui/viewer-applied-state";
import { imageFacts } from "./facts";

const IMAGES = [0, 1, 2, 3].map((frame) => imageFacts({ frame, window_center: [10], window_width: [20], rows: 100, columns: 100 }));
const INSTANCE = IMAGES[0]?.instanceId ?? "";

function named(...frames: number[]): ObjectDocument["images"][number] {
  return { instanceId: INSTANCE, seriesId: "a", studyId: "", words: "", frames };
}

const STATE: PresentationState = {
  greys: [
    { images: [named(0)], window: { center: 40, width: 400 }, function: "LINEAR", explanation: "" },
    { images: [named(1)], window: { center: -600, width: 1500 }, function: "SIGMOID", explanation: "lung" },
  ],
  inverted: true,
  rotationDeg: 90,
  flipped: false,
  areas: [
    { images: [named(2)], first: { x: 1, y: 1 }, last: { x: 50, y: 50 } },
    { images: [named(0, 1)], first: { x: 1, y: 1 }, last: { x: 100, y: 100 } },
  ],
  shutter: null,
  marks: [],
};

function opened(): Store {
  const stack = { seriesId: "a", version: "1", images: IMAGES, videos: [], presets: [], presetsWhyNot: "", suvFactor: null, displayable: true, whyNot: "" };
  const empty = { series: readSeriesList({ series: [{ id: "a", displayable: true }] }), panes: [firstPane("a")], activePaneId: "1", stacks: new Map(), looks: new Map() };
  return new Store(setStack("a", { kind: "ready", stack })(empty as unknown as ViewerState));
}

test("each image has its own window and place; what the state does not name looks as before", () => {
  const store = opened();
  const applied = new AppliedState(store, () => ({ width: 200, height: 200 }));
  const seen = (index: number): unknown[] => {
    store.change(goTo(index));
    const { window, invert, view, isFitted, presentation } = activeLook(store.state);
    const voi = resolveVoi(IMAGES[index] ?? imageFacts({}), window, () => ({ center: 0, width: 1 }));
    return [voi.center, voi.function, invert, view?.rotationDeg ?? 0, isFitted, presentation ?? ""];
  };
  const document = { id: "pr", name: "PR", title: "SOFT", images: [named(0, 1, 2)], state: STATE } as unknown as ObjectDocument;
  expect(applied.apply(document)).toEqual(["a"]);
  expect(seen(0)).toEqual([40, "LINEAR", true, 90, true, "SOFT"]);
  expect(seen(1)).toEqual([-600, "SIGMOID", true, 90, true, "SOFT"]);
  // The third names no window: its file's; and shows a quarter of it.
  expect(seen(2)).toEqual([10, "LINEAR", true, 90, false, "SOFT"]);
  expect(activeLook(store.state).view?.center).toEqual({ x: 24.5, y: 24.5 });
  expect(seen(3)).toEqual([10, "LINEAR", false, 0, true, ""]);
  expect(seen(0)).toEqual([40, "LINEAR", true, 90, true, "SOFT"]);
  applied.takeOff();
  expect(seen(0)).toEqual([10, "LINEAR", false, 0, true, ""]);
});
