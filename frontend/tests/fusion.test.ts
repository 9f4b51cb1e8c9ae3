import { expect, test } from "vitest";

import type { ImageFacts, Series, Stack } from "../src/core/facts";
import { blend, insideTest, planeQuery, whyNotFuse, type Overlay, type OverlayPlane } from "../src/core/fusion";
import { asKind, otherOf, withOther } from "../src/core/other-values";
import type { Result } from "../src/core/measure";
import { shownScale } from "../src/core/suv";
import { renewStack } from "../src/state/changes";
import { dropFusions, firstLookIn, fuse, seeFirstLook, setSuvKind, uptakeIn } from "../src/state/fusion";
import { FIRST_LOOK, firstPane } from "../src/state/panes";
import type { ViewerState } from "../src/state/store";
import { fuseWords } from "../src/ui/viewer-fusion-words";

const PLACED = {
  key: "k", rows: 3, columns: 4, pixelFormat: "i16", pixelSpacing: [2, 1.5], spacingSource: "patient",
  imagePositionPatient: [10, 20, 30], imageOrientationPatient: [0, 1, 0, 0, 0, -1], frameOfReferenceUid: "1.2",
  windows: [], rescaleType: "", units: "",
} as unknown as ImageFacts;
const PLANE: OverlayPlane = { values: Int16Array.of(0, 10, 20, 40), scale: 0.5, offset: 0, outside: 0, isInside: (index) => index > 0 };
const PALETTE = Uint8Array.from({ length: 768 }, (_, at) => (at % 3 === 0 ? Math.floor(at / 3) : 0));

function overlay(change: Partial<Overlay["fusion"]> = {}, also: Partial<Overlay> = {}): Overlay {
  const fusion = { seriesId: "b", colourMap: "red", opacity: 0.5, ends: null, isSeeThrough: false, isHidden: false, ...change };
  return { fusion, plane: PLANE, palette: PALETTE, factor: 1, unit: "", ends: [0, 20], ...also };
}

function series(id: string, also: Partial<Series> = {}): Series {
  return { id, studyId: "s", modality: "PT", displayable: true, seriesNumber: 1, ...also } as unknown as Series;
}

function stack(id: string, images: readonly ImageFacts[] = [PLACED], also: Partial<Stack> = {}): Stack {
  return { seriesId: id, version: "1", images, videos: [], presets: [], presetsWhyNot: "", suvFactor: null, displayable: true, whyNot: "", ...also };
}

test("colours are mixed with what lies below by the opacity, and nothing is laid over what is outside", () => {
  const below = Uint8Array.of(100, 100, 100, 100);
  // Values 0, 5, 10 and 20 of 0 to 20 are the levels 0, 64, 128 and 255; the first pixel is outside.
  const mixed = blend(below, 1, overlay());
  expect([...mixed]).toEqual([100, 100, 100, 82, 50, 50, 114, 50, 50, 178, 50, 50]);
  const inColour = blend(Uint8Array.from({ length: 12 }, () => 100), 3, overlay());
  expect([...inColour]).toEqual([...mixed]);
});

test("uptake of nothing leaves the picture below as it is, and fades in up to a quarter of the window", () => {
  const inside = { ...PLANE, isInside: () => true };
  const mixed = blend(Uint8Array.of(100, 100, 100, 100), 1, overlay({ isSeeThrough: true, opacity: 1 }, { plane: inside, ends: [0, 40] }));
  expect([...mixed.slice(0, 3)]).toEqual([100, 100, 100]);
  // 5 of 40 is half of the quarter: half of 100 and half of the red of level 32; then the colours alone.
  expect([...mixed.slice(3)]).toEqual([66, 50, 50, 64, 0, 0, 128, 0, 0]);
});

test("the server is asked for the very grid of the picture", () => {
  // Middle: 10, 20 + 1.5 * 1.5, 30 - 1 * 2. Row y, column -z, so the normal is -x.
  expect(planeQuery(PLACED)).toBe("center=10,22.25,28&normal=-1,0,0&up=0,0,1&width_mm=6&height_mm=6&columns=4&rows=3");
  expect(planeQuery({ ...PLACED, imagePositionPatient: null })).toBeNull();
});

