/** Fusion and uptake: what lies over the active pane, in which colours, and which SUV is shown. */

import { formatLevel } from "../core/format";
import type { Fusion } from "../core/fusion";
import type { Series } from "../core/facts";
import { isSuvKind, shownScale, SUV_KINDS, suvSign } from "../core/suv";
import { t } from "../core/text";
import { changeFusion, fuse, fusionIn, setSuvKind, suvKindOf, toggleOverlay, unfuse } from "../state/fusion";
import { activePane, seriesIn, stackIn } from "../state/panes";
import type { Store, ViewerState } from "../state/store";
import type { Instrument } from "../tools/tool";
import { make, setText } from "./dom";
import type { Command } from "./viewer-commands";
import { overlayStack, seriesWords } from "./viewer-fusion";
import { fuseWords } from "./viewer-fusion-words";
import { PeakFinder } from "./viewer-peak";
import type { SidePanel } from "./viewer-side";
import { loadStack } from "./viewer-stacks";

export const FUSION_PANEL = "fusion-panel";
const SUV_ENDS = [5, 7, 10, 15, 20];

export function fusionPanel(instrument: Instrument, apiUrl: string): SidePanel {
  const content = new FusionPanel(instrument, apiUrl);
  return { id: FUSION_PANEL, name: t("Fusion and SUV"), icon: "blend", key: "(", root: content.root, show: () => content.show() };
}

export function fusionCommands(store: Store): Command[] {
  return [
    {
      id: "toggle-overlay",
      name: t("With and without the fused series"),
      keys: [")"],
      group: "volume",
      icon: "blend",
      run: () => store.change(toggleOverlay()),
      canRun: () => fusionIn(activePane(store.state)) !== null,
      isOn: (state) => fusionIn(activePane(state))?.isHidden === false,
    },
  ];
}

class FusionPanel {
  readonly root = make("div", { class: "window-panel" });
  private readonly base = make("p", { class: "fusion-base", dir: "auto" });
  private readonly over = make("select", { class: "entry", "aria-label": t("Series over the picture") });
  private readonly why = make("p", { class: "window-note", hidden: true });
  private readonly opacity = make("input", { type: "range", min: 0, max: 100, step: 5, "aria-label": t("Opacity") });
  private readonly share = make("output", { class: "window-strength" });
  private readonly low = numberEntry(t("Colours begin at"));
  private readonly high = numberEntry(t("Colours end at"));
  private readonly unit = make("span", { class: "fusion-unit" });
  private readonly quick = make("div", { class: "window-buttons" });
  private readonly colours = make("select", { class: "entry", "aria-label": t("Colour map") });
  private readonly through = make("input", { type: "checkbox" });
  private readonly hide = make("button", { type: "button", class: "button" }, t("Hide"));
  private readonly away = make("button", { type: "button", class: "button" }, t("Take away"));
  private readonly look: HTMLElement;
  private readonly kind = make("select", { class: "entry", "aria-label": t("Uptake relative to") });
  private readonly missing = make("p", { class: "window-note", hidden: true });
  private readonly peaks: PeakFinder;
  private offered = "";

  constructor(
    private readonly instrument: Instrument,
    apiUrl: string,
  ) {
    const { store } = instrument;
    this.colours.append(...store.state.colourMaps.map(({ code, label }) => make("option", { value: code }, label)));
    this.look = this.makeLook();
    this.peaks = new PeakFinder(store, apiUrl);
    const uptake = make("section", {}, make("h3", {}, t("Uptake (SUV)")), this.kind, this.missing);
    this.root.append(make("section", {}, make("h3", {}, t("Picture below")), this.base, make("h3", {}, t("Over it")), this.over, this.why), this.look, uptake, this.peaks.root);
    this.listen(store);
  }

  show(): void {
    const { state } = this.instrument.store;
    const pane = activePane(state);
    const base = seriesIn(state, pane);
    setText(this.base, base === undefined ? "" : seriesWords(base));
    const fusion = fusionIn(pane);
    this.offer(state, fusion);
    this.look.hidden = fusion === null;
    if (fusion !== null) {
      this.showLook(state, fusion);
    }
    this.showKinds(state, fusion);
    const isOver = fusion !== null && state.series.some(({ id, modality }) => id === fusion.seriesId && modality === "PT");
    this.peaks.show(state, isOver ? fusion.seriesId : base?.modality === "PT" ? base.id : "");
  }

  private makeLook(): HTMLElement {
    const row = make("div", { class: "window-filter" }, make("span", {}, t("Opacity")), this.opacity, this.share);
    const ends = make("div", { class: "fusion-ends" }, this.low, make("span", { "aria-hidden": "true" }, "–"), this.high, this.unit);
    const through = make("label", { class: "fusion-through" }, this.through, make("span", {}, t("Low values let the picture below through")));
    const buttons = make("div", { class: "window-buttons" }, this.hide, this.away);
    return make("section", {}, row, make("h3", {}, t("Window of the upper series")), ends, this.quick, make("h3", {}, t("Colour map")), this.colours, through, buttons);
  }

