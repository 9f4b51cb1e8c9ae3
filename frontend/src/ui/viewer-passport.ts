/** What the open series is good for, in a panel on the right. */

import type { Series } from "../core/facts";
import { t } from "../core/text";
import { fetchPassport, type PassportRow, type PassportSection } from "../io/passport";
import { activeSeries, setPassportOpen } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make } from "./dom";

export class PassportPanel {
  readonly root = make("aside", { class: "passport", hidden: true, "aria-label": t("Passport") });
  private readonly body = make("div", { class: "passport-body" });
  private readonly name = make("p", { class: "passport-series", dir: "auto" });
  private shown: Series | undefined;

  constructor(private readonly store: Store) {
    const close = make("button", { type: "button", class: "tool", "aria-label": t("Close") }, icon("x"));
    close.addEventListener("click", () => store.change(setPassportOpen(false)));
    this.root.append(make("header", {}, make("h2", {}, t("Passport")), close), this.name, this.body);
  }

  show(): void {
    const { state } = this.store;
    this.root.hidden = !state.isPassportOpen;
    const series = state.isPassportOpen ? activeSeries(state) : undefined;
    if (series !== undefined && series !== this.shown) {
      void this.load(series);
    }
    this.shown = series;
  }

  private async load(series: Series): Promise<void> {
    const number = series.seriesNumber === null ? "–" : `${series.seriesNumber}`;
    this.name.textContent = `${t("Series")} ${number} ${series.seriesDescription}`.trim();
    if (this.shown?.id !== series.id) {
      this.body.replaceChildren(make("p", { class: "passport-note" }, t("Loading")));
    }
    let parts: HTMLElement[];
    try {
      parts = (await fetchPassport(series.passportUrl)).map(sectionOf);
    } catch {
      parts = [make("p", { class: "passport-note" }, t("The passport could not be loaded."))];
    }
    if (this.shown === series) {
      this.body.replaceChildren(...parts);
    }
  }
}

function sectionOf({ title, rows }: PassportSection): HTMLElement {
  return make("section", {}, make("h3", {}, title), make("dl", {}, ...rows.map(rowOf)));
}

function rowOf({ name, value, notes, heed }: PassportRow): HTMLElement {
  const words = make("dd", {}, heed ? icon("triangle-alert") : "", value);
  const row = make("div", { class: heed ? "heed" : null }, make("dt", {}, name), words);
  row.append(...notes.map((note) => make("dd", { class: "passport-note" }, note)));
  return row;
}