test("a pixel is inside up to half a voxel beyond the outermost centres", () => {
  const body = {
    // Columns along y in steps of 3 mm from 20, rows along x, slices along -z in steps of 2 mm from 30.
    lpsFromIjw: [[0, 1, 0, 10], [3, 0, 0, 20], [0, 0, -2, 30]],
    columns: 1, rows: 1, depth: [-0.5, 1.5],
  } as const;
  const isInside = insideTest(PLACED, body);
  // Columns lie at 0, 1.5, 3 and 4.5 mm, rows at 0, 2 and 4 mm: in are up to 1.5 mm and up to 3 mm.
  expect(Array.from({ length: 12 }, (_, at) => isInside(at)).map(Number)).toEqual([1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]);
});

test("only series of one study and one frame of reference are fused, and the reason is told", () => {
  const other = (facts: Partial<ImageFacts>): Stack => stack("b", [{ ...PLACED, ...facts }]);
  const why = (over: Series, of: Stack | null, image: ImageFacts = PLACED): string => whyNotFuse(series("a"), over, image, of);
  expect(why(series("b"), other({}))).toBe("");
  expect(why(series("a"), other({}))).toBe("itself");
  expect(why(series("b", { studyId: "other" }), other({}))).toBe("other_study");
  expect(why(series("b"), other({ frameOfReferenceUid: "1.3" }))).toBe("other_frame");
  expect(why(series("b"), other({ frameOfReferenceUid: "" }))).toBe("other_frame");
  expect(why(series("b"), other({}), { ...PLACED, frameOfReferenceUid: "" })).toBe("no_place");
  expect(why(series("b"), other({ imageOrientationPatient: null }))).toBe("no_place");
  expect(why(series("b"), other({ pixelFormat: "rgb8" }))).toBe("colour");
  expect(why(series("b"), null)).toBe("no_pictures");
  expect(why(series("b"), other({}), { ...PLACED, rows: 2049 })).toBe("too_large");
});

function stateOf(): ViewerState {
  const presets = [{ code: "suv7", label: "SUV 0 to 7", key: 6, window: { center: 3500, width: 7000 }, percentiles: null }];
  const pet = stack("b", [PLACED], { presets, suvFactor: 0.001, suvFactors: { bw: 0.001, lbm: 0.0008 } });
  const pane = firstPane("a");
  return {
    series: [series("a", { modality: "CT" }), series("b"), series("c", { modality: "MR" })],
    stacks: new Map([["b", { kind: "ready", stack: pet }]]),
    panes: [pane], activePaneId: pane.id, looks: new Map(),
  } as unknown as ViewerState;
}

test("a later time point of a series is not laid over, since kept numbers are of the first", () => {
  const under = ["a", { kind: "ready", stack: stack("a") }] as const;
  const state = stateOf();
  const at = (timePoint: number): string | null => {
    const volumes = new Map([["b", { kind: "ready", plan: { timePoint, timePoints: 3 }, stackVersion: "1" }]]);
    const known = { ...state, volumes, stacks: new Map([...state.stacks, under]) } as unknown as ViewerState;
    return fuseWords(known, firstPane("a"), series("b"));
  };
  expect(at(0)).toBe("");
  expect(at(1)).toBe("Only its first time point can be fused: go back to that one.");
});

test("what lies over a pane goes when another series is put there, and stays otherwise", () => {
  const before = fuse("1", "b")(stateOf());
  const [pane] = before.panes;
  expect(pane?.fusion).toMatchObject({ seriesId: "b", colourMap: "hot_iron", isSeeThrough: true });
  const scrolled = { ...before, panes: before.panes.map((one) => ({ ...one, look: { ...one.look, index: 3 } })) };
  expect(dropFusions(before, scrolled)).toBe(scrolled);
  const opened = { ...before, panes: before.panes.map((one) => ({ ...one, seriesId: "c" })) };
  expect(dropFusions(before, opened).panes[0]?.fusion).toBeNull();
});

