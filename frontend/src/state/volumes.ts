/** Volumes in the state: three planes on the page, how they are moved and turned, and what panes share. */

import type { Triple } from "../core/facts";
import {
  firstMpr,
  FIRST_SLAB,
  moveBySteps,
  moveCenter,
  placeOf,
  PLANE_NAMES,
  resetPlanes,
  SLAB_MODES,
  THICKEST_MM,
  turnPlanes,
  type Mpr,
  type PlaneName,
  type Slab,
} from "../core/mpr";
import { imageFromLps, planeOf } from "../core/planes";
import { curvedPanes, curveOf, curveStep, goAlongCurve, isAlong, isCurvedOn, isCut } from "./curves";
import { activePane, AS_STACK, FIRST_LOOK, paneOf, planeImageIn, planIn } from "./panes";
import type { Look, PaneState, ViewerState, VolumeState } from "./store";

type Change = (state: ViewerState) => ViewerState;

const MPR_LAYOUT = { rows: 2, columns: 2 };

export function isMprOn(state: ViewerState): boolean {
  return state.beforeMpr !== null && !isCurvedOn(state) && state.panes.some(({ shows }) => shows === "plane");
}

/** The active pane's series as three planes and, in the fourth place, its volume; again: as it was. */
export function toggleMpr(): Change {
  return (state) => (isMprOn(state) ? leaveMpr()(state) : openMpr()(state));
}

function openMpr(): Change {
  return (state) => {
    const { seriesId, look, fusion } = activePane(state);
    if (seriesId === "") {
      return state;
    }
    const free = Math.max(0, ...state.panes.map(({ id }) => Number(id))) + 1;
    const seen: Look = { ...FIRST_LOOK, window: look.window, invert: look.invert, colourMap: look.colourMap, smooth: look.smooth };
    const base = { ...AS_STACK, seriesId, hang: null, wanted: null, fusion: fusion ?? null };
    const panes: PaneState[] = [
      ...PLANE_NAMES.map((plane, place) => ({ ...base, id: `${free + place}`, shows: "plane" as const, plane, look: seen })),
      { ...base, id: `${free + PLANE_NAMES.length}`, shows: "volume", look },
    ];
    return onPlanes(state, panes);
  };
}

/** Puts panes of a volume in place of what is there, which comes back with `leaveMpr`. */
function onPlanes(state: ViewerState, panes: readonly PaneState[]): ViewerState {
  const isBefore = state.beforeMpr !== null && (isMprOn(state) || isCurvedOn(state));
  const beforeMpr = isBefore ? state.beforeMpr : { layout: state.layout, panes: state.panes, activePaneId: state.activePaneId };
  const cine = { ...state.cine, isPlaying: false };
  const activePaneId = panes[0]?.id ?? state.activePaneId;
  return { ...state, layout: MPR_LAYOUT, panes, activePaneId, isMaximised: false, beforeMpr, beforePrior: null, cine };
}

/** Planes to draw a line on, the picture along it and the plane across it; again: as it was. */
export function toggleCurved(): Change {
  return (state) => {
    if (isCurvedOn(state)) {
      const left = leaveMpr()(state);
      return left.tool === "curve" ? { ...left, tool: state.preferences.mouse.left ?? "window" } : left;
    }
    const { seriesId, look } = activePane(state);
    if (seriesId === "") {
      return state;
    }
    const free = Math.max(0, ...state.panes.map(({ id }) => Number(id))) + 1;
    const seen: Look = { ...FIRST_LOOK, window: look.window, invert: look.invert, colourMap: look.colourMap, smooth: look.smooth };
    const opened = onPlanes(state, curvedPanes(seriesId, seen, free, { ...AS_STACK, hang: null, wanted: null, fusion: null }));
    return curveOf(state, seriesId).wish.points.length < 2 ? { ...opened, tool: "curve" } : opened;
  };
}

/** The page as it was before a volume took it. */
export function leaveMpr(): Change {
  return (state) => {
    const { beforeMpr } = state;
    return beforeMpr === null ? state : { ...state, ...beforeMpr, isMaximised: false, beforeMpr: null, cine: { ...state.cine, isPlaying: false } };
  };
}

/** The active pane shows one plane of its series, or the images again. */
export function togglePlane(plane: PlaneName): Change {
  return (state) => {
    const active = activePane(state);
    const isShown = active.shows === "plane" && active.plane === plane;
    const shown: Partial<PaneState> = isShown
      ? { ...AS_STACK, look: state.looks.get(active.seriesId) ?? FIRST_LOOK }
      : { shows: "plane", plane, hang: null, wanted: null, look: { ...active.look, view: null, isFitted: true, filters: [] } };
    const panes = state.panes.map((pane) => (pane.id === active.id && pane.seriesId !== "" ? { ...pane, ...shown } : pane));
    return { ...state, panes };
  };
}

