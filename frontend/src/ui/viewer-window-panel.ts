/** Histogram, colours and filters of the open series, in a panel on the right. */

import { hasOwnColours } from "../core/display";
import { FILTERS, LEAST_STRENGTH, MOST_STRENGTH, type FilterName } from "../core/enhance";
import { t } from "../core/text";
import {
  activeLook,
  activeStack,
  resetLook,
  setColourMap,
  setFilter,
  setFilters,
  setWindow,
  toggleInvert,
} from "../state/changes";
import type { Store } from "../state/store";
import type { Instrument } from "../tools/tool";
import { make } from "./dom";
import { Histogram } from "./viewer-histogram";
import { filterName } from "./viewer-marks";
import type { SidePanel } from "./viewer-side";

const STRENGTH_STEP = 0.1;

export function windowPanel(instrument: Instrument): SidePanel {
  const content = new WindowPanel(instrument);
  return {
    id: "window-panel",
    name: t("Window and enhancement"),
    icon: "sliders-horizontal",
    key: "e",
    root: content.root,
    show: () => content.show(),
  };
}

class WindowPanel {
  readonly root = make("div");
  private readonly histogram: Histogram;
  private readonly colours = make("select", { class: "entry", "aria-label": t("Colour map") });
  private readonly note = make("p", { class: "window-note", hidden: true });
  private readonly rows: ReadonlyMap<FilterName, FilterRow>;
  private readonly none = make("button", { type: "button", class: "button" }, t("No filter"));

  constructor(private readonly instrument: Instrument) {
    const { store } = instrument;
    this.histogram = new Histogram((window) => store.change(setWindow({ kind: "manual", window })));
    this.rows = new Map(FILTERS.map((name) => [name, new FilterRow(store, name)]));
    const maps = store.state.colourMaps.map(({ code, label }) => make("option", { value: code }, label));
    this.colours.append(make("option", { value: "" }, t("Grey")), ...maps);
    this.colours.addEventListener("change", () => store.change(setColourMap(this.colours.value)));
    this.none.addEventListener("click", () => store.change(setFilters([])));
    const button = (name: string, run: () => void): HTMLElement => {
      const made = make("button", { type: "button", class: "button" }, name);
      made.addEventListener("click", run);
      return made;
    };
    const windows = make(
      "div",
      { class: "window-buttons" },
      button(t("Automatic"), () => store.change(setWindow({ kind: "auto", of: instrument.viewport.shown?.facts.key ?? "" }))),
      button(t("Invert"), () => store.change(toggleInvert())),
      button(t("Reset"), () => store.change(resetLook())),
    );
    this.root.append(
      make("section", {}, make("h3", {}, t("Histogram")), this.histogram.root, windows, this.note),
      make("section", {}, make("h3", {}, t("Colour map")), this.colours),
      make(
        "section",
        {},
        make("h3", {}, t("Enhancement")),
        ...[...this.rows.values()].map((row) => row.root),
        this.none,
        make("p", { class: "window-note" }, t("For this screen only: filters are marked on the picture and never saved.")),
      ),
    );
  }

  show(): void {
    const { store, viewport } = this.instrument;
    const { state } = store;
    const look = activeLook(state);
    const { shown } = viewport;
    this.histogram.show(shown);
    this.colours.disabled = shown === null || hasOwnColours(shown.facts);
    this.colours.value = look.colourMap;
    const whyNot = activeStack(state)?.presetsWhyNot ?? "";
    this.note.hidden = whyNot === "";
    this.note.textContent = whyNot;
    this.none.disabled = look.filters.length === 0;
    this.rows.forEach((row, name) => row.show(look.filters.find((one) => one.name === name)?.strength ?? null));
  }
}

/** One filter: on or off, and how strong. */
class FilterRow {
  private readonly box = make("input", { type: "checkbox" });
  private readonly range: HTMLInputElement;
  private readonly value = make("output", { class: "window-strength" });
  readonly root: HTMLElement;

  constructor(store: Store, name: FilterName) {
    const label = filterName(name);
    this.range = make("input", {
      type: "range", min: LEAST_STRENGTH, max: MOST_STRENGTH, step: STRENGTH_STEP, value: 1,
      "aria-label": t("Strength: {name}", { name: label }),
    });
    const told = (): void => store.change(setFilter(name, this.box.checked ? Number(this.range.value) : null));
    this.box.addEventListener("change", told);
    this.range.addEventListener("input", () => {
      this.box.checked = true;
      told();
    });
    // The keys of the whole page scroll the stack; here they turn the strength.
    this.range.addEventListener("keydown", (event) => event.key.startsWith("Arrow") && event.stopPropagation());
    this.root = make(
      "div",
      { class: "window-filter" },
      make("label", {}, this.box, make("span", {}, label)),
      this.range,
      this.value,
    );
  }

  show(strength: number | null): void {
    this.box.checked = strength !== null;
    if (strength !== null) {
      this.range.value = `${strength}`;
    }
    this.value.textContent = Number(this.range.value).toFixed(1);
  }
}