test("PET is first seen dark on white in SUV, other series as ever", () => {
  const state = stateOf();
  const look = firstLookIn(state, { ...firstPane("b") });
  expect(look).toMatchObject({ invert: true, window: { kind: "preset", window: { center: 3500, width: 7000 } } });
  expect(firstLookIn(state, firstPane("c"))).toBe(FIRST_LOOK);
});

test("uptake that becomes known while one looks gives its window, unless the reader chose one", () => {
  const known = stateOf();
  const late = known.stacks.get("b");
  const pane = firstPane("b");
  const early = late?.kind === "ready" ? { ...late.stack, presets: [], suvFactor: null, suvFactors: {} } : null;
  const before = { ...known, stacks: new Map([["b", { kind: "ready", stack: early }]]) } as unknown as ViewerState;
  const untouched = { ...before, panes: [{ ...pane, look: firstLookIn(before, pane) }] };
  const stackNow = late?.kind === "ready" ? late.stack : stack("b");
  const after = renewStack("b", stackNow)(untouched);
  expect(seeFirstLook(untouched, after).panes[0]?.look).toMatchObject({ invert: true, window: { kind: "preset" } });
  const look = { ...firstLookIn(before, pane), window: { kind: "own", window: { center: 1, width: 2 } } } as const;
  const chosen = { ...before, panes: [{ ...pane, look }] } as unknown as ViewerState;
  expect(seeFirstLook(chosen, renewStack("b", stackNow)(chosen)).panes[0]?.look.window).toBe(look.window);
});

test("a series that says where opens there, unless somebody has looked at it", () => {
  const pane = firstPane("b");
  const images = Array.from({ length: 9 }, () => PLACED);
  const before = { series: [series("b", { modality: "CT" })], stacks: new Map(), panes: [pane] } as unknown as ViewerState;
  const after = { ...before, stacks: new Map([["b", { kind: "ready", stack: stack("b", images, { opensAt: 4 }) }]]) } as unknown as ViewerState;
  expect(seeFirstLook(before, after).panes[0]?.look.index).toBe(4);
  const looked = { ...pane, look: { ...FIRST_LOOK, index: 0 } };
  expect(seeFirstLook(before, { ...after, panes: [looked] }).panes[0]?.look.index).toBe(0);
});

test("uptake is shown as the reader wants it; a preset keeps its numbers in the other kind", () => {
  const pane = firstPane("b");
  const state = { ...stateOf(), panes: [{ ...pane, look: firstLookIn(stateOf(), pane) }] };
  const lean = setSuvKind("lbm")(state);
  expect(uptakeIn(lean, series("b"))).toEqual({ factor: 0.0008, unit: "SUVlbm", kind: "lbm" });
  // 0 to 7 in SUVlbm is 0 to 7 / 0.0008 Bq/ml.
  expect(lean.panes[0]?.look.window).toMatchObject({ window: { center: 4375, width: 8750 } });
  // What is not known is not made up: by weight, and it says so.
  expect(shownScale(series("b"), { images: [], suvFactors: { bw: 0.001 } }, "bsa")).toMatchObject({ unit: "SUVbw", factor: 0.001 });
  expect(uptakeIn(lean, series("c", { modality: "MR" }))).toBeNull();
});

test("a result on two series is turned into another kind of uptake where that one is known", () => {
  const own = { kind: "circle", value: 12, unit: "mm2", notes: [], statistics: { mean: 40, unit: "HU" } } as unknown as Result;
  const pet = { ...own, statistics: { mean: 5, max: 8, count: 9, area_mm2: 12, histogram: null } } as unknown as Result;
  const both = withOther(own, pet, { unit: "SUVbw", modality: "PT", suv_kinds: { bw: 1, lbm: 0.8 } });
  expect(otherOf(both)).toEqual({ mean: 5, max: 8, count: 9, unit: "SUVbw", modality: "PT", suv_kinds: { bw: 1, lbm: 0.8 } });
  const lean = asKind(both, "lbm");
  expect([lean.value, lean.unit, lean.statistics["mean"]]).toEqual([12, "mm2", 40]);
  expect(otherOf(lean)).toMatchObject({ mean: 4, max: 6.4, unit: "SUVlbm" });
  expect(otherOf(asKind(both, "bsa"))).toMatchObject({ mean: 5, unit: "SUVbw" });
});
