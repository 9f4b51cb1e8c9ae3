import { describe, expect, test } from "vitest";

import { fittingScale, hungView, turnFor, type Hang } from "../src/core/hanging";
import type { Series } from "../src/core/facts";
import { describePane } from "../src/core/saved-layout";
import { AS_FILED } from "../src/core/voi";
import { edgeLetters } from "../src/core/orientation";
import { applyMatrix, canvasFromImage } from "../src/core/view";
import { readSeriesList } from "../src/io/api";
import { readHung } from "../src/io/hanging";
import { setStack } from "../src/state/changes";
import { counterpart, findWanted, hang, placeBeside, withoutPriors } from "../src/state/hanging";
import { NO_LINKS } from "../src/state/links";
import { firstPane } from "../src/state/panes";
import { setVolume } from "../src/state/volumes";
import { Store, type ViewerState } from "../src/state/store";
import { imageFacts } from "./facts";

const RIGHT_MLO = { right: "P", bottom: "F" };

describe("a breast", () => {
  test.each([
    ["as it should be", ["P", "F"], 0, false],
    ["mirrored: a left-hand acquisition of the right breast", ["A", "F"], 0, true],
    ["upside down", ["A", "H"], 180, false],
    ["on its side", ["F", "A"], 90, false],
  ])("is turned as the letters want it: %s", (_, words, rotationDeg, mirrored) => {
    const facts = imageFacts({ patient_orientation: words });
    const turn = turnFor(facts, RIGHT_MLO);
    expect(turn).toEqual({ rotationDeg, mirrored });
    const edges = edgeLetters(facts, { center: { x: 0, y: 0 }, scale: 1, rotationDeg, mirrored });
    expect([edges.right, edges.bottom]).toEqual(["P", "F"]);
  });

  test("is not turned when the file does not say how it lies", () => {
    expect(turnFor(imageFacts({}), RIGHT_MLO)).toBeNull();
  });

  test("lies with its chest wall at the pane's edge, at the scale that its group shares", () => {
    const facts = imageFacts({ rows: 200, columns: 100, pixel_spacing: [0.5, 0.5], patient_orientation: ["A", "F"] });
    const extent = { width: 100, height: 200, pixelAspect: 1 };
    const size = { width: 600, height: 400 };
    const side: Hang = { orient: RIGHT_MLO, align: "right", group: "g" };
    // 200 rows of 0.5 mm into 400 px: 4 px for a mm.
    expect(fittingScale(facts, extent, size, side)).toBeCloseTo(4, 12);
    const view = hungView(facts, extent, size, side, null, 3);
    expect(view.scale).toBeCloseTo(1.5, 12);
    const matrix = canvasFromImage(view, extent, size);
    // Mirrored, so that the first column lies at the right: its outer edge is the pane's.
    expect(applyMatrix(matrix, { x: -0.5, y: 100 }).x).toBeCloseTo(600, 9);
    expect(applyMatrix(matrix, { x: 99.5, y: 99.5 })).toEqual({ x: expect.closeTo(450, 9), y: expect.closeTo(200, 9) });
  });
});

function series(...facts: readonly [string, string, string, string?][]): readonly Series[] {
  return readSeriesList({
    series: facts.map(([id, modality, series_description, study_id]) => ({
      id,
      modality,
      series_description,
      study_id: study_id ?? "now",
      frame_count: 10,
    })),
  });
}

function page(all: readonly Series[]): Store {
  const study = { id: "now" };
  const priors = [{ study: { id: "old" }, modalities: ["CT"], isLater: false, seriesUrl: "", hangUrl: "" }];
  const state = { study, priors, series: all, panes: [firstPane("a")], activePaneId: "1", layout: { rows: 1, columns: 1 } };
  const rest = { links: NO_LINKS, anchors: new Map(), cursor: null, stacks: new Map(), looks: new Map(), beforePrior: null };
  const store = new Store({ ...state, ...rest } as unknown as ViewerState);
  store.addRule(findWanted);
  return store;
}

