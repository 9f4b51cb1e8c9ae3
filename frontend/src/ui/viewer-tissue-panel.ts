/** Tissue: a range of values, seen on the pictures, measured in ml, saved as a segmentation or made a surface. */

import type { Window } from "../core/facts";
import { formatNumber } from "../core/format";
import { shownScale } from "../core/suv";
import { t } from "../core/text";
import { HU_PRESETS, PROPERTIES, type TissueRange } from "../core/tissue";
import type { JsonObject } from "../io/read";
import { JobApi, JobError, type ReconstructionJob } from "../io/reconstructions";
import { readNumbers, runJob } from "../io/surfaces";
import type { Shown } from "../render/viewport";
import { setOpenPanel, setTool } from "../state/changes";
import { activePane, seriesIn, stackIn } from "../state/panes";
import type { Store } from "../state/store";
import type { Instrument } from "../tools/tool";
import { make, setText } from "./dom";
import { Histogram } from "./viewer-histogram";
import type { SidePanel } from "./viewer-side";
import { showSurface } from "./viewer-surface-commands";
import { TissueLayer } from "./viewer-tissue-layer";
import { tissueName } from "./viewer-tissue-words";

export const TISSUE_PANEL = "tissue-panel";

export class TissuePanel {
  private readonly lowest = make("input", { type: "number", class: "entry", step: "any", "aria-label": t("Lowest value") });
  private readonly highest = make("input", { type: "number", class: "entry", step: "any", "aria-label": t("Highest value") });
  private readonly unit = make("span", { class: "fusion-unit" });
  private readonly presets = make("div", { class: "window-buttons" });
  private readonly isSeen = make("input", { type: "checkbox", checked: true });
  private readonly extent = make("select", { class: "entry", "aria-label": t("What counts") });
  private readonly fill = make("input", { type: "checkbox" });
  private readonly property = make("select", { class: "entry", "aria-label": t("Kind of tissue") });
  private readonly progress = make("progress", { max: 1, value: 0, hidden: true, "aria-label": t("Progress") });
  private readonly stop = button(t("Cancel"));
  private readonly said = make("p", { class: "window-note", role: "status" });
  private readonly numbers = make("dl", { class: "tissue-numbers" });
  private readonly histogram: Histogram;
  private readonly api: JobApi;
  private readonly ranges = new Map<string, TissueRange>();
  private readonly layers: TissueLayer[] = [];
  private work: AbortController | null = null;
  private measuredFor = "";
  private isPropertyChosen = false;
  readonly root: HTMLElement;
  readonly panel: SidePanel;

  constructor(
    private readonly instrument: Instrument,
    apiUrl: string,
    token: string,
  ) {
    this.api = new JobApi(`${apiUrl}reconstructions/`, token);
    this.histogram = new Histogram((window) => this.setRange(rangeOf(window)));
    this.extent.append(
      make("option", { value: "all" }, t("All in the range")),
      make("option", { value: "largest" }, t("The largest connected part")),
      make("option", { value: "seed" }, t("What is connected to the 3D cursor")),
    );
    this.property.append(...PROPERTIES.map((code) => make("option", { value: code }, tissueName(code))));
    this.root = make("div", { class: "window-panel" }, this.rangeSection(), this.wishSection(), this.resultSection());
    this.panel = { id: TISSUE_PANEL, name: t("Tissue"), icon: "bone", key: "@", root: this.root, show: () => this.show() };
    this.listen();
  }

  /** One for each pane. */
  makeLayer(): TissueLayer {
    const layer = new TissueLayer((shown) => this.rangeFor(shown));
    this.layers.push(layer);
    return layer;
  }

  private show(): void {
    const { state } = this.instrument.store;
    const pane = activePane(state);
    const series = seriesIn(state, pane);
    const { shown } = this.instrument.viewport;
    const unit = series === undefined ? "" : (shown?.facts.units || shownScale(series, stackIn(state, pane), "bw").unit);
    setText(this.unit, unit);
    this.presets.hidden = unit !== "HU";
    if (!this.isPropertyChosen) {
      this.property.value = unit === "HU" ? "bone" : "tissue";
    }
    const range = this.rangeOfSeries(pane.seriesId);
    this.histogram.show(shown === null ? null : { ...shown, voi: { ...shown.voi, center: (range.lowest + range.highest) / 2, width: range.highest - range.lowest } });
    for (const [field, value] of [[this.lowest, range.lowest], [this.highest, range.highest]] as const) {
      if (document.activeElement !== field) {
        field.value = `${Number(value.toPrecision(7))}`;
      }
    }
    if (this.measuredFor !== "" && this.measuredFor !== this.wishKey()) {
      this.measuredFor = "";
      this.numbers.replaceChildren();
      setText(this.said, "");
    }
  }

