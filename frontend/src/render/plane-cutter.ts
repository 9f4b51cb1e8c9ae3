/**
 * Planes of one pane, cut where the frames are: at once when that is quick, else a draft at once and the
 * whole picture in small pieces between the reader's moves.
 */

import { coarser, countLayers, Cut, enlarge, type CutPicture, type Slices } from "../core/cut";
import type { Slab } from "../core/mpr";
import type { PlaneImage } from "../core/plane-facts";
import { makePixels, type PlaneValues } from "../core/plane-values";
import type { VolumePlan } from "../core/volume-plan";

/** What one pane may take of a frame's time. */
const BUDGET_MS = 9;
/** Of a piece of the whole picture, between which moves are heard. */
const PIECE_MS = 7;
/** A hand that stops so long wants the whole picture. */
const QUIET_MS = 70;
/** Pixels and layers of a draft are so many times fewer. */
const DRAFTS = [[2, 1], [2, 2], [3, 2], [3, 4], [4, 4], [4, 8], [6, 12]] as const;

export interface PlaneSource {
  readonly plan: VolumePlan;
  readonly values: PlaneValues;
  readonly slices: Slices;
  /** How many of them have arrived. */
  readonly arrived: number;
}

export interface PlanePicture extends CutPicture {
  readonly key: string;
  readonly arrived: number;
  readonly isDraft: boolean;
}

/** Measured on this machine, over all panes: ns for one sample. */
let pace = 10;

export class PlaneCutter {
  private last: PlanePicture | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private refined = "";

  constructor(private readonly onNews: () => void) {}

  /** The picture of a plane, a draft of it, or one that lacks slices which are on their way. */
  pictureOf({ facts, grid }: PlaneImage, slab: Slab, source: PlaneSource): PlanePicture {
    const { last } = this;
    const isSame = last?.key === facts.key;
    if (last !== null && isSame && (last.arrived === source.arrived || (!last.isPartial && !last.isDraft))) {
      return last;
    }
    const layers = countLayers(slab, source.plan);
    const cut = new Cut(source.plan, source.values, source.slices, grid, slab, layers);
    const cost = (grid.rows * cut.samplesOfRow * pace) / 1e6;
    if (cost <= BUDGET_MS) {
      this.rest();
      return this.finish(facts.key, source, timed(cut, grid.rows));
    }
    this.refineSoon(facts.key, source, cut);
    if (last !== null && isSame) {
      return last;
    }
    const [factor, fewer] = DRAFTS.find(([by, deep]) => cost / (by * by * Math.min(deep, layers)) <= BUDGET_MS) ?? [6, 12];
    const coarse = coarser(grid, factor);
    const draft = timed(new Cut(source.plan, source.values, source.slices, coarse, slab, Math.max(1, Math.round(layers / fewer))), coarse.rows);
    const pixels = enlarge(draft.pixels, coarse, grid, factor, makePixels(source.values, grid.rows * grid.columns));
    this.last = { key: facts.key, arrived: source.arrived, pixels, isPartial: draft.isPartial, isDraft: true };
    return this.last;
  }

  /** Gives up what is under way. */
  rest(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.refined = "";
  }

  private refineSoon(key: string, source: PlaneSource, cut: Cut): void {
    // What has arrived meanwhile is cut afterwards: else nothing would be finished while slices come.
    if (this.refined === key) {
      return;
    }
    this.rest();
    this.refined = key;
    const go = (): void => {
      const end = performance.now() + PIECE_MS;
      const before = cut.rowsDone;
      const start = performance.now();
      while (!cut.isDone && performance.now() < end) {
        cut.go(4);
      }
      learn(performance.now() - start, (cut.rowsDone - before) * cut.samplesOfRow);
      if (cut.isDone) {
        this.rest();
        this.finish(key, source, cut.picture);
        this.onNews();
      } else {
        this.timer = setTimeout(go, 0);
      }
    };
    this.timer = setTimeout(go, QUIET_MS);
  }

  private finish(key: string, { arrived }: PlaneSource, { pixels, isPartial }: CutPicture): PlanePicture {
    this.last = { key, arrived, pixels, isPartial, isDraft: false };
    return this.last;
  }
}

function timed(cut: Cut, rows: number): CutPicture {
  const start = performance.now();
  cut.go(rows);
  learn(performance.now() - start, rows * cut.samplesOfRow);
  return cut.picture;
}

/** Few samples say little about the pace. */
function learn(ms: number, samples: number): void {
  if (samples > 20_000) {
    pace = pace * 0.7 + ((ms * 1e6) / samples) * 0.3;
  }
}
