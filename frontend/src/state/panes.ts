/** The panes of the page: what each shows, which one is active, how they stand in a grid. */

import type { ImageFacts, Series, Stack } from "../core/facts";
import { sectionImage } from "../core/curve-facts";
import { planeImage, type PlaneImage } from "../core/plane-facts";
import type { VolumePlan } from "../core/volume-plan";
import { AS_FILED } from "../core/voi";
import { curveOf, isCut, markerMm } from "./curves";
import type { Layout, Look, PaneState, ViewerState } from "./store";

export const FIRST_LOOK: Look = {
  index: 0,
  direction: 1,
  window: AS_FILED,
  invert: false,
  smooth: null,
  hasOverlays: true,
  hasShutter: true,
  filters: [],
  colourMap: "",
  view: null,
  asFrames: false,
  isFitted: true,
};
export const ONE_PANE: Layout = { rows: 1, columns: 1 };

type Change = (state: ViewerState) => ViewerState;

/** A pane as it is when the page opens. */
export function firstPane(seriesId: string): PaneState {
  return { ...AS_STACK, id: "1", seriesId, look: FIRST_LOOK, hang: null, wanted: null };
}

/** What every pane is that was not asked to be another. */
export const AS_STACK: Pick<PaneState, "shows" | "plane"> = { shows: "stack", plane: "axial" };

export function paneOf(state: ViewerState, paneId: string): PaneState | undefined {
  return state.panes.find(({ id }) => id === paneId);
}

/** The pane that keys, tools and panels act on; there is always one. */
export function activePane(state: ViewerState): PaneState {
  return paneOf(state, state.activePaneId) ?? state.panes[0] ?? firstPane("");
}

export function seriesIn(state: ViewerState, pane: PaneState): Series | undefined {
  return state.series.find(({ id }) => id === pane.seriesId);
}

export function stackIn(state: ViewerState, pane: PaneState): Stack | null {
  const stack = state.stacks.get(pane.seriesId);
  return stack?.kind === "ready" ? stack.stack : null;
}

/** What a pane shows, as an image: of the stack, or cut from the volume. */
export function imageIn(state: ViewerState, pane: PaneState): ImageFacts | undefined {
  if (pane.shows === "curved") {
    return curveOf(state, pane.seriesId).picture?.facts;
  }
  if (isCut(pane)) {
    return planeImageIn(state, pane)?.facts;
  }
  return stackIn(state, pane)?.images[pane.look.index];
}

/** How a series is planned as a volume, once that is known. */
export function planIn(state: ViewerState, pane: PaneState): VolumePlan | null {
  const volume = state.volumes.get(pane.seriesId);
  return volume?.kind === "ready" ? volume.plan : null;
}

/** The plane that a pane shows, when it shows one. */
export function planeImageIn(state: ViewerState, pane: PaneState): PlaneImage | null {
  const [plan, stack, mpr] = [planIn(state, pane), stackIn(state, pane), state.mpr.get(pane.seriesId)];
  if (pane.shows === "section" && plan !== null && stack !== null) {
    const curve = curveOf(state, pane.seriesId);
    return curve.picture === null ? null : sectionImage(curve.wish, curve.picture.geometry, markerMm(curve), plan, stack);
  }
  if (pane.shows !== "plane" || plan === null || stack === null || mpr === undefined) {
    return null;
  }
  return planeImage(mpr, pane.plane, plan, stack);
}

export function activatePane(paneId: string): Change {
  return (state) => {
    if (state.activePaneId === paneId || paneOf(state, paneId) === undefined) {
      return state;
    }
    return { ...state, activePaneId: paneId, cine: { ...state.cine, isPlaying: false } };
  };
}

/** Changes one pane; its look is remembered for the next time that its series is opened. */
export function changePane(paneId: string, change: (pane: PaneState) => PaneState): Change {
  return (state) => {
    const before = paneOf(state, paneId);
    const next = before === undefined ? undefined : change(before);
    if (next === undefined || next === before) {
      return state;
    }
    const panes = state.panes.map((pane) => (pane.id === paneId ? next : pane));
    // A plane's picture is no image of the stack: how it lies there says nothing of the stack's own.
    const looks = isCut(next) ? state.looks : new Map(state.looks).set(next.seriesId, next.look);
    return { ...state, panes, looks };
  };
}

/** Changes every look at a series, in whatever pane, and the remembered one. */
export function changeLooksAt(seriesId: string, change: (look: Look) => Look): Change {
  return (state) => {
    const remembered = state.looks.get(seriesId) ?? FIRST_LOOK;
    const panes = state.panes.map((pane) => (pane.seriesId === seriesId ? { ...pane, look: change(pane.look) } : pane));
    return { ...state, panes, looks: new Map(state.looks).set(seriesId, change(remembered)) };
  };
}

/** Shows a series in a pane, as it was looked at last. */
export function openIn(paneId: string, seriesId: string): Change {
  return (state) => {
    const pane = paneOf(state, paneId);
    const isThere = pane?.seriesId === seriesId && pane.shows === "stack";
    if (pane === undefined || isThere || !state.series.some(({ id }) => id === seriesId)) {
      return state;
    }
    const look = state.looks.get(seriesId) ?? FIRST_LOOK;
    const changed = changePane(paneId, () => ({ ...pane, ...AS_STACK, seriesId, look, hang: null, wanted: null }))(state);
    return paneId === state.activePaneId ? { ...changed, cine: { ...state.cine, isPlaying: false } } : changed;
  };
}
