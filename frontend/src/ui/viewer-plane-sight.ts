/** The picture of a pane that shows a plane: cut here or by the server, and what must be said of it. */

import type { ImageFacts, Pixels, Stack } from "../core/facts";
import type { SlabMode } from "../core/mpr";
import { formatNumber } from "../core/format";
import { planeValues, type PlaneImage } from "../core/plane-facts";
import { t } from "../core/text";
import type { VolumePlan } from "../core/volume-plan";
import { ServerPlanes } from "../io/server-planes";
import { besideStack } from "../io/volume";
import { PlaneCutter } from "../render/plane-cutter";
import { planeImageIn, planIn, seriesIn, stackIn } from "../state/panes";
import type { PaneState, Store } from "../state/store";
import type { ServerReason, Volumes } from "./viewer-volumes";

export type PlaneSight =
  | { readonly kind: "picture"; readonly facts: ImageFacts; readonly pixels: Pixels; readonly isWhole: boolean; readonly notes: readonly string[] }
  | { readonly kind: "loading"; readonly words: string }
  /** For the reader's hand. */
  | { readonly kind: "waiting"; readonly words: string }
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "failed"; readonly detail: string };

export class PlaneSights {
  private readonly cutter: PlaneCutter;
  private readonly server: ServerPlanes;
  /** Of the picture that was asked for last. */
  isDraft = false;

  constructor(
    private readonly store: Store,
    private readonly volumes: Volumes,
    drawSoon: () => void,
  ) {
    this.cutter = new PlaneCutter(drawSoon);
    this.server = new ServerPlanes(drawSoon);
  }

  sightOf(pane: PaneState): PlaneSight {
    const { state } = this.store;
    const volume = state.volumes.get(pane.seriesId);
    if (volume?.kind === "refused") {
      return { kind: "refused", detail: volume.reasons.join(" ") };
    }
    if (volume?.kind === "failed") {
      return { kind: "failed", detail: volume.words };
    }
    const [plan, stack, image] = [planIn(state, pane), stackIn(state, pane), planeImageIn(state, pane)];
    if (plan === null || stack === null || image === null) {
      // The series has grown since it was planned, or its list of images is older: one of them is on its way.
      return { kind: "loading", words: "" };
    }
    const reason = this.volumes.serverReason(plan, stack);
    return reason === "" ? this.cutHere(image, plan, stack) : this.cutThere(pane, image, { plan, stack, reason });
  }

  private cutHere(image: PlaneImage, plan: VolumePlan, stack: Stack): PlaneSight {
    this.server.rest();
    const { here, failed } = this.volumes.arrived(plan);
    if (here === 0) {
      return failed > 0 ? { kind: "failed", detail: "" } : { kind: "loading", words: "" };
    }
    const slab = image.facts.reformatted?.slab ?? { mode: "thin", thicknessMm: 0 };
    const source = { plan, values: planeValues(plan, stack), slices: this.volumes.slicesOf(plan), arrived: here };
    const picture = this.cutter.pictureOf(image, slab, source);
    const count = plan.keys.length;
    this.isDraft = picture.isDraft || picture.arrived < here || here + failed < count;
    const missing = failed > 0 ? [t("{failed} of {count} images could not be loaded", { failed, count })] : [];
    const coming = here + failed < count ? [t("Loading: {here} of {count} images", { here, count })] : [];
    const notes = [...planeNotes(image.facts), ...coming, ...missing];
    return { kind: "picture", facts: image.facts, pixels: picture.pixels, isWhole: !this.isDraft, notes };
  }

  private cutThere(pane: PaneState, image: PlaneImage, { plan, stack, reason }: { plan: VolumePlan; stack: Stack; reason: ServerReason }): PlaneSight {
    this.cutter.rest();
    const address = besideStack(seriesIn(this.store.state, pane)?.stackUrl ?? "", "plane");
    const values = planeValues(plan, stack);
    const picture = this.server.pictureOf({ image, values, address, timePoint: plan.timePoint });
    const { failure, progress } = this.server;
    if (failure !== null) {
      return { kind: "failed", detail: failure };
    }
    if (picture === null || picture.facts.reformatted?.seriesId !== plan.seriesId) {
      const percent = Math.round(100 * (progress ?? 0));
      return { kind: "loading", words: progress === null ? "" : t("The server builds the volume: {percent} %", { percent }) };
    }
    this.isDraft = picture.isDraft || picture.facts !== image.facts;
    const notes = [...planeNotes(picture.facts), reasonWords(reason)];
    return { kind: "picture", facts: picture.facts, pixels: picture.pixels, isWhole: !this.isDraft, notes };
  }

  rest(): void {
    this.cutter.rest();
    this.server.rest();
  }

  retry(): void {
    this.server.retry();
  }
}

function reasonWords(reason: ServerReason): string {
  switch (reason) {
    case "memory":
      return t("Too large here: the server renders it");
    case "tables":
      return t("Lookup tables: the server renders it");
    default:
      return t("Picture drawn by the server");
  }
}

export function slabName(mode: SlabMode): string {
  return { thin: t("Thin"), mip: t("MIP"), minip: t("MinIP"), mean: t("Mean") }[mode];
}

export function slabWords(mode: SlabMode, thicknessMm: number): string {
  return mode === "thin" ? slabName(mode) : `${slabName(mode)} ${formatNumber(thicknessMm, 1)} mm`;
}

/** That it was cut, how thick, and at which time. */
function planeNotes({ reformatted }: ImageFacts): string[] {
  if (reformatted === undefined) {
    return [];
  }
  const { slab, timePoint, timePoints } = reformatted;
  const time = timePoints > 1 ? [t("Time point {number} of {count}", { number: timePoint + 1, count: timePoints })] : [];
  return [`${t("Reformatted")} · ${slabWords(slab.mode, slab.thicknessMm)}`, ...time];
}