  // --- the range --------------------------------------------------------------------------------
  private rangeOfSeries(seriesId: string): TissueRange {
    const kept = this.ranges.get(seriesId);
    if (kept !== undefined) {
      return kept;
    }
    const { state } = this.instrument.store;
    const series = seriesIn(state, activePane(state));
    const isHounsfield = series !== undefined && shownScale(series, stackIn(state, activePane(state)), "bw").unit === "HU";
    const voi = this.instrument.viewport.shown?.voi;
    return isHounsfield || voi === undefined ? { lowest: 226, highest: 3071 } : rangeOf(voi);
  }

  private setRange(range: TissueRange): void {
    const { store } = this.instrument;
    this.ranges.set(activePane(store.state).seriesId, range);
    store.announce();
  }

  private rangeFor(shown: Shown): TissueRange | null {
    const { state } = this.instrument.store;
    if (state.openPanel !== TISSUE_PANEL || !this.isSeen.checked) {
      return null;
    }
    const pane = activePane(state);
    const isOfSeries = shown.facts.reformatted?.seriesId === pane.seriesId || stackIn(state, pane)?.images.includes(shown.facts) === true;
    return isOfSeries ? this.rangeOfSeries(pane.seriesId) : null;
  }

  // --- asking ------------------------------------------------------------------------------------
  private parameters(): JsonObject | null {
    const { state } = this.instrument.store;
    const { lowest, highest } = this.rangeOfSeries(activePane(state).seriesId);
    const wish: Record<string, JsonObject[string]> = { lowest, highest, property: this.property.value, fill: this.fill.checked };
    if (this.extent.value === "largest") {
      wish["largest"] = true;
    } else if (this.extent.value === "seed") {
      if (state.cursor === null) {
        this.say(t("Set the 3D cursor where the tissue is."));
        this.instrument.store.change(setTool("cursor"));
        return null;
      }
      wish["seed"] = [...state.cursor.lps];
    }
    return wish;
  }

  private wishKey(): string {
    const { state } = this.instrument.store;
    const { seriesId } = activePane(state);
    const seed = this.extent.value === "seed" ? state.cursor?.lps : null;
    return JSON.stringify([seriesId, this.rangeOfSeries(seriesId), this.extent.value, this.fill.checked, seed]);
  }

  private async measure(output: readonly string[]): Promise<void> {
    const parameters = this.parameters();
    if (parameters === null) {
      return;
    }
    const key = this.wishKey();
    const job = await this.ask("segmentation", { ...parameters, output: [...output] });
    if (job === null) {
      return;
    }
    const numbers = await readNumbers(job);
    this.measuredFor = key;
    this.tell(numbers);
    this.say(output.includes("dicom") ? t("Saved as a segmentation. It is among the study's objects.") : "");
  }

  private async surface(): Promise<void> {
    const { store } = this.instrument;
    const pane = activePane(store.state);
    const wish = this.parameters();
    if (wish === null) {
      return;
    }
    const { lowest = 0, highest = 0, fill = false, seed = null } = wish;
    const parameters = { tissue: "range", lowest, highest, fill, seed, parts: this.extent.value === "largest" ? 1 : 0 };
    if ((await this.ask("surface", parameters)) !== null) {
      this.say("");
      store.change(showSurface(pane.id));
    }
  }

  /** Runs one job; null when it did not come to its end, which is said. */
  private async ask(kind: string, parameters: JsonObject): Promise<ReconstructionJob | null> {
    const { seriesId } = activePane(this.instrument.store.state);
    this.work?.abort();
    const work = (this.work = new AbortController());
    this.setWorking(true);
    this.say("");
    try {
      const wish = { series: seriesId, kind, parameters };
      const job = await runJob(this.api, wish, (done) => (this.progress.value = done), work.signal);
      if (job.status === "done") {
        return job;
      }
      this.say(job.status === "cancelled" ? t("Cancelled") : job.reason || t("The server did not answer."));
    } catch (error) {
      if (!work.signal.aborted) {
        this.say(error instanceof JobError ? error.message : t("The server did not answer."));
      } else {
        this.say(t("Cancelled"));
      }
    } finally {
      if (this.work === work) {
        this.work = null;
        this.setWorking(false);
      }
    }
    return null;
  }

