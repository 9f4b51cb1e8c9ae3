/** Every way in which the state can change. */

import { FILTERS, type Filter, type FilterName } from "../core/enhance";
import type { ImageFacts, Series, Stack } from "../core/facts";
import type { Preferences } from "../core/preferences";
import type { View } from "../core/view";
import type { WindowChoice } from "../core/voi";
import { firstLookIn } from "./fusion";
import { activePane, changeLooksAt, changePane, FIRST_LOOK, imageIn, openIn, seriesIn, stackIn } from "./panes";
import { isCut } from "./curves";
import { activePlace, goToStep } from "./volumes";
import type { Cine, Look, PaneState, StackState, ToolName, ViewerState } from "./store";

const DEFAULT_FPS = 15;
const SLOWEST_FPS = 1;
const FASTEST_FPS = 60;

type Change = (state: ViewerState) => ViewerState;

export function activeSeries(state: ViewerState): Series | undefined {
  return seriesIn(state, activePane(state));
}

export function activeStack(state: ViewerState): Stack | null {
  return stackIn(state, activePane(state));
}

export function activeLook(state: ViewerState): Look {
  return activePane(state).look;
}

export function activeImage(state: ViewerState): ImageFacts | undefined {
  return imageIn(state, activePane(state));
}

export function setStack(seriesId: string, stack: StackState): Change {
  return (state) => {
    const changed = { ...state, stacks: new Map(state.stacks).set(seriesId, stack) };
    return stack.kind === "ready" ? keepIndexInside(changed, seriesId, stack.stack) : changed;
  };
}

/** A newer list of the study's series; without one on the screen, the first with pictures is opened. */
export function renewSeries(newer: readonly Series[]): Change {
  return (state) => {
    const ofPriors = state.series.filter(({ studyId }) => state.priors.some(({ study }) => study.id === studyId));
    const series = [...newer, ...ofPriors];
    const first = newer.find(({ displayable }) => displayable) ?? newer[0];
    const isThere = (id: string): boolean => series.some((one) => one.id === id);
    const panes = state.panes.map((pane) => {
      const isLost = pane.id === state.activePaneId && !isThere(pane.seriesId);
      return isLost ? { ...pane, seriesId: first?.id ?? "", look: FIRST_LOOK } : pane;
    });
    return { ...state, series, panes };
  };
}

/** A newer stack of a series; the image that was looked at stays, wherever it stands now. */
export function renewStack(seriesId: string, stack: Stack): Change {
  return (state) => {
    const before = state.stacks.get(seriesId);
    if (before?.kind !== "ready") {
      return setStack(seriesId, { kind: "ready", stack })(state);
    }
    if (before.stack.version === stack.version) {
      return offerAnew(before.stack, stack)(state);
    }
    const { images } = before.stack;
    const moved = changeLooksAt(seriesId, (look) => {
      const found = stack.images.findIndex(({ key }) => key === images[look.index]?.key);
      return { ...look, index: found < 0 ? look.index : found };
    })(state);
    return setStack(seriesId, { kind: "ready", stack })(moved);
  };
}

/** The same images, for which the server knows windows or uptake by now. */
function offerAnew(stack: Stack, { presets, presetsWhyNot, suvFactor, suvFactors, suvMissing }: Stack): Change {
  const offer = { presets, presetsWhyNot, suvFactor, ...(suvFactors && { suvFactors }), ...(suvMissing && { suvMissing }) };
  const next: Stack = { ...stack, ...offer };
  return JSON.stringify({ ...next, images: 0 }) === JSON.stringify({ ...stack, images: 0 })
    ? (state) => state
    : setStack(stack.seriesId, { kind: "ready", stack: next });
}

function keepIndexInside(state: ViewerState, seriesId: string, stack: Stack): ViewerState {
  const last = Math.max(0, stack.images.length - 1);
  const isOutside = ({ look, seriesId: id }: PaneState): boolean => id === seriesId && look.index > last;
  if (!state.panes.some(isOutside) && (state.looks.get(seriesId)?.index ?? 0) <= last) {
    return state;
  }
  return changeLooksAt(seriesId, (look) => ({ ...look, index: Math.min(look.index, last) }))(state);
}

/** Shows a series in the active pane. */
export function openSeries(seriesId: string): Change {
  return (state) => openIn(activePane(state).id, seriesId)(state);
}

/** Opens the series `step` places further in the strip; the ends hold. */
export function stepSeries(step: number): Change {
  return (state) => {
    const at = state.series.findIndex(({ id }) => id === activePane(state).seriesId);
    const next = state.series[Math.min(Math.max(at + step, 0), state.series.length - 1)];
    return next === undefined ? state : openSeries(next.id)(state);
  };
}

function look(change: (now: Look) => Partial<Look>): Change {
  return (state) => changePane(activePane(state).id, (pane) => ({ ...pane, look: { ...pane.look, ...change(pane.look) } }))(state);
}

/** Where the active pane stands among what it can show: images of the stack, or a plane's steps. */
export function placeInSight(state: ViewerState): { readonly index: number; readonly count: number } {
  return activePlace(state) ?? { index: activeLook(state).index, count: activeStack(state)?.images.length ?? 0 };
}

export function goTo(index: number): Change {
  return (state) => {
    if (isCut(activePane(state))) {
      return goToStep(index)(state);
    }
    const count = activeStack(state)?.images.length ?? 0;
    const now = activeLook(state);
    const next = Math.min(Math.max(Math.round(index), 0), Math.max(0, count - 1));
    if (next === now.index) {
      return state;
    }
    return look(() => ({ index: next, direction: next > now.index ? 1 : -1 }))(state);
  };
}