/** The active pane shows its series as a body, or the images again. */
export function toggleBody(): Change {
  return (state) => {
    const active = activePane(state);
    const isShown = active.shows === "volume";
    const shown: Partial<PaneState> = isShown
      ? { ...AS_STACK, look: state.looks.get(active.seriesId) ?? FIRST_LOOK }
      : { shows: "volume", hang: null, wanted: null };
    const panes = state.panes.map((pane) => (pane.id === active.id && pane.seriesId !== "" ? { ...pane, ...shown } : pane));
    return { ...state, panes, cine: { ...state.cine, isPlaying: false } };
  };
}

// --- what the server plans ----------------------------------------------------------------------
export function setVolume(seriesId: string, volume: VolumeState): Change {
  return (state) => {
    const volumes = new Map(state.volumes).set(seriesId, volume);
    if (volume.kind !== "ready") {
      return { ...state, volumes };
    }
    const [mpr, slab] = [firstMpr(volume.plan, state.mpr.get(seriesId)), state.slabs?.get(seriesId)];
    const slabs = new Map(state.slabs);
    slabs.delete(seriesId);
    return { ...state, volumes, slabs, mpr: new Map(state.mpr).set(seriesId, slab === undefined ? mpr : { ...mpr, slab }) };
  };
}

/** Forgets the plan, so that it is asked for again. */
export function forgetVolume(seriesId: string): Change {
  return (state) => {
    const volumes = new Map(state.volumes);
    return volumes.delete(seriesId) ? { ...state, volumes } : state;
  };
}

// --- planes ----------------------------------------------------------------------------------------
/** How the active pane's volume is cut. */
export function activeMpr(state: ViewerState): Mpr | undefined {
  return state.mpr.get(activePane(state).seriesId);
}

function changeMpr(change: (mpr: Mpr, state: ViewerState) => Mpr): Change {
  return (state) => {
    const { seriesId } = activePane(state);
    const mpr = state.mpr.get(seriesId);
    const next = mpr === undefined ? undefined : change(mpr, state);
    return next === undefined || next === mpr ? state : { ...state, mpr: new Map(state.mpr).set(seriesId, next) };
  };
}

/** Where the active pane's plane stands among its steps; null when it shows none. */
export function activePlace(state: ViewerState): { readonly index: number; readonly count: number } | null {
  const pane = activePane(state);
  const [plan, mpr] = [planIn(state, pane), state.mpr.get(pane.seriesId)];
  if (isAlong(pane)) {
    return curveStep(state, pane.seriesId) ?? { index: 0, count: 0 };
  }
  return pane.shows !== "plane" || plan === null || mpr === undefined ? null : placeOf(mpr, pane.plane, plan);
}

/** Moves the active pane's plane to a step of the volume, counted from 0. */
export function goToStep(index: number): Change {
  return (state) => {
    const pane = activePane(state);
    if (isAlong(pane)) {
      return goAlongCurve(pane.seriesId, index)(state);
    }
    const [plan, place] = [planIn(state, pane), activePlace(state)];
    if (plan === null || place === null) {
      return state;
    }
    const wanted = Math.min(place.count - 1, Math.max(0, Math.round(index)));
    return changeMpr((mpr) => moveBySteps(mpr, pane.plane, plan, wanted - place.index))(state);
  };
}

/** Puts the crossing of the active pane's planes at a point. */
export function putCenter(lps: Triple): Change {
  return (state) => {
    const plan = planIn(state, activePane(state));
    return plan === null ? state : changeMpr((mpr) => moveCenter(mpr, plan, lps))(state);
  };
}

/** Turns planes as they were at the start of a drag. */
export function turnFrom(start: Mpr, seen: PlaneName, turned: readonly PlaneName[], angle: number): Change {
  return changeMpr((now) => ({ ...now, axes: turnPlanes(start, seen, turned, angle).axes }));
}

export function resetMpr(): Change {
  return (state) => {
    const plan = planIn(state, activePane(state));
    return plan === null ? state : changeMpr((mpr) => ({ ...resetPlanes(mpr, plan), slab: { ...FIRST_SLAB } }))(state);
  };
}

export function setSlab(slab: Partial<Slab>): Change {
  return changeMpr((mpr) => {
    const wanted = { ...mpr.slab, ...slab };
    const thicknessMm = Math.min(THICKEST_MM, Math.max(0.5, wanted.thicknessMm || FIRST_SLAB.thicknessMm));
    return { ...mpr, slab: { ...wanted, thicknessMm } };
  });
}

/** Thin, highest, lowest, mean, and thin again. */
export function nextSlabMode(): Change {
  return (state) => {
    const mode = activeMpr(state)?.slab.mode ?? "thin";
    const next = SLAB_MODES[(SLAB_MODES.indexOf(mode) + 1) % SLAB_MODES.length] ?? "thin";
    return setSlab({ mode: next })(state);
  };
}