  private setWorking(isWorking: boolean): void {
    this.progress.hidden = this.stop.hidden = !isWorking;
    this.progress.value = 0;
    this.root.querySelectorAll<HTMLButtonElement>(".tissue-run .button").forEach((one) => (one.disabled = isWorking));
  }

  private say(words: string): void {
    setText(this.said, words);
  }

  private tell(numbers: JsonObject): void {
    const value = (name: string): string => (typeof numbers[name] === "number" ? formatNumber(numbers[name]) : "");
    const unit = this.unit.textContent ?? "";
    const rows: readonly (readonly [string, string])[] = [
      [t("Volume"), `${value("volume_ml")} ml`],
      [t("Mean"), `${value("mean")} ${unit}`],
      [t("Standard deviation"), `${value("sd")} ${unit}`],
      [t("Lowest – highest"), `${value("min")} – ${value("max")} ${unit}`],
      [t("Slices"), value("slices")],
    ];
    this.numbers.replaceChildren(...rows.flatMap(([name, words]) => [make("dt", {}, name), make("dd", {}, words)]));
  }

  // --- parts ---------------------------------------------------------------------------------------
  private rangeSection(): HTMLElement {
    this.presets.append(
      ...HU_PRESETS.map(({ property, lowest, highest }) => {
        const made = button(tissueName(property));
        made.addEventListener("click", () => {
          this.property.value = property;
          this.isPropertyChosen = true;
          this.setRange({ lowest, highest });
        });
        return made;
      }),
    );
    const ends = make("div", { class: "fusion-ends" }, this.lowest, make("span", { "aria-hidden": "true" }, "–"), this.highest, this.unit);
    const seen = make("label", { class: "fusion-through" }, this.isSeen, make("span", {}, t("Show on the pictures")));
    return make("section", {}, make("h3", {}, t("Range of values")), this.histogram.root, ends, this.presets, seen);
  }

  private wishSection(): HTMLElement {
    const fill = make("label", { class: "fusion-through" }, this.fill, make("span", {}, t("Fill holes inside")));
    return make("section", {}, make("h3", {}, t("What counts")), this.extent, fill, make("h3", {}, t("Kind of tissue")), this.property);
  }

  private resultSection(): HTMLElement {
    const [measure, save, surface] = [button(t("Measure volume")), button(t("Save as segmentation")), button(t("Surface…"))];
    const shield = (work: () => Promise<void>): void => void work().catch(() => this.say(t("The server did not answer.")));
    measure.addEventListener("click", () => shield(() => this.measure(["json"])));
    save.addEventListener("click", () => shield(() => this.measure(["dicom", "json"])));
    surface.addEventListener("click", () => shield(() => this.surface()));
    this.stop.hidden = true;
    this.stop.addEventListener("click", () => this.work?.abort());
    const run = make("div", { class: "window-buttons tissue-run" }, measure, save, surface);
    return make("section", {}, run, make("div", { class: "tissue-work" }, this.progress, this.stop), this.said, this.numbers);
  }

  private listen(): void {
    const { store } = this.instrument;
    for (const field of [this.lowest, this.highest]) {
      field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
      field.addEventListener("change", () => {
        const [lowest, highest] = [this.lowest.valueAsNumber, this.highest.valueAsNumber];
        if (Number.isFinite(lowest) && Number.isFinite(highest) && highest >= lowest) {
          this.setRange({ lowest, highest });
        }
      });
    }
    this.property.addEventListener("change", () => (this.isPropertyChosen = true));
    this.isSeen.addEventListener("change", () => store.announce());
    this.fill.addEventListener("change", () => store.announce());
    this.extent.addEventListener("change", () => {
      if (this.extent.value === "seed" && store.state.cursor === null) {
        store.change(setTool("cursor"));
      }
      store.announce();
    });
  }
}

/** Opens the panel from the menu. */
export function openTissue(store: Store): void {
  store.change(setOpenPanel(TISSUE_PANEL));
}

function rangeOf({ center, width }: Window): TissueRange {
  return { lowest: center - width / 2, highest: center + width / 2 };
}

function button(words: string): HTMLButtonElement {
  return make("button", { type: "button", class: "button" }, words);
}
