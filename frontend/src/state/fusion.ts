/** Which series lies over which pane, how, and the first look at PET. */

import type { Fusion } from "../core/fusion";
import { firstFusion } from "../core/fusion";
import type { Series, Stack } from "../core/facts";
import { choiceOf, type Preset } from "../core/presets";
import { shownScale, type ShownScale, type SuvKind } from "../core/suv";
import type { FusionWish } from "../core/export-wish";
import { activePane, FIRST_LOOK, paneOf, seriesIn, stackIn } from "./panes";
import type { Look, PaneState, ViewerState } from "./store";

type Change = (state: ViewerState) => ViewerState;

/** The window in which uptake is first seen; a preset's code. */
const USUAL_SUV = [0, 10] as const;
const FIRST_SUV = "suv7";

export function suvKindOf(state: ViewerState): SuvKind {
  return state.suvKind ?? "bw";
}

/** What is shown of a PET's values; null where they are no uptake, or it is not known how to make SUV of them. */
export function uptakeIn(state: ViewerState, series: Series): ShownScale | null {
  const found = state.stacks.get(series.id);
  const scale = found?.kind === "ready" ? shownScale(series, found.stack, suvKindOf(state)) : null;
  return scale === null || scale.kind === null ? null : scale;
}

/** The presets of a stack; those in SUV are of the kind that the reader wants. */
export function presetsIn(state: ViewerState, { presets, suvFactors }: Pick<Stack, "presets" | "suvFactors">): readonly Preset[] {
  const [byWeight, wanted] = [suvFactors?.["bw"], suvFactors?.[suvKindOf(state)]];
  if (byWeight === undefined || wanted === undefined || byWeight === wanted) {
    return presets;
  }
  const by = byWeight / wanted;
  const turn = (preset: Preset): Preset => {
    const { window } = preset;
    return window === null ? preset : { ...preset, window: { center: window.center * by, width: window.width * by } };
  };
  return presets.map(turn);
}

/** Shows uptake as another kind of SUV; windows that were chosen by a preset keep its numbers. */
export function setSuvKind(suvKind: SuvKind): Change {
  return (state) => {
    const next = { ...state, suvKind };
    const panes = next.panes.map((pane) => {
      const { window } = pane.look;
      const stack = stackIn(next, pane);
      const preset = stack === null || window.kind !== "preset" ? undefined : presetsIn(next, stack).find(({ label }) => label === window.name);
      return preset === undefined ? pane : { ...pane, look: { ...pane.look, window: choiceOf(preset) } };
    });
    return { ...next, panes };
  };
}

export function fusionIn(pane: PaneState): Fusion | null {
  return pane.fusion ?? null;
}

/** Lays a series over a pane; that it may is for the caller to know. */
export function fuse(paneId: string, seriesId: string): Change {
  return (state) => {
    const series = state.series.find(({ id }) => id === seriesId);
    return series === undefined ? state : setFusion(paneId, firstFusion(series))(state);
  };
}

export function unfuse(paneId: string): Change {
  return setFusion(paneId, null);
}

export function changeFusion(paneId: string, change: Partial<Fusion>): Change {
  return (state) => {
    const now = paneOf(state, paneId)?.fusion ?? null;
    return now === null ? state : setFusion(paneId, { ...now, ...change })(state);
  };
}

/** The active pane with and without what lies over it. */
export function toggleOverlay(): Change {
  return (state) => {
    const pane = activePane(state);
    return pane.fusion == null ? state : changeFusion(pane.id, { isHidden: !pane.fusion.isHidden })(state);
  };
}

/** Planes of one volume are fused alike. */
function setFusion(paneId: string, fusion: Fusion | null): Change {
  return (state) => {
    const target = paneOf(state, paneId);
    if (target === undefined) {
      return state;
    }
    const isMeant = (pane: PaneState): boolean =>
      pane.id === paneId || (target.shows === "plane" && pane.shows === "plane" && pane.seriesId === target.seriesId);
    return { ...state, panes: state.panes.map((pane) => (isMeant(pane) ? { ...pane, fusion } : pane)) };
  };
}

/** The rule: another series in a pane takes the overlay with it, unless it came with one of its own. */
export function dropFusions(before: ViewerState, after: ViewerState): ViewerState {
  if (before.panes === after.panes) {
    return after;
  }
  const isStale = (pane: PaneState): boolean => {
    const was = paneOf(before, pane.id);
    return pane.fusion != null && was !== undefined && was.seriesId !== pane.seriesId && was.fusion === pane.fusion;
  };
  return after.panes.some(isStale)
    ? { ...after, panes: after.panes.map((pane) => (isStale(pane) ? { ...pane, fusion: null } : pane)) }
    : after;
}

/** What lies over the active pane's pictures, as an export is asked for it; null: nothing. */
export function fusionWish(state: ViewerState): FusionWish | null {
  const { fusion } = activePane(state);
  const over = state.series.find(({ id }) => id === fusion?.seriesId);
  if (fusion == null || fusion.isHidden || over === undefined) {
    return null;
  }
  const found = state.stacks.get(over.id);
  const images = found?.kind === "ready" ? found.stack.images : [];
  const uptake = uptakeIn(state, over);
  const filed = images[Math.floor(images.length / 2)]?.windows[0];
  const usual = filed === undefined ? null : ([filed.center - filed.width / 2, filed.center + filed.width / 2] as const);
  const factor = uptake?.factor ?? 1;
  const ends = (fusion.ends ?? (uptake === null ? null : USUAL_SUV))?.map((end) => end / factor) ?? usual;
  const { colourMap: colormap, opacity, isSeeThrough } = fusion;
  const [low, high] = ends ?? [];
  return { series: over.id, colormap, opacity, see_through: isSeeThrough, ...(low === undefined || high === undefined ? {} : { low, high }) };
}

/**
 * The look that a pane begins with: planes that were made of a volume at their middle. PET is first seen as readers know it: dark uptake on white, from SUV 0
 * where that is known.
 */
export function firstLookIn(state: ViewerState, pane: PaneState): Look {
  const stack = stackIn(state, pane);
  const index = Math.min(stack?.opensAt ?? 0, Math.max(0, (stack?.images.length ?? 0) - 1));
  const first = index === 0 ? FIRST_LOOK : { ...FIRST_LOOK, index };
  if (seriesIn(state, pane)?.modality !== "PT" || stack === null) {
    return first;
  }
  const preset = presetsIn(state, stack).find(({ code }) => code === FIRST_SUV);
  return { ...first, invert: true, window: preset === undefined ? FIRST_LOOK.window : choiceOf(preset) };
}

/**
 * The rule: a pane that nobody has touched yet takes its first look as soon as its stack is there, and
 * the window on uptake as soon as that is known, if nobody has chosen another.
 */
export function seeFirstLook(before: ViewerState, after: ViewerState): ViewerState {
  const isKnownNow = (pane: PaneState): boolean => stackIn(before, pane)?.suvFactor === null && stackIn(after, pane)?.suvFactor !== null;
  const looks = after.panes.map((pane) => {
    if (pane.look === FIRST_LOOK) {
      return firstLookIn(after, pane);
    }
    const { window } = pane.look;
    return window === FIRST_LOOK.window && isKnownNow(pane) ? { ...pane.look, window: firstLookIn(after, pane).window } : pane.look;
  });
  return looks.every((look, place) => look === after.panes[place]?.look)
    ? after
    : { ...after, panes: after.panes.map((pane, place) => ({ ...pane, look: looks[place] ?? pane.look })) };
}
