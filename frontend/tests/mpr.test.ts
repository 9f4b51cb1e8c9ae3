import { afterEach, describe, expect, test, vi } from "vitest";

import { crosshairOn, partAt } from "../src/core/crosshair";
import type { Triple } from "../src/core/facts";
import { firstMpr, gridOf, isOblique, moveBySteps, moveCenter, placeOf, turnPlanes, type Mpr } from "../src/core/mpr";
import { edgeLetters } from "../src/core/orientation";
import { planeImage } from "../src/core/plane-facts";
import { planeOf } from "../src/core/planes";
import { canvasFromImage, fitView } from "../src/core/view";
import type { VolumePlan } from "../src/core/volume-plan";
import { readSeriesList, readStack } from "../src/io/api";
import type { JsonObject } from "../src/io/read";
import { readVolume } from "../src/io/volume";
import { extentOf } from "../src/render/viewport";
import { goTo, placeInSight, setStack, setWindow, step } from "../src/state/changes";
import { setCursor } from "../src/state/links";
import { activatePane, firstPane, imageIn } from "../src/state/panes";
import type { ViewerState } from "../src/state/store";
import { FrameCache } from "../src/state/frame-cache";
import { activeMpr, followPlanes, nextSlabMode, putCenter, setVolume, stepSlab, toggleMpr, turnFrom } from "../src/state/volumes";
import { Volumes, type ServerReason } from "../src/ui/viewer-volumes";

const [SLICES, ROWS, COLUMNS] = [8, 10, 12];

/** Columns of 1.5 mm, rows of 2, slices of 4, each shifted by 1 towards the back; voxel (6, 5, 4) is at (0, 0, 0). */
const WIRE: JsonObject = {
  state: "absent",
  shape: [SLICES, ROWS, COLUMNS],
  spacing_mm: [1.5, 2, 4],
  lps_from_ijw: [[1.5, 0, 0, -9], [0, 2, 1, -14], [0, 0, 4, -16], [0, 0, 0, 1]],
  slice_mm: [],
  holes: [],
  frames: Array.from({ length: SLICES }, (_, k) => [`image-${k}`, 0]),
  middle: ["image-4", 0],
  frame_of_reference_uid: "1.2",
  reasons: ["The gantry was tilted: the slices are shifted against each other."],
  reason_codes: ["tilted"],
};

function plan(): VolumePlan {
  const answer = readVolume(WIRE, "a");
  if (answer.kind !== "planned") {
    throw new Error(answer.kind);
  }
  return answer.plan;
}

function stack(): ReturnType<typeof readStack> {
  const images = Array.from({ length: SLICES }, (_, k) => ({ instance_id: `image-${k}`, frame: 0, rows: ROWS, columns: COLUMNS }));
  return readStack({ series_id: "a", version: "1", shared: { pixel_format: "i16", bits_stored: 12, rescale_intercept: -1024 }, images });
}

function near(lps: Triple, wanted: Triple): void {
  lps.forEach((value, axis) => expect(value).toBeCloseTo(wanted[axis] as number, 6));
}

