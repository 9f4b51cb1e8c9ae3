/** The picture of a pane that shows a volume along a line, and what must be said of it. */

import { CURVED, curvedFacts } from "../core/curve-facts";
import type { CurveForm } from "../core/curve";
import { formatNumber } from "../core/format";
import { planeValues } from "../core/plane-facts";
import { t } from "../core/text";
import { finestMm, type VolumePlan } from "../core/volume-plan";
import type { Stack } from "../core/facts";
import { ServerCurves, type ServerCurve, type WantedCurvePicture } from "../io/server-curves";
import { besideStack } from "../io/volume";
import { curveOf, markerMm, setCurvePicture } from "../state/curves";
import { planIn, seriesIn, stackIn } from "../state/panes";
import type { PaneState, Store } from "../state/store";
import { slabWords, type PlaneSight } from "./viewer-plane-sight";

export class CurvedSights {
  private readonly server: ServerCurves;
  private source: { readonly plan: VolumePlan; readonly stack: Stack } | null = null;

  constructor(
    private readonly store: Store,
    private readonly csrfToken: string,
    drawSoon: () => void,
  ) {
    this.server = new ServerCurves((picture, wanted) => this.keep(picture, wanted), drawSoon);
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
    const curve = curveOf(state, pane.seriesId);
    const { wish, picture } = curve;
    if (wish.points.length < 2) {
      this.server.rest();
      return { kind: "waiting", words: drawWords() };
    }
    const [plan, stack] = [planIn(state, pane), stackIn(state, pane)];
    if (plan === null || stack === null) {
      return { kind: "loading", words: "" };
    }
    this.source = { plan, stack };
    const key = [CURVED, plan.seriesId, plan.timePoint, JSON.stringify(wish)].join("/");
    const address = besideStack(seriesIn(state, pane)?.stackUrl ?? "", "curved");
    this.server.want({ key, wish, finestMm: finestMm(plan), timePoint: plan.timePoint, values: planeValues(plan, stack), address, csrfToken: this.csrfToken });
    const { failure, progress } = this.server;
    if (failure !== null) {
      return { kind: "failed", detail: failure };
    }
    if (picture === null || picture.facts.reformatted?.timePoint !== plan.timePoint) {
      const percent = Math.round(100 * (progress ?? 0));
      return { kind: "loading", words: progress === null ? "" : t("The server builds the volume: {percent} %", { percent }) };
    }
    const { facts, pixels, geometry, isDraft } = picture;
    const { slab } = picture.wish;
    const length = formatNumber(geometry.arcMm.at(-1) ?? 0, 1);
    const notes = [
      `${t("Curved, reformatted")} · ${slabWords(slab.mode, slab.thicknessMm)}`,
      formWords(geometry.form),
      t("At {at} of {length} mm", { at: formatNumber(markerMm(curve), 1), length }),
    ];
    return { kind: "picture", facts, pixels, isWhole: !isDraft && picture.wish === wish, notes };
  }

  rest(): void {
    this.server.rest();
  }

  retry(): void {
    this.server.retry();
  }

  private keep({ key, geometry, pixels, isDraft }: ServerCurve, { wish }: WantedCurvePicture): void {
    const { source } = this;
    const facts = source === null ? null : curvedFacts(`${key}/${geometry.spacingMm}`, wish, geometry, source.plan, source.stack);
    if (source !== null && facts !== null) {
      this.store.change(setCurvePicture(source.plan.seriesId, { facts, pixels, geometry, isDraft, wish }));
    }
  }
}

export function drawWords(): string {
  return t("Draw a line: click point after point along it on the planes.");
}

export function formName(form: CurveForm): string {
  return form === "straightened" ? t("Straightened") : t("Stretched");
}

/** In which directions millimetres are true. */
function formWords(form: CurveForm): string {
  return form === "straightened" ? t("Straightened: mm along the line and across it") : t("Stretched: mm from column to column run along the line only");
}
