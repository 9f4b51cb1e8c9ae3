/** What is saved of a page: which studies it is for, and how each pane finds its pictures again. */

import type { ImageFacts, Series } from "./facts";
import type { BodyWish, Hang } from "./hanging";
import type { PlaneName, Slab } from "./mpr";
import type { WindowChoice } from "./voi";

/** Of these every image is a view of its own. */
export const PROJECTIONS = ["MG", "CR", "DX", "DR", "US"];

export interface PaneOnPage {
  readonly series: Series;
  readonly facts: ImageFacts | undefined;
  readonly window: WindowChoice;
  readonly hang: Hang | null;
  /** 0 for this study, else the prior counted from 1. */
  readonly prior: number;
  /** What of the series; its images unless said. */
  readonly shows?: "stack" | "plane" | "volume";
  readonly plane?: PlaneName;
  readonly slab?: Slab | null;
  readonly body?: BodyWish | null;
  /** What lies over its pictures, and the how-manieth of its modality it is; none unless said. */
  readonly over?: { readonly series: Series; readonly place: number } | null;
}

export type Wire = { [key: string]: string | number | boolean | Wire | Wire[] };

/** How a pane finds its series or view in the next study of the kind. */
export function describePane(pane: PaneOnPage, place: number): Wire {
  const { series, facts, window, hang, prior, over } = pane;
  const isView = PROJECTIONS.includes(series.modality);
  const find = filled({
    modality: series.modality,
    description: isView ? "" : series.seriesDescription.slice(0, 64),
    laterality: isView ? (facts?.laterality ?? "") : "",
    view: isView ? (facts?.viewPosition ?? "") : "",
    prior,
    place,
  });
  // A window on activity is the patient's own: the next one's dose and weight are others.
  const isOwn = series.modality === "PT";
  const chosen = isOwn ? null : window.kind === "manual" || window.kind === "preset" ? window.window : null;
  return {
    find,
    ...(over == null ? {} : { over: filled({ modality: over.series.modality, description: over.series.seriesDescription.slice(0, 64), place: over.place }) }),
    ...(hang?.orient == null ? {} : { orient: { ...hang.orient } }),
    ...(hang === null || hang.align === "" ? {} : { align: hang.align }),
    ...(hang === null || hang.group === "" ? {} : { group: hang.group }),
    ...(chosen === null ? {} : { window: { center: chosen.center, width: chosen.width } }),
    ...describeVolume(pane),
  };
}

function describeVolume({ shows, plane, slab, body }: PaneOnPage): Wire {
  if (shows === "volume") {
    return { shows, ...(body == null ? {} : { body: { preset: body.preset, turning: body.isTurning } }) };
  }
  const thick = slab == null ? {} : { slab: { mode: slab.mode, thickness_mm: slab.thicknessMm } };
  return shows === "plane" && plane !== undefined ? { shows, plane, ...thick } : {};
}

/** Which studies a layout is for: the modality, and the body part when the file names it. */
export function describeRules(series: Series, priors: number): Wire {
  return filled({ modality: series.modality, body_part: series.bodyPartExamined.slice(0, 64), priors });
}

/** Leaves out what says nothing. */
function filled(all: Wire): Wire {
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== "" && value !== 0));
}
