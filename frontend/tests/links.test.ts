import { describe, expect, test } from "vitest";

import type { ImageFacts, Series } from "../src/core/facts";
import { readSeriesList } from "../src/io/api";
import { goTo, setStack, setView, setWindow } from "../src/state/changes";
import { setLayout } from "../src/state/layouts";
import { bondOf, followLinks, followSlice, NO_LINKS, setCursor, setLinks } from "../src/state/links";
import { firstPane } from "../src/state/panes";
import { Store, type ViewerState } from "../src/state/store";
import type { JsonObject } from "../src/io/read";
import { imageFacts } from "./facts";

const AXIAL = [1, 0, 0, 0, 1, 0];
const CORONAL = [1, 0, 0, 0, 0, -1];

/** Axial slices at the given heights, with 0.5 mm or whatever is said between pixels. */
function slices(id: string, heights: readonly number[], says: JsonObject = {}): ImageFacts[] {
  return heights.map((z, frame) =>
    imageFacts({
      instance_id: id,
      frame,
      rows: 100,
      columns: 100,
      pixel_spacing: [0.5, 0.5],
      frame_of_reference_uid: "1.2.3",
      image_orientation_patient: AXIAL,
      image_position_patient: [0, 0, z],
      ...says,
    }),
  );
}

function page(modalities: readonly string[], ...stacks: readonly ImageFacts[][]): Store {
  const ids = stacks.map((_, i) => `s${i}`);
  const series: readonly Series[] = readSeriesList({ series: ids.map((id, i) => ({ id, modality: modalities[i] ?? "CT" })) });
  const cine = { isPlaying: false, framesPerSecond: 10, loops: true, swings: false };
  const bare = { series, panes: [firstPane("s0")], activePaneId: "1", stacks: new Map(), looks: new Map(), cine };
  const empty = { ...bare, links: NO_LINKS, anchors: new Map(), cursor: null } as unknown as ViewerState;
  const full = ids.reduce<ViewerState>((state, seriesId, i) => {
    const rest = { version: "1", videos: [], suvFactor: null, presets: [], presetsWhyNot: "", displayable: true, whyNot: "" };
    return setStack(seriesId, { kind: "ready", stack: { ...rest, seriesId, images: stacks[i] ?? [] } })(state);
  }, empty);
  const store = new Store(setLayout({ rows: 1, columns: stacks.length })(full));
  store.addRule(followLinks);
  return store;
}

const indices = (store: Store): number[] => store.state.panes.map(({ look }) => look.index);

describe("linked scrolling", () => {
  test("goes to the slice at the same place, and stays where the other series has none", () => {
    const store = page([], slices("a", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), slices("b", [4, 6, 8]));
    store.change(setLinks({ scroll: true }));
    store.change(goTo(6));
    expect(indices(store)).toEqual([6, 1]);
    store.change(goTo(8));
    expect(indices(store)).toEqual([8, 2]);
    store.change(goTo(0));
    expect(indices(store)).toEqual([0, 2]);
  });

  test("goes by the offset when it was linked where there is no common frame of reference, and says so", () => {
    const other = slices("b", [100, 102, 104, 106, 108, 110], { frame_of_reference_uid: "9.9" });
    const store = page([], slices("a", [0, 1, 2, 3, 4, 5, 6, 7, 8]), other);
    store.change(goTo(2));
    store.change(setLinks({ scroll: true }));
    expect(bondOf(store.state, store.state.panes[1] as ViewerState["panes"][0])).toBe("offset");
    store.change(goTo(6));
    expect(indices(store)).toEqual([6, 2]);
  });

  test("leaves alone what stands across and what has no place", () => {
    const across = slices("b", [0, 5, 9], { image_orientation_patient: CORONAL });
    const nowhere = slices("c", [0, 5, 9], { image_orientation_patient: [] });
    const store = page([], slices("a", [0, 5, 9]), across, nowhere);
    store.change(setLinks({ scroll: true }));
    store.change(goTo(2));
    expect(indices(store)).toEqual([2, 0, 0]);
  });
});

test("a linked window goes to pictures whose values mean the same, and to no others", () => {
  const hu = { rescale_type: "HU" };
  const store = page(["CT", "CT", "MR", "CT"], slices("a", [0], hu), slices("b", [0], hu), slices("c", [0], hu), slices("d", [0]));
  store.change(setLinks({ window: true }));
  store.change(setWindow({ kind: "manual", window: { center: 40, width: 400 } }));
  expect(store.state.panes.map(({ look }) => look.window.kind)).toEqual(["manual", "manual", "filed", "filed"]);
});

test("linked zoom shows the same millimetres at the same place", () => {
  const shifted = slices("b", [0], { pixel_spacing: [1, 1], image_position_patient: [10, 0, 0] });
  const store = page([], slices("a", [0]), shifted, slices("c", [0], { frame_of_reference_uid: "9.9" }));
  store.change(setLinks({ zoom: true }));
  // 4 px for a column of 0.5 mm is 8 px for one of 1 mm; column 60 is at 30 mm, which is column 20 from 10 mm.
  store.change(setView({ center: { x: 60, y: 40 }, scale: 4, rotationDeg: 90, mirrored: true }));
  expect(store.state.panes[1]?.look.view).toEqual({ center: { x: 20, y: 20 }, scale: 8, rotationDeg: 90, mirrored: true });
  expect(store.state.panes[2]?.look.isFitted).toBe(true);
});

test("the 3D cursor brings every pane of its frame of reference to the nearest slice", () => {
  const coronal = [0, 5, 10, 15].flatMap((y) =>
    slices("b", [50], { image_orientation_patient: CORONAL, image_position_patient: [0, y, 50], frame: y }),
  );
  const elsewhere = slices("c", [0, 5, 10, 15], { frame_of_reference_uid: "9.9" });
  const store = page([], slices("a", [0, 5, 10]), coronal, elsewhere);
  store.change(setCursor({ lps: [20, 11, 5], frameOfReferenceUid: "1.2.3", paneId: "1" }));
  expect(indices(store)).toEqual([0, 2, 0]);
});

test("a slice that moved in another window moves those that share its space, only while scrolling is linked", () => {
  const store = page([], slices("a", [0, 5, 10]), slices("b", [0, 5, 10], { frame_of_reference_uid: "9.9" }));
  const moved = { lps: [0, 0, 9] as const, normal: [0, 0, 1] as const, frameOfReferenceUid: "1.2.3" };
  store.change(followSlice(moved));
  expect(indices(store)).toEqual([0, 0]);
  store.change(setLinks({ scroll: true }));
  store.change(followSlice({ ...moved, normal: [1, 0, 0] }));
  expect(indices(store)).toEqual([0, 0]);
  store.change(followSlice(moved));
  expect(store.state.panes[0]?.look.index).toBe(2);
});