  private listen(store: Store): void {
    const change = (next: Partial<Fusion>): void => store.change((state) => changeFusion(activePane(state).id, next)(state));
    this.over.addEventListener("change", () => {
      const { id } = activePane(store.state);
      store.change(this.over.value === "" ? unfuse(id) : fuse(id, this.over.value));
    });
    this.opacity.addEventListener("input", () => change({ opacity: Number(this.opacity.value) / 100 }));
    // The keys of the whole page scroll the stack; here they turn the strength.
    this.opacity.addEventListener("keydown", (event) => event.key.startsWith("Arrow") && event.stopPropagation());
    this.colours.addEventListener("change", () => change({ colourMap: this.colours.value }));
    this.through.addEventListener("change", () => change({ isSeeThrough: this.through.checked }));
    this.hide.addEventListener("click", () => store.change(toggleOverlay()));
    this.away.addEventListener("click", () => store.change((state) => unfuse(activePane(state).id)(state)));
    for (const field of [this.low, this.high]) {
      field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
      field.addEventListener("change", () => {
        const [low, high] = [readNumber(this.low.value), readNumber(this.high.value)];
        change(low !== null && high !== null && high > low ? { ends: [low, high] } : {});
      });
    }
    this.kind.addEventListener("change", () => isSuvKind(this.kind.value) && store.change(setSuvKind(this.kind.value)));
    this.quick.append(
      ...SUV_ENDS.map((high) => {
        const button = make("button", { type: "button", class: "button" }, `0–${high}`);
        button.addEventListener("click", () => change({ ends: [0, high] }));
        return button;
      }),
    );
  }

  /** All other series of the study, those that cannot be fused with the reason; their facts are fetched first. */
  private offer(state: ViewerState, fusion: Fusion | null): void {
    const { store } = this.instrument;
    const pane = activePane(state);
    const base = seriesIn(state, pane);
    const others = state.series.filter(({ id, studyId, displayable }) => id !== base?.id && studyId === base?.studyId && displayable);
    const rows = others.map((series) => [series, fuseWords(state, pane, series)] as const);
    rows.forEach(([{ id }, words]) => {
      if (words === null && !state.stacks.has(id)) {
        queueMicrotask(() => void loadStack(store, id));
      }
    });
    const offered = JSON.stringify(rows.map(([{ id }, words]) => [id, words]));
    if (offered !== this.offered) {
      this.offered = offered;
      this.over.replaceChildren(make("option", { value: "" }, t("Nothing")), ...rows.map(([series, words]) => offerOf(series, words)));
    }
    this.over.value = fusion?.seriesId ?? "";
    const reasons = rows.filter(([, words]) => words !== "" && words !== null).map(([series, words]) => `${seriesWords(series)}: ${words}`);
    this.why.hidden = reasons.length === 0;
    setText(this.why, reasons.join(" "));
  }

  private showLook(state: ViewerState, fusion: Fusion): void {
    const fused = this.instrument.viewport.shown?.fused ?? null;
    this.opacity.value = `${Math.round(fusion.opacity * 100)}`;
    setText(this.share, `${Math.round(fusion.opacity * 100)}`);
    this.colours.value = fusion.colourMap;
    this.through.checked = fusion.isSeeThrough;
    setText(this.hide, fusion.isHidden ? t("Show") : t("Hide"));
    const ends = fused?.ends ?? fusion.ends;
    const series = state.series.find(({ id }) => id === fusion.seriesId);
    const unit = series === undefined ? "" : shownScale(series, overlayStack(state, fusion), suvKindOf(state)).unit;
    setText(this.unit, unit);
    this.quick.hidden = !unit.startsWith("SUV");
    [this.low, this.high].forEach((field, at) => {
      const value = ends?.[at];
      if (document.activeElement !== field && ends != null && value !== undefined) {
        field.value = formatLevel(value, ends[1] - ends[0]);
      }
    });
  }

  /** Which SUV can be had for the PET on the pane, below or above, and what the others lack. */
  private showKinds(state: ViewerState, fusion: Fusion | null): void {
    const pane = activePane(state);
    const over = state.series.find(({ id }) => id === fusion?.seriesId);
    const isOver = over?.modality === "PT";
    const stack = isOver ? overlayStack(state, fusion) : seriesIn(state, pane)?.modality === "PT" ? stackIn(state, pane) : null;
    const known = stack?.suvFactors ?? {};
    this.kind.disabled = Object.keys(known).length === 0;
    const options = SUV_KINDS.map((kind) => make("option", { value: kind, disabled: known[kind] === undefined }, kindWords(kind)));
    const marks = SUV_KINDS.map((kind) => `${known[kind] !== undefined}`).join();
    if (this.kind.dataset["known"] !== marks) {
      this.kind.dataset["known"] = marks;
      this.kind.replaceChildren(...options);
    }
    this.kind.value = suvKindOf(state);
    const reasons = Object.entries(stack?.suvMissing ?? {}).map(([kind, words]) => `${isSuvKind(kind) ? suvSign(kind) : kind}: ${words}`);
    const isAll = reasons.length > 0 && Object.keys(known).length === 0;
    const words = isAll ? (Object.values(stack?.suvMissing ?? {})[0] ?? "") : reasons.join(" ");
    this.missing.hidden = words === "" && stack !== null;
    setText(this.missing, stack === null ? t("No PET is in this pane.") : words);
  }
}

function kindWords(kind: (typeof SUV_KINDS)[number]): string {
  const names = { bw: t("Body weight"), lbm: t("Lean body mass (Janmahasatian)"), lbm_james: t("Lean body mass (James)"), bsa: t("Body surface") };
  return `${suvSign(kind)} · ${names[kind]}`;
}

function offerOf(series: Series, words: string | null): HTMLElement {
  return make("option", { value: series.id, disabled: words !== "", dir: "auto" }, seriesWords(series));
}

function numberEntry(label: string): HTMLInputElement {
  return make("input", { type: "text", inputmode: "decimal", class: "entry", "aria-label": label, autocomplete: "off" });
}

function readNumber(text: string): number | null {
  const value = Number(text.trim().replace(",", "."));
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}