const FINE_MM = 5;

/** A millimetre more or less, of thick slabs five; a thin plane becomes a slab of the highest values. */
export function stepSlab(way: 1 | -1): Change {
  return (state) => {
    const slab = activeMpr(state)?.slab;
    if (slab === undefined || (slab.mode === "thin" && way < 0)) {
      return state;
    }
    if (slab.mode === "thin") {
      return setSlab({ mode: "mip" })(state);
    }
    const by = slab.thicknessMm + way > FINE_MM * 2 ? FINE_MM : 1;
    const thicknessMm = slab.thicknessMm + way * by;
    return setSlab(thicknessMm < 1 ? { mode: "thin" } : { thicknessMm })(state);
  };
}

export function toggleCrosshair(): Change {
  return (state) => ({ ...state, hasCrosshair: !state.hasCrosshair });
}

/** Another time point of the series, counted from 0; its volume is planned anew. */
export function stepTimePoint(by: 1 | -1): Change {
  return (state) => {
    const { seriesId } = activePane(state);
    const [plan, mpr] = [planIn(state, activePane(state)), state.mpr.get(seriesId)];
    const next = (plan?.timePoint ?? 0) + by;
    if (plan === null || mpr === undefined || next < 0 || next >= plan.timePoints) {
      return state;
    }
    return forgetVolume(seriesId)({ ...state, mpr: new Map(state.mpr).set(seriesId, { ...mpr, timePoint: next }) });
  };
}

// --- what panes share --------------------------------------------------------------------------------
/** The rule: planes of one volume share their window; a picture that is turned stays where it was held. */
export function followPlanes(before: ViewerState, after: ViewerState): ViewerState {
  if (!after.panes.some((pane) => isCut(pane))) {
    return after;
  }
  const moved = followCursor(before, after);
  const active = activePane(moved);
  const was = paneOf(before, active.id);
  let isChanged = moved !== after;
  const panes = moved.panes.map((pane) => {
    if (!isCut(pane)) {
      return pane;
    }
    const shared = was === undefined || pane.seriesId !== active.seriesId ? null : sharedLook(was, active, pane);
    const view = pane.shows === "plane" ? heldView(before, moved, pane) : null;
    isChanged = isChanged || shared !== null || view !== null;
    return shared === null && view === null ? pane : { ...pane, look: { ...pane.look, ...shared, ...view } };
  });
  return isChanged ? { ...moved, panes } : after;
}

function sharedLook(was: PaneState, active: PaneState, pane: PaneState): Partial<Look> | null {
  const isSame = was.seriesId === active.seriesId && was.shows === active.shows;
  if (!isSame || !isCut(active) || pane.id === active.id || was.look === active.look) {
    return null;
  }
  const { window, invert, colourMap } = active.look;
  const isChanged = was.look.window !== window || was.look.invert !== invert || was.look.colourMap !== colourMap;
  return isChanged ? { window, invert, colourMap } : null;
}

/** Turning a plane makes its picture larger or smaller; the crossing stays where it is on the screen. */
function heldView(before: ViewerState, after: ViewerState, pane: PaneState): Partial<Look> | null {
  const { view, isFitted } = pane.look;
  const old = paneOf(before, pane.id);
  const mpr = after.mpr.get(pane.seriesId);
  if (view === null || isFitted || old === undefined || mpr === undefined || before.mpr === after.mpr || old.plane !== pane.plane) {
    return null;
  }
  const [facts, now] = [planeImageIn(before, old)?.facts, planeImageIn(after, pane)?.facts];
  const [from, to] = [facts === undefined ? null : planeOf(facts), now === undefined ? null : planeOf(now)];
  if (from === null || to === null || facts === now) {
    return null;
  }
  const [at, goal] = [imageFromLps(from, mpr.center), imageFromLps(to, mpr.center)];
  const by = from.stepX / to.stepX;
  const center = { x: goal.x + (view.center.x - at.x) * by, y: goal.y + (view.center.y - at.y) * by };
  return { view: { ...view, center, scale: view.scale / by } };
}

/** The planes cross where the 3D cursor is put. */
function followCursor(before: ViewerState, after: ViewerState): ViewerState {
  const { cursor } = after;
  if (cursor === null || cursor === before.cursor) {
    return after;
  }
  const mpr = new Map(after.mpr);
  for (const [seriesId, volume] of after.volumes) {
    const now = mpr.get(seriesId);
    if (now !== undefined && volume.kind === "ready" && volume.plan.frameOfReferenceUid === cursor.frameOfReferenceUid) {
      mpr.set(seriesId, moveCenter(now, volume.plan, cursor.lps));
    }
  }
  return { ...after, mpr };
}