describe("planes of a volume", () => {
  test("cross at the middle voxel, and their pictures hold all that they can meet", () => {
    const mpr = firstMpr(plan());
    near(mpr.center, [0, 0, 0]);
    const axial = gridOf(mpr, "axial", plan());
    // 12 columns of 1.5 mm; 10 rows of 2 mm and 7 shifts of 1 mm, and half a shift at either end.
    expect([axial.columns, axial.rows, axial.spacingMm]).toEqual([12, Math.ceil(28 / 1.5), 1.5]);
    near(axial.right, [1, 0, 0]);
    near(axial.down, [0, 1, 0]);
    expect(axial.origin[2]).toBeCloseTo(0);
    const sagittal = gridOf(mpr, "sagittal", plan());
    near(sagittal.right, [0, 1, 0]);
    near(sagittal.down, [0, 0, -1]);
  });

  test("go through the volume by voxels and no further", () => {
    const mpr = firstMpr(plan());
    expect(placeOf(mpr, "axial", plan())).toEqual({ index: 4, count: 8 });
    near(moveBySteps(mpr, "axial", plan(), 2).center, [0, 0, 8]);
    near(moveBySteps(mpr, "axial", plan(), 99).center, [0, 0, 12]);
    // Away from the reader, who looks from the left.
    near(moveBySteps(mpr, "sagittal", plan(), 1).center, [-1.5, 0, 0]);
    expect(moveCenter(mpr, plan(), [3, 4, 5]).center).toEqual([3, 4, 5]);
    near(moveCenter(mpr, plan(), [500, 0, 0]).center, [8.25, 0, 0]);
  });

  test("turn as one sees it, and their letters with them", () => {
    const mpr = firstMpr(plan());
    const turned = turnPlanes(mpr, "axial", ["coronal", "sagittal"], Math.PI / 6);
    expect([isOblique(turned, "axial"), isOblique(turned, "coronal")]).toEqual([false, true]);
    const image = planeImage(turned, "coronal", plan(), stack());
    const view = fitView({ width: 10, height: 10, pixelAspect: 1 }, { width: 100, height: 100 });
    expect(image === null ? null : edgeLetters(image.facts, view)).toEqual({ top: "H", right: "LP", bottom: "F", left: "RA" });
    // Double-oblique: the axes stay at right angles.
    const twice = turnPlanes(turned, "coronal", ["axial", "sagittal"], -0.3);
    const [a, b] = [twice.axes.axial.normal, twice.axes.sagittal.normal];
    expect(a[0] * b[0] + a[1] * b[1] + a[2] * b[2]).toBeCloseTo(0);
    expect(isOblique(twice, "axial")).toBe(true);
  });

  test("are images with a place in the patient, the same for the same plane", () => {
    const mpr = firstMpr(plan());
    const [whole, series] = [plan(), stack()];
    const image = planeImage(mpr, "axial", whole, series);
    expect(image?.facts).toMatchObject({ sopInstanceUid: "", pixelFormat: "i16", rescaleIntercept: 0, frameOfReferenceUid: "1.2" });
    expect(image?.facts.reformatted).toMatchObject({ name: "axial", index: 4, count: 8 });
    expect(planeImage(moveCenter(mpr, whole, [3, 4, 0]), "axial", whole, series)).toBe(image);
    expect(planeImage(moveCenter(mpr, whole, [3, 4, 1]), "axial", whole, series)).not.toBe(image);
  });

  test("show where the others cross them, with a centre, lines and handles to take", () => {
    const mpr: Mpr = { ...firstMpr(plan()), slab: { mode: "mip", thicknessMm: 6 } };
    const image = planeImage(mpr, "axial", plan(), stack());
    const facts = image?.facts;
    const plane = facts === undefined ? null : planeOf(facts);
    if (facts === undefined || plane === null) {
      throw new Error("no plane");
    }
    const size = { width: 400, height: 400 };
    const view = fitView(extentOf(facts), size);
    const seen = crosshairOn("axial", mpr, plane, canvasFromImage(view, extentOf(facts), size), size);
    const { x, y } = seen.center;
    expect(partAt(seen, { x: x + 2, y: y + 2 }, 6)).toEqual({ kind: "center" });
    expect(partAt(seen, { x: x + 60, y: y + 3 }, 6)).toEqual({ kind: "move", name: "coronal" });
    expect(partAt(seen, { x: x - 3, y: y - 144 }, 6)).toEqual({ kind: "turn", name: "sagittal" });
    expect(partAt(seen, { x: x + 60, y: y + 60 }, 6)).toBeNull();
    const coronal = seen.lines.find(({ name }) => name === "coronal");
    expect(Math.abs(coronal?.edge?.y ?? 0)).toBeCloseTo((3 / 1.5) * view.scale);
  });
});

function opened(): ViewerState {
  const series = readSeriesList({ series: [{ id: "a", displayable: true }] });
  const empty = {
    series, panes: [firstPane("a")], activePaneId: "1", layout: { rows: 1, columns: 1 }, stacks: new Map(), looks: new Map(),
    volumes: new Map(), mpr: new Map(), beforeMpr: null, cursor: null, priors: [], anchors: new Map(),
    links: { scroll: false, window: false, zoom: false, lines: true }, cine: { isPlaying: false, framesPerSecond: 10, loops: true },
  };
  const loaded = setStack("a", { kind: "ready", stack: stack() })(empty as unknown as ViewerState);
  return setVolume("a", { kind: "ready", plan: plan(), stackVersion: "1" })(loaded);
}

function after(state: ViewerState, change: (state: ViewerState) => ViewerState): ViewerState {
  return followPlanes(state, change(state));
}