test("a pane shows the very image that it was hung for, as soon as its stack is here", () => {
  const store = page(series(["a", "MG", ""]));
  const hung = readHung({
    code: "x",
    rows: 1,
    columns: 2,
    panes: [{ series_id: "a", instance_id: "I-2", frame: 0 }, { series_id: "", align: "left" }],
  });
  store.change(hang(hung as NonNullable<typeof hung>));
  const images = ["i-1", "i-2", "i-3"].map((instance_id) => imageFacts({ instance_id }));
  const stack = { seriesId: "a", version: "1", images, videos: [], suvFactor: null, presets: [], presetsWhyNot: "", displayable: true, whyNot: "" };
  store.change(setStack("a", { kind: "ready", stack }));
  expect(store.state.panes.map(({ seriesId, look }) => [seriesId, look.index])).toEqual([
    ["a", 1],
    ["", 0],
  ]);
});

test("planes, how deep they look, and a body come back as they were saved", () => {
  const [own] = series(["a", "CT", ""]);
  const shared = { series: own as Series, facts: undefined, window: AS_FILED, hang: null, prior: 0 };
  const slab = { mode: "mip", thicknessMm: 12.5 } as const;
  const plane = describePane({ ...shared, shows: "plane", plane: "coronal", slab }, 0);
  const body = describePane({ ...shared, shows: "volume", body: { preset: "mip", isTurning: true } }, 0);
  expect(plane).toMatchObject({ shows: "plane", plane: "coronal", slab: { mode: "mip", thickness_mm: 12.5 } });
  expect(describePane(shared, 0)).not.toHaveProperty("shows");
  const wire = { code: "x", rows: 1, columns: 2, panes: [plane, body].map((one) => ({ ...one, series_id: "a" })) };
  const store = page(series(["a", "CT", ""]));
  store.change((state) => ({ ...state, volumes: new Map(), mpr: new Map() }));
  const hung = readHung(wire as never);
  store.change(hang(hung as NonNullable<typeof hung>));
  expect(store.state.panes.map(({ shows, plane: of, body: as }) => [shows, of, as ?? null])).toEqual([
    ["plane", "coronal", null],
    ["volume", "axial", { preset: "mip", isTurning: true }],
  ]);
  const plan = { keys: ["k"], sliceMm: [], columns: 9, rows: 9, lpsFromIjw: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]], timePoint: 0 };
  store.change(setVolume("a", { kind: "ready", plan: plan as never, stackVersion: "1" }));
  expect(store.state.mpr.get("a")?.slab).toEqual(slab);
});

describe("a prior", () => {
  const all = series(["a", "CT", "Thorax lung"], ["b", "CT", "Thorax soft"], ["c", "MR", "Thorax lung", "old"], ["d", "CT", "Thorax soft 5", "old"], ["e", "CT", "Thorax LUNG 1", "old"]);

  test("gives the series that is most like the one at hand", () => {
    const theirs = all.slice(2);
    expect(counterpart(all[0] as Series, theirs)?.id).toBe("e");
    expect(counterpart(all[1] as Series, theirs)?.id).toBe("d");
  });

  test("stands to the right of each pane of a row, linked, and goes away without a trace", () => {
    const store = page(all);
    const pane = (seriesId: string): { seriesId: string; instanceId: string; frame: number; hang: null; window: null } => ({ seriesId, instanceId: "", frame: 0, hang: null, window: null });
    store.change(hang({ code: "", name: "", rows: 1, columns: 2, panes: [pane("a"), pane("b")], links: {} }));
    const before = store.state.panes;
    store.change(placeBeside([pane("e"), pane("d")]));
    expect(store.state.layout).toEqual({ rows: 1, columns: 4 });
    expect(store.state.panes.map(({ seriesId }) => seriesId)).toEqual(["a", "b", "e", "d"]);
    expect(store.state.links.scroll).toBe(true);
    store.change(withoutPriors());
    expect(store.state.panes).toEqual(before);
    expect(store.state.links.scroll).toBe(false);
  });

  test("finds no place beside five columns of three rows", () => {
    const store = page(all);
    store.change(hang({ code: "", name: "", rows: 3, columns: 5, panes: [], links: {} }));
    const before = store.state;
    store.change(placeBeside([]));
    expect(store.state).toBe(before);
  });
});
