/** How the panes stand: grids from 1 × 1 to 5 × 5, one pane over the whole page and back. */

import { activatePane, activePane, AS_STACK, FIRST_LOOK } from "./panes";
import type { Layout, PaneState, ViewerState } from "./store";

export const MOST_ROWS = 5;
export const MOST_COLUMNS = 5;

type Change = (state: ViewerState) => ViewerState;

/**
 * Puts the panes into another grid. Those that are there stay, the active one in any case; new ones
 * take the series that are not on the page yet, in the order of the strip.
 */
export function setLayout(wished: Layout): Change {
  return (state) => {
    const layout = { rows: within(wished.rows, MOST_ROWS), columns: within(wished.columns, MOST_COLUMNS) };
    const count = layout.rows * layout.columns;
    const kept = state.panes.slice(0, count);
    const active = activePane(state);
    if (!kept.some(({ id }) => id === active.id)) {
      kept[count - 1] = active;
    }
    const panes = [...kept, ...newPanes(state, kept, count - kept.length)];
    return { ...state, layout, panes, activePaneId: active.id, isMaximised: false, beforePrior: null };
  };
}

function newPanes(state: ViewerState, kept: readonly PaneState[], count: number): PaneState[] {
  const waiting = state.series.filter(({ id, displayable }) => displayable && !kept.some(({ seriesId }) => seriesId === id));
  const free = Math.max(0, ...state.panes.map(({ id }) => Number(id))) + 1;
  return Array.from({ length: Math.max(0, count) }, (_, place) => {
    const seriesId = waiting[place]?.id ?? "";
    return { ...AS_STACK, id: `${free + place}`, seriesId, look: state.looks.get(seriesId) ?? FIRST_LOOK, hang: null, wanted: null };
  });
}

/** The active pane alone, or all of them again. */
export function toggleMaximised(): Change {
  return (state) => (state.panes.length < 2 ? state : { ...state, isMaximised: !state.isMaximised });
}

/** Makes the next pane active; the first one follows the last. */
export function stepPane(by: number): Change {
  return (state) => {
    const at = state.panes.findIndex(({ id }) => id === state.activePaneId);
    const { length } = state.panes;
    const next = state.panes[(((at + by) % length) + length) % length];
    return next === undefined ? state : activatePane(next.id)(state);
  };
}

function within(count: number, most: number): number {
  return Math.min(most, Math.max(1, Math.round(count)));
}