describe("the page of three planes", () => {
  test("has the volume in the fourth place, and gives way to what was there", () => {
    const on = toggleMpr()(goTo(3)(opened()));
    expect(on.panes.map(({ shows, plane }) => (shows === "plane" ? plane : shows))).toEqual(["axial", "coronal", "sagittal", "volume"]);
    const off = toggleMpr()(step(2)(on));
    expect(off.panes).toEqual(goTo(3)(opened()).panes);
    expect(off.layout).toEqual({ rows: 1, columns: 1 });
  });

  test("scrolls the active plane, whose place is known to slider and wheel", () => {
    const on = toggleMpr()(opened());
    expect(placeInSight(on)).toEqual({ index: 4, count: 8 });
    near(activeMpr(step(-1)(on))?.center as Triple, [0, 0, -4]);
    expect(placeInSight(goTo(99)(on)).index).toBe(7);
    expect(step(-1)(on).looks).toBe(on.looks);
  });

  test("shares window, slab and crossing", () => {
    const on = toggleMpr()(opened());
    const windowed = after(on, setWindow({ kind: "manual", window: { center: 40, width: 400 } }));
    expect(windowed.panes.slice(0, 3).map(({ look }) => look.window.kind)).toEqual(["manual", "manual", "manual"]);
    expect(windowed.panes[3]?.look.window.kind).toBe("filed");
    const slab = nextSlabMode()(on);
    expect(activeMpr(slab)?.slab).toEqual({ mode: "mip", thicknessMm: 10 });
    expect(activeMpr(stepSlab(1)(slab))?.slab.thicknessMm).toBe(15);
    expect(activeMpr(stepSlab(-1)(slab))?.slab.thicknessMm).toBe(9);
    const cursor = { lps: [3, -2, 4] as const, frameOfReferenceUid: "1.2", paneId: "" };
    near(activeMpr(after(on, setCursor(cursor)))?.center as Triple, [3, -2, 4]);
    expect(activeMpr(after(on, setCursor({ ...cursor, frameOfReferenceUid: "9" })))?.center).toEqual(activeMpr(on)?.center);
  });

  test("keeps the crossing where it is on a picture that was zoomed, when its plane is turned", () => {
    const on = activatePane("3")(toggleMpr()(opened()));
    const id = on.panes[1]?.id ?? "";
    const view = { center: { x: 5, y: 9 }, scale: 7, rotationDeg: 0, mirrored: false };
    const zoomed: ViewerState = { ...on, panes: on.panes.map((pane) => (pane.id === id ? { ...pane, look: { ...pane.look, view, isFitted: false } } : pane)) };
    const start = activeMpr(zoomed) as Mpr;
    const turned = after(putCenter([1, 2, 3])(zoomed), turnFrom(start, "axial", ["coronal", "sagittal"], 0.5));
    const at = (state: ViewerState): number[] => {
      const pane = state.panes[1] as (typeof state.panes)[number];
      const facts = imageIn(state, pane);
      const plane = facts === undefined ? null : planeOf(facts);
      if (facts === undefined || plane === null || pane.look.view === null) {
        throw new Error("no plane");
      }
      const size = { width: 300, height: 300 };
      const { center } = crosshairOn("coronal", activeMpr(state) as Mpr, plane, canvasFromImage(pane.look.view, extentOf(facts), size), size);
      return [center.x, center.y];
    };
    const before = at(putCenter([1, 2, 3])(zoomed));
    at(turned).forEach((value, axis) => expect(value).toBeCloseTo(before[axis] as number, 6));
  });
});

describe("who cuts the planes", () => {
  afterEach(() => vi.unstubAllGlobals());

  /** Two bytes a voxel, of which a volume may have four fifths of the cache. */
  const VOLUME_BYTES = 2 * SLICES * ROWS * COLUMNS;

  function reason(cacheBytes: number, says: { deviceMemory?: number; isServerDrawn?: boolean; needsTables?: boolean } = {}): ServerReason {
    vi.stubGlobal("navigator", { deviceMemory: says.deviceMemory });
    const images = stack().images.map((image) => ({ ...image, bytes: 2 * ROWS * COLUMNS }));
    const unused = null as never;
    const volumes = new Volumes(unused, new FrameCache(cacheBytes), unused, says.isServerDrawn ?? false, () => undefined);
    return volumes.serverReason({ ...plan(), needsTables: says.needsTables ?? false }, { ...stack(), images });
  }

  test("the page, as long as four fifths of its cache hold the volume", () => {
    expect(reason(VOLUME_BYTES / 0.8)).toBe("");
    expect(reason(VOLUME_BYTES / 0.8 - 10)).toBe("memory");
  });

  test("on a machine with little memory half of that", () => {
    expect(reason(VOLUME_BYTES / 0.8, { deviceMemory: 2 })).toBe("memory");
    expect(reason(VOLUME_BYTES / 0.4, { deviceMemory: 2 })).toBe("");
    expect(reason(VOLUME_BYTES / 0.8, { deviceMemory: 4 })).toBe("");
  });

  test("the server where only it has the values, or where it draws everything", () => {
    expect(reason(1 << 30, { needsTables: true })).toBe("tables");
    expect(reason(1 << 30, { isServerDrawn: true })).toBe("chosen");
  });
});
