/**
 * What panes do together. A rule looks at a change of the active pane and lets the others follow, in the
 * same step, as far as geometry proves that they may.
 */

import type { ImageFacts, Series, Stack, Triple } from "../core/facts";
import {
  areParallel,
  imageFromLps,
  heightOver,
  lpsFromImage,
  middleOfPlane,
  nearestSlice,
  planeOf,
  shareSpace,
  type ImagePlane,
} from "../core/planes";
import type { WindowChoice } from "../core/voi";
import { isCut } from "./curves";
import { activePane, imageIn, paneOf, seriesIn, stackIn } from "./panes";
import type { Cursor, LinkName, Links, Look, PaneState, ViewerState } from "./store";

type Change = (state: ViewerState) => ViewerState;

export const NO_LINKS: Links = { scroll: false, window: false, zoom: false, lines: true };

/** Switches a link on or off; linked scrolling starts from where the panes stand now. */
export function toggleLink(name: LinkName): Change {
  return (state) => setLinks({ [name]: !state.links[name] })(state);
}

export function setLinks(wished: Partial<Links>): Change {
  return (state) => {
    const links = { ...state.links, ...wished };
    return { ...state, links, anchors: links.scroll && !state.links.scroll ? anchorsOf(state) : state.anchors };
  };
}

/** Where each pane stood when scrolling was linked, for panes whose places cannot be compared. */
function anchorsOf(state: ViewerState): ReadonlyMap<string, string> {
  return new Map(state.panes.flatMap((pane) => {
    const key = imageIn(state, pane)?.key;
    return key === undefined ? [] : [[pane.id, key] as const];
  }));
}

export function setCursor(cursor: Cursor | null): Change {
  return (state) => ({ ...state, cursor });
}

/** How a pane goes along with the active one when scrolling is linked. */
export type Bond = "none" | "place" | "offset";

export function bondOf(state: ViewerState, pane: PaneState): Bond {
  const [source, own] = [planeIn(state, activePane(state)), planeIn(state, pane)];
  if (isCut(pane) || isCut(activePane(state))) {
    return "none";
  }
  if (!state.links.scroll || pane.id === state.activePaneId || source === null || own === null || !areParallel(source, own)) {
    return "none";
  }
  return shareSpace(source, own) ? "place" : "offset";
}

/** The rule: after every change of the state, given the state before it. */
export function followLinks(before: ViewerState, after: ViewerState): ViewerState {
  const withAnchors = keepAnchors(before, after);
  const [was, is] = [paneOf(before, after.activePaneId), activePane(after)];
  if (was === undefined || was.seriesId !== is.seriesId || before.activePaneId !== after.activePaneId) {
    return followCursor(before, withAnchors);
  }
  const { links } = after;
  let panes = withAnchors.panes;
  const others = (change: (pane: PaneState) => Partial<Look> | null): void => {
    panes = panes.map((pane) => {
      const look = pane.id === is.id ? null : change(pane);
      return look === null ? pane : { ...pane, look: { ...pane.look, ...look } };
    });
  };
  if (links.scroll && was.look.index !== is.look.index) {
    others((pane) => followScroll(withAnchors, is, pane));
  }
  if (links.window && was.look.window !== is.look.window) {
    others((pane) => followWindow(withAnchors, is, pane));
  }
  if (links.zoom && (was.look.view !== is.look.view || was.look.isFitted !== is.look.isFitted)) {
    others((pane) => followView({ ...withAnchors, panes }, is, pane));
  }
  return followCursor(before, panes === withAnchors.panes ? withAnchors : remember({ ...withAnchors, panes }));
}

/** A pane that got another series is anchored where it stands when it comes. */
function keepAnchors(before: ViewerState, after: ViewerState): ViewerState {
  if (!after.links.scroll || (before.panes === after.panes && before.stacks === after.stacks)) {
    return after;
  }
  const isLost = (pane: PaneState): boolean => {
    const stack = stackIn(after, pane);
    const key = after.anchors.get(pane.id);
    return stack !== null && !stack.images.some((image) => image.key === key);
  };
  return after.panes.some(isLost) ? { ...after, anchors: anchorsOf(after) } : after;
}

function remember(state: ViewerState): ViewerState {
  const looks = new Map(state.looks);
  state.panes.filter((pane) => pane.seriesId !== "" && !isCut(pane)).forEach(({ seriesId, look }) => looks.set(seriesId, look));
  if (!isCut(activePane(state))) {
    looks.set(activePane(state).seriesId, activePane(state).look);
  }
  return { ...state, looks };
}

function followScroll(state: ViewerState, active: PaneState, pane: PaneState): Partial<Look> | null {
  const [source, stack] = [planeIn(state, active), stackIn(state, pane)];
  const bond = bondOf(state, pane);
  if (source === null || stack === null || bond === "none") {
    return stack === null ? null : followFilm(state, active, pane, stack);
  }
  const planes = planesOf(stack);
  const lps = middleOfPlane(source);
  const target = bond === "place" ? lps : offsetPlace(state, active, pane, source);
  const found = target === null ? null : nearestSlice(planes, target, source);
  if (found === null || !found.isInside || found.index === pane.look.index) {
    return null;
  }
  return { index: found.index, direction: found.index > pane.look.index ? 1 : -1 };
}

/** Films that know no places run side by side, from their first to their last image in the same time. */
function followFilm(state: ViewerState, active: PaneState, pane: PaneState, stack: Stack): Partial<Look> | null {
  const count = stackIn(state, active)?.images.length ?? 0;
  const hasPlaces = planeIn(state, active) !== null || planeIn(state, pane) !== null;
  if (!state.cine.isPlaying || hasPlaces || count < 2 || stack.images.length < 2) {
    return null;
  }
  const index = Math.min(stack.images.length - 1, Math.floor((active.look.index * stack.images.length) / count));
  return index === pane.look.index ? null : { index, direction: active.look.direction };
}

