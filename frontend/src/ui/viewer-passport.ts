/** What the open series is good for, in a panel on the right. */

import type { Series } from "../core/facts";
import { t } from "../core/text";
import { fetchPassport, type PassportRow, type PassportSection } from "../io/passport";
import { activeSeries } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make } from "./dom";
import type { SidePanel } from "./viewer-side";

export const PASSPORT = "passport";

export function passportPanel(store: Store): SidePanel {
  const content = new Passport(store);
  return {
    id: PASSPORT,
    name: t("Passport"),
    icon: "info",
    key: "k",
    root: content.root,
    show: () => content.show(),
    rest: () => content.rest(),
  };
}

class Passport {
  private readonly body = make("div", { class: "passport-body" });
  private readonly name = make("p", { class: "passport-series", dir: "auto" });
  readonly root = make("div", {}, this.name, this.body);
  private shown: Series | undefined;

  constructor(private readonly store: Store) {}

  show(): void {
    const series = activeSeries(this.store.state);
    if (series !== undefined && series !== this.shown) {
      void this.load(series);
    }
    this.shown = series;
  }

  /** Read anew when the panel opens again. */
  rest(): void {
    this.shown = undefined;
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
