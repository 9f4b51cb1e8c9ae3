/** The highest uptake of a series, and the way there. */

import { formatNumber } from "../core/format";
import { BY_WEIGHT } from "../core/other-values";
import { kindByWeight, suvSign } from "../core/suv";
import { t } from "../core/text";
import { fetchPeaks, PeakError, type PeakPlace, type Peaks } from "../io/peak";
import { suvKindOf } from "../state/fusion";
import { setCursor } from "../state/links";
import type { Store, ViewerState } from "../state/store";
import { make, setText } from "./dom";

export class PeakFinder {
  private readonly find = make("button", { type: "button", class: "button" }, t("Find the highest"));
  private readonly words = make("p", { class: "window-note", role: "status", hidden: true });
  private readonly places = make("div", { class: "window-buttons" });
  readonly root = make("section", {}, make("h3", {}, t("Highest value")), this.find, this.places, this.words);
  private readonly known = new Map<string, Peaks>();
  private seriesId = "";
  private shown = "";

  constructor(
    private readonly store: Store,
    private readonly apiUrl: string,
  ) {
    this.find.addEventListener("click", () => void this.ask(this.seriesId));
  }

  /** Of this series; empty: of none. */
  show(state: ViewerState, seriesId: string): void {
    this.root.hidden = seriesId === "";
    if (seriesId !== this.seriesId) {
      this.seriesId = seriesId;
      this.say("");
    }
    const peaks = this.known.get(seriesId);
    const key = `${seriesId} ${peaks === undefined ? "" : suvKindOf(state)}`;
    if (key !== this.shown) {
      this.shown = key;
      this.places.replaceChildren(...(peaks === undefined ? [] : this.buttons(state, peaks)));
    }
    this.find.hidden = peaks !== undefined;
  }

  private buttons(state: ViewerState, peaks: Peaks): HTMLElement[] {
    const kind = suvKindOf(state);
    const by = peaks.unit === BY_WEIGHT ? kindByWeight(peaks.kinds, kind) : null;
    const unit = by === null ? peaks.unit : suvSign(kind);
    const button = (name: string, place: PeakPlace): HTMLElement => {
      const value = formatNumber(place.value * (by ?? 1));
      const made = make("button", { type: "button", class: "button", title: t("Go there") }, `${name} ${value} ${unit}`);
      made.addEventListener("click", () => this.store.change(setCursor({ lps: place.lps, frameOfReferenceUid: peaks.frameOfReferenceUid, paneId: "" })));
      return made;
    };
    const ofBall = peaks.peak === null ? [] : [button(t("Peak (1 ml)"), peaks.peak)];
    return [button(t("Max"), peaks.max), ...ofBall];
  }

  private async ask(seriesId: string): Promise<void> {
    this.find.disabled = true;
    this.say(t("Asking the server …"));
    try {
      this.known.set(seriesId, await fetchPeaks(this.apiUrl, seriesId));
      this.say("");
    } catch (error) {
      this.say((error instanceof PeakError ? error.message : "") || t("The server did not answer."));
    }
    this.find.disabled = false;
    this.store.announce();
  }

  private say(words: string): void {
    this.words.hidden = words === "";
    setText(this.words, words);
  }
}