/** As far from the pane's anchor as the active pane is from its own, along the normal. */
function offsetPlace(state: ViewerState, active: PaneState, pane: PaneState, source: ImagePlane): ImagePlane["origin"] | null {
  const [from, own] = [anchorIn(state, active), anchorIn(state, pane)];
  if (from === null || own === null) {
    return null;
  }
  const way = heightOver(from, middleOfPlane(source));
  const { normal } = from;
  const [x, y, z] = middleOfPlane(own);
  return [x + way * normal[0], y + way * normal[1], z + way * normal[2]];
}

function anchorIn(state: ViewerState, pane: PaneState): ImagePlane | null {
  const key = state.anchors.get(pane.id);
  const facts = stackIn(state, pane)?.images.find((image) => image.key === key);
  return facts === undefined ? null : planeOf(facts);
}

/** Values mean the same in both: one modality, one unit, and no colours. */
function followWindow(state: ViewerState, active: PaneState, pane: PaneState): Partial<Look> | null {
  const [one, other] = [seriesIn(state, active), seriesIn(state, pane)];
  const [facts, own] = [imageIn(state, active), imageIn(state, pane)];
  if (one === undefined || facts === undefined || own === undefined || !haveSameValues(one, facts, other, own)) {
    return null;
  }
  const choice = portable(active.look.window);
  return choice === null ? null : { window: choice };
}

function haveSameValues(one: Series, facts: ImageFacts, other: Series | undefined, own: ImageFacts): boolean {
  const isGrey = facts.pixelFormat !== "rgb8" && own.pixelFormat !== "rgb8";
  return isGrey && one.modality === other?.modality && facts.rescaleType === own.rescaleType;
}

/** What a window means without its file; a file's second window is no other file's second one. */
function portable(choice: WindowChoice): WindowChoice | null {
  if (choice.kind === "window" || choice.kind === "table" || choice.kind === "stated") {
    return null;
  }
  return choice.kind === "auto" ? { kind: "auto" } : choice;
}

/** The same millimetres at the same place where that is proven, else only fitted together. */
function followView(state: ViewerState, active: PaneState, pane: PaneState): Partial<Look> | null {
  const { view, isFitted } = active.look;
  if (isFitted) {
    return { isFitted: true };
  }
  const [source, own] = [planeIn(state, active), planeIn(state, pane)];
  if (view === null || source === null || own === null || !areParallel(source, own) || !shareSpace(source, own)) {
    return null;
  }
  const center = imageFromLps(own, lpsFromImage(source, view.center));
  const isAlike = isSameWay(source.row, own.row) && isSameWay(source.column, own.column);
  const turned = isAlike ? view : (pane.look.view ?? { rotationDeg: 0, mirrored: false });
  const scale = (view.scale / source.stepX) * own.stepX;
  return { isFitted: false, view: { center, scale, rotationDeg: turned.rotationDeg, mirrored: turned.mirrored } };
}

function isSameWay(one: ImagePlane["row"], other: ImagePlane["row"]): boolean {
  return one[0] * other[0] + one[1] * other[1] + one[2] * other[2] > 0.99;
}

/** A slice that moved in another window: panes that share its space and stand alike go there, if they scroll together. */
export function followSlice({ lps, normal, frameOfReferenceUid }: { lps: Triple; normal: Triple; frameOfReferenceUid: string }): Change {
  return (state) => {
    if (!state.links.scroll || frameOfReferenceUid === "") {
      return state;
    }
    const panes = state.panes.map((pane) => {
      const [own, stack] = [planeIn(state, pane), stackIn(state, pane)];
      if (isCut(pane) || own === null || stack === null || !areParallel(own, { ...own, normal })) {
        return pane;
      }
      const found = nearestSlice(inSpace(planesOf(stack), frameOfReferenceUid), lps, own);
      const isElsewhere = found === null || !found.isInside || found.index === pane.look.index;
      return isElsewhere ? pane : { ...pane, look: { ...pane.look, index: found.index } };
    });
    return remember({ ...state, panes });
  };
}

/** Every pane that shares the cursor's space shows the slice nearest to it. */
function followCursor(before: ViewerState, after: ViewerState): ViewerState {
  const { cursor } = after;
  if (cursor === null || cursor === before.cursor) {
    return after;
  }
  const panes = after.panes.map((pane) => {
    const stack = pane.id === cursor.paneId || isCut(pane) ? null : stackIn(after, pane);
    const found = stack === null ? null : nearestSlice(inSpace(planesOf(stack), cursor.frameOfReferenceUid), cursor.lps);
    const isElsewhere = found === null || !found.isInside || found.index === pane.look.index;
    return isElsewhere ? pane : { ...pane, look: { ...pane.look, index: found.index } };
  });
  return remember({ ...after, panes });
}

function inSpace(planes: readonly (ImagePlane | null)[], uid: string): readonly (ImagePlane | null)[] {
  return planes.map((plane) => (plane?.frameOfReferenceUid === uid ? plane : null));
}

export function planeIn(state: ViewerState, pane: PaneState): ImagePlane | null {
  const facts = imageIn(state, pane);
  return facts === undefined ? null : planeOf(facts);
}

const planesByStack = new WeakMap<Stack, readonly (ImagePlane | null)[]>();

export function planesOf(stack: Stack): readonly (ImagePlane | null)[] {
  const known = planesByStack.get(stack) ?? stack.images.map((facts) => planeOf(facts));
  planesByStack.set(stack, known);
  return known;
}
