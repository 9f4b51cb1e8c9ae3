/** What a screen reader says of the active pane: whose picture, which one, its window; only what has changed. */

import { formatLevel } from "../core/format";
import { t } from "../core/text";
import { activePane } from "../state/panes";
import { studyIn } from "../state/hanging";
import { seriesIn, stackIn } from "../state/panes";
import type { ViewerState } from "../state/store";
import { make } from "./dom";
import type { Scene } from "./viewer-scene";

/** Scrolling and dragging are not read out step by step: only where they end. */
const QUIET_MS = 700;

export class Spoken {
  readonly root = make("p", { class: "unseen", role: "status" });
  private told: readonly string[] = [];
  private wanted: readonly string[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;

  show(state: ViewerState, scene: Scene): void {
    const now = describePane(state, scene);
    if (now === null || (now.length === this.wanted.length && now.every((one, i) => one === this.wanted[i]))) {
      return;
    }
    this.wanted = now;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tell(), QUIET_MS);
  }

  private tell(): void {
    const news = this.wanted.filter((words, i) => words !== this.told[i]);
    this.told = this.wanted;
    if (news.length > 0) {
      this.root.textContent = news.join(", ");
    }
  }
}

/** Patient, study, series, image and window, each in words of its own; null while nothing is to be said. */
function describePane(state: ViewerState, scene: Scene): readonly string[] | null {
  const pane = activePane(state);
  const series = seriesIn(state, pane);
  if (scene.kind !== "picture" || series === undefined || state.cine.isPlaying) {
    return null;
  }
  const study = studyIn(state, pane);
  const { facts, voi, drawn } = scene.shown;
  const hasWindow = facts.pixelFormat !== "rgb8" && voi.table === null && drawn === null;
  return [
    study.patientName || t("No name"),
    [study.studyDescription, study.studyDate].filter(Boolean).join(" "),
    [series.modality, series.seriesDescription].filter(Boolean).join(" "),
    t("Image {index} of {count}", { index: pane.look.index + 1, count: stackIn(state, pane)?.images.length ?? 1 }),
    hasWindow ? t("Window {width}, level {level}", { width: formatLevel(voi.width, voi.width), level: formatLevel(voi.center, voi.width) }) : "",
  ].map((words) => words.trim());
}
