/** Hanging a study, and other studies of the patient beside it. */

import { firstFusion } from "../core/fusion";
import type { Hung, HungPane, Prior } from "../core/hanging";
import type { Slab } from "../core/mpr";
import type { Series, Study } from "../core/facts";
import { MOST_COLUMNS, MOST_ROWS } from "./layouts";
import { setLinks } from "./links";
import { activePane, AS_STACK, FIRST_LOOK, seriesIn, stackIn } from "./panes";
import type { Layout, Look, PaneState, ViewerState } from "./store";

type Change = (state: ViewerState) => ViewerState;

/** The study whose pixels a pane shows. */
export function studyIn(state: ViewerState, pane: PaneState): Study {
  const id = seriesIn(state, pane)?.studyId ?? "";
  return state.priors.find(({ study }) => study.id === id)?.study ?? state.study;
}

export function priorIn(state: ViewerState, pane: PaneState): Prior | undefined {
  const id = seriesIn(state, pane)?.studyId ?? "";
  return state.priors.find(({ study }) => study.id === id);
}

/** Puts a study on the page as it is to be hung. */
export function hang(hung: Hung): Change {
  return (state) => {
    const layout = { rows: Math.min(hung.rows, MOST_ROWS), columns: Math.min(hung.columns, MOST_COLUMNS) };
    const count = layout.rows * layout.columns;
    const panes = Array.from({ length: count }, (_, place) => {
      const over = state.series.find(({ id }) => id === hung.panes[place]?.overSeriesId);
      const pane = paneFor(`${place + 1}`, hung.panes[place]);
      return over === undefined ? pane : { ...pane, fusion: firstFusion(over) };
    });
    const first = panes.find(({ seriesId }) => seriesId !== "") ?? panes[0];
    const placed = { ...state, layout, panes, activePaneId: first?.id ?? "1", isMaximised: false, hungBy: hung.code, beforePrior: null, beforeMpr: null, slabs: slabsOf(hung) };
    return findWanted(state, setLinks(hung.links)(placed));
  };
}

/** How deep the planes of each series look; a volume's planes share it. */
function slabsOf({ panes }: Hung): ReadonlyMap<string, Slab> {
  return new Map(panes.flatMap(({ seriesId, slab }) => (slab == null ? [] : [[seriesId, slab] as const])));
}

function paneFor(id: string, hung: HungPane | undefined): PaneState {
  const window = hung?.window ?? null;
  const look: Look = window === null ? FIRST_LOOK : { ...FIRST_LOOK, window: { kind: "manual", window } };
  const wanted = hung === undefined || hung.instanceId === "" ? null : { instanceId: hung.instanceId, frame: hung.frame };
  const kind = { shows: hung?.shows ?? AS_STACK.shows, plane: hung?.plane ?? AS_STACK.plane, body: hung?.body ?? null };
  return { ...kind, id, seriesId: hung?.seriesId ?? "", look, hang: hung?.hang ?? null, wanted: kind.shows === "stack" ? wanted : null };
}

/** The rule: as soon as a stack is there, its pane shows the image that it was hung for. */
export function findWanted(_before: ViewerState, after: ViewerState): ViewerState {
  if (!after.panes.some((pane) => pane.wanted !== null && stackIn(after, pane) !== null)) {
    return after;
  }
  const panes = after.panes.map((pane) => {
    const { wanted } = pane;
    const stack = wanted === null ? null : stackIn(after, pane);
    if (wanted === null || stack === null) {
      return pane;
    }
    const isOf = ({ instanceId }: { readonly instanceId: string }): boolean => instanceId.toLowerCase() === wanted.instanceId;
    // An object whose frames are all of the stack (tomosynthesis) begins where the stack does, however they are numbered.
    const isWhole = wanted.frame === 0 && stack.images.every(isOf);
    const at = isWhole ? 0 : stack.images.findIndex((image) => isOf(image) && image.frame === wanted.frame);
    return { ...pane, wanted: null, look: { ...pane.look, index: Math.max(0, at) } };
  });
  return { ...after, panes };
}

/** Adds series of another study to the strip, in place of what was known of them. */
export function addSeries(series: readonly Series[]): Change {
  return (state) => {
    const others = state.series.filter(({ id }) => !series.some((one) => one.id === id));
    return { ...state, series: [...others, ...series] };
  };
}

/** Which series of another study is most like this one. */
export function counterpart(series: Series, others: readonly Series[]): Series | undefined {
  const words = (one: Series): Set<string> => new Set(one.seriesDescription.toLowerCase().match(/\p{L}+|\d+/gu) ?? []);
  const own = words(series);
  const likeness = (one: Series): number => {
    const shared = [...words(one)].filter((word) => own.has(word)).length / Math.max(1, own.size);
    const isSamePart = one.bodyPartExamined !== "" && one.bodyPartExamined === series.bodyPartExamined;
    const count = Math.min(one.frameCount, series.frameCount) / Math.max(1, one.frameCount, series.frameCount);
    return (one.modality === series.modality ? 8 : 0) + 4 * shared + (isSamePart ? 2 : 0) + count;
  };
  return others.filter(({ displayable }) => displayable).sort((a, b) => likeness(b) - likeness(a))[0];
}

/**
 * Puts panes of another study beside those of this one: to their right, or below where there is no room.
 * `beside` names the pane for each pane that is there now, row by row.
 */
export function placeBeside(beside: readonly HungPane[]): Change {
  return (state) => {
    const now = state.beforePrior === null ? state : withoutPriors()(state);
    const { rows, columns } = now.layout;
    const free = Math.max(0, ...now.panes.map(({ id }) => Number(id))) + 1;
    const others = now.panes.map((_, place) => paneFor(`${free + place}`, beside[place]));
    const isRight = 2 * columns <= MOST_COLUMNS;
    if (!isRight && 2 * rows > MOST_ROWS) {
      return state;
    }
    const layout: Layout = isRight ? { rows, columns: 2 * columns } : { rows: 2 * rows, columns };
    const rowOf = (all: readonly PaneState[], row: number): readonly PaneState[] => all.slice(row * columns, (row + 1) * columns);
    const panes = isRight
      ? Array.from({ length: rows }, (_, row) => [...rowOf(now.panes, row), ...rowOf(others, row)]).flat()
      : [...now.panes, ...others];
    const beforePrior = { layout: now.layout, panes: now.panes.map(({ id }) => id), links: now.links };
    const placed = { ...now, layout, panes, isMaximised: false, beforePrior };
    return findWanted(state, setLinks({ scroll: true, window: true })(placed));
  };
}

/** Takes the other study off the page again; what the reader did with the own panes stays. */
export function withoutPriors(): Change {
  return (state) => {
    const { beforePrior } = state;
    if (beforePrior === null) {
      return state;
    }
    const panes = state.panes.filter(({ id }) => beforePrior.panes.includes(id));
    const { layout, links } = beforePrior;
    if (panes.length !== layout.rows * layout.columns) {
      return { ...state, beforePrior: null };
    }
    const isActiveKept = panes.some(({ id }) => id === state.activePaneId);
    const activePaneId = isActiveKept ? state.activePaneId : (panes[0]?.id ?? activePane(state).id);
    return { ...state, layout, panes, links, activePaneId, beforePrior: null, isMaximised: false };
  };
}
