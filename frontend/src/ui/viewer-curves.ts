/** Ties lines through volumes to the page: what is drawn, the hand, the row under the picture, the job. */

import { t } from "../core/text";
import type { ViewerPage } from "../io/api";
import { Centrelines } from "../io/centrelines";
import { curveParameters } from "../io/server-curves";
import { curveOf } from "../state/curves";
import { planIn } from "../state/panes";
import type { Store } from "../state/store";
import { setAttribute } from "./dom";
import { CurveLayer } from "./viewer-curve-layer";
import { CurvedBar } from "./viewer-curved-bar";
import { CurvedHand } from "./viewer-curved-hand";
import type { ViewerPane } from "./viewer-pane";
import type { Panes } from "./viewer-panes";
import type { Reconstruct } from "./viewer-reconstruct";

export class CurvesOnPage {
  private readonly kept: Centrelines;
  private readonly bars = new WeakMap<ViewerPane, CurvedBar>();

  constructor(
    private readonly store: Store,
    private readonly panes: Panes,
    private readonly reconstruct: Reconstruct,
    private readonly say: (words: string) => void,
    page: ViewerPage,
  ) {
    const { csrfToken, mayMeasure } = page.person;
    this.kept = new Centrelines(store, page.apiUrl, csrfToken, mayMeasure, (why, words) =>
      say(why === "elsewhere" ? t("The line was changed in another window: this is how it is now.") : t("The line is not kept: {why}", { why: words })),
    );
    store.subscribe(() => this.kept.follow());
    addEventListener("pagehide", () => this.kept.flush());
    panes.onPane((pane) => this.attach(pane));
  }

  show(): void {
    for (const pane of this.panes.all) {
      const bar = this.bars.get(pane);
      bar?.show();
      const isShown = bar !== undefined && !bar.root.hidden;
      setAttribute(pane.root, "data-along", isShown);
      if (isShown) {
        pane.root.style.setProperty("--curved-bar", `${bar.root.offsetHeight}px`);
      }
    }
  }

  private attach(pane: ViewerPane): void {
    const bar = new CurvedBar(this.store, pane.id, (seriesId) => this.makeSeries(pane, seriesId));
    this.bars.set(pane, bar);
    pane.picture.parentElement?.append(bar.root);
    pane.addLayer(new CurveLayer(this.store, pane.id));
    new CurvedHand(pane.picture, this.store, pane.id, () => pane.viewport, this.say);
  }

  /** The picture as it is on the screen becomes a series of the study. */
  private makeSeries(pane: ViewerPane, seriesId: string): void {
    const { state } = this.store;
    const { wish } = curveOf(state, seriesId);
    const plan = pane.state === undefined ? null : planIn(state, pane.state);
    if (wish.points.length < 2 || plan === null) {
      this.say(t("Draw a line: click point after point along it on the planes."));
      return;
    }
    void this.reconstruct.make(seriesId, "curved", { ...curveParameters(wish), time_point: plan.timePoint });
  }
}