export function step(by: number): Change {
  return (state) => goTo(placeInSight(state).index + by)(state);
}

/** The next image of a film; null at its end, when it does not repeat. Only stacks run back. */
export function nextOfFilm(state: ViewerState): Pick<Look, "index" | "direction"> | null {
  const { index, count } = placeInSight(state);
  const { loops, swings } = state.cine;
  const isSwinging = loops && swings && count > 1 && !isCut(activePane(state));
  const onward = index >= count - 1 ? -1 : index <= 0 ? 1 : activeLook(state).direction;
  const direction = isSwinging ? onward : 1;
  if (index + direction < count) {
    return { index: index + direction, direction };
  }
  return loops ? { index: 0, direction: 1 } : null;
}

export function stepRound(): Change {
  return (state) => {
    const next = nextOfFilm(state);
    if (next === null) {
      return setCine({ isPlaying: false })(state);
    }
    return isCut(activePane(state)) ? goToStep(next.index)(state) : look(() => next)(state);
  };
}

/** Starts or stops the film; one that ended and does not repeat starts from its first image. */
export function togglePlaying(): Change {
  return (state) => {
    const { count } = placeInSight(state);
    const isPlaying = count > 1 && !state.cine.isPlaying;
    const isOver = isPlaying && nextOfFilm(state) === null;
    return setCine({ isPlaying })(isOver ? goTo(0)(state) : state);
  };
}

/** Again from the start, there and back, once. */
export function turnRepeat(): Change {
  return (state) => {
    const { loops, swings } = state.cine;
    return setCine(!loops ? { loops: true, swings: false } : swings ? { loops: false, swings: false } : { swings: true })(state);
  };
}

export function setWindow(window: WindowChoice): Change {
  return look(() => ({ window }));
}

/** Moves or zooms: the reader's own choice, which a resize leaves alone. */
export function setView(view: View): Change {
  return look(() => ({ view, isFitted: false }));
}

/** Turns or mirrors: a fitted picture stays fitted. */
export function turnView(view: View): Change {
  return look(() => ({ view }));
}

export function fit(): Change {
  return look(() => ({ isFitted: true }));
}

export function toggleInvert(): Change {
  return look((now) => ({ invert: !now.invert }));
}

export function setFilters(filters: readonly Filter[]): Change {
  return look(() => ({ filters }));
}

/** Switches one filter on with a strength, or off with null; they stand in the order of their work. */
export function setFilter(name: FilterName, strength: number | null): Change {
  return look(({ filters }) => {
    const others = filters.filter((one) => one.name !== name);
    const all = strength === null ? others : [...others, { name, strength }];
    return { filters: all.sort((a, b) => FILTERS.indexOf(a.name) - FILTERS.indexOf(b.name)) };
  });
}

export function toggleFilter(name: FilterName): Change {
  return (state) => {
    const isOn = activeLook(state).filters.some((one) => one.name === name);
    return setFilter(name, isOn ? null : 1)(state);
  };
}

export function setColourMap(colourMap: string): Change {
  return look(() => ({ colourMap }));
}

export function isSmooth(state: ViewerState, { smooth }: Look): boolean {
  return smooth ?? state.preferences.smooth;
}

export function setPreferences(preferences: Preferences): Change {
  return (state) => ({ ...state, preferences });
}

export function toggleSmooth(): Change {
  return (state) => look((now) => ({ smooth: !isSmooth(state, now) }))(state);
}

export function toggleOverlays(): Change {
  return look((now) => ({ hasOverlays: !now.hasOverlays }));
}

export function toggleShutter(): Change {
  return look((now) => ({ hasShutter: !now.hasShutter }));
}

/** Back to how the file is meant to be seen; the place in the stack stays. */
export function resetLook(): Change {
  return (state) => {
    const first = firstLookIn(state, activePane(state));
    return look((now) => ({ ...first, index: now.index, direction: now.direction }))(state);
  };
}

export function setTool(tool: ToolName): Change {
  return (state) => ({ ...state, tool });
}

export function setCine(cine: Partial<Cine>): Change {
  return (state) => {
    const wished = cine.framesPerSecond ?? state.cine.framesPerSecond;
    const framesPerSecond = Math.min(FASTEST_FPS, Math.max(SLOWEST_FPS, Math.round(wished)));
    return { ...state, cine: { ...state.cine, ...cine, framesPerSecond } };
  };
}

/** The film's own speed when the file knows it. */
export function filedSpeed(facts: ImageFacts | undefined, otherwise: number | null): number {
  const time = facts?.frameTimeMs ?? null;
  return time !== null && time > 0 ? Math.round(1000 / time) : (otherwise ?? DEFAULT_FPS);
}

export function setStripOpen(isStripOpen: boolean): Change {
  return (state) => ({ ...state, isStripOpen });
}

export function setHelpOpen(isHelpOpen: boolean): Change {
  return (state) => ({ ...state, isHelpOpen });
}

/** Opens a panel of the right side by its id, in place of the one that is open; empty closes it. */
export function setOpenPanel(openPanel: string): Change {
  return (state) => (state.openPanel === openPanel ? state : { ...state, openPanel });
}

export function togglePanel(id: string): Change {
  return (state) => setOpenPanel(state.openPanel === id ? "" : id)(state);
}
