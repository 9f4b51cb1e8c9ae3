/** All findings of the study in a list: one leads to its place; layers, visibility and conflicts. */

import { kindName, valueText } from "../core/finding-text";
import type { Finding } from "../core/findings";
import type { Result } from "../core/measure";
import { t } from "../core/text";
import type { Entry, FindingStore, Layer, SaveState } from "../state/findings";
import type { Store } from "../state/store";
import { icon, make, setText } from "./dom";
import { findingFields, LAYER_NAMES } from "./viewer-finding-fields";
import { LayerRows } from "./viewer-layer-rows";
import { dateWords } from "./viewer-priors";
import type { SidePanel } from "./viewer-side";

export const FINDINGS_KEY = "F9";
export const FINDINGS_PANEL = "findings";

export interface FindingsWays {
  readonly mayMark: boolean;
  readonly jump: (finding: Finding) => void;
  readonly resultOf: (finding: Finding) => Result | string | null;
  readonly colourOf: (finding: Finding) => string;
  readonly saveLayer: (layer: Layer) => void;
  readonly retry: () => void;
  readonly exports: HTMLElement;
}

export function findingsPanel(store: Store, findings: FindingStore, ways: FindingsWays): SidePanel {
  const content = new FindingsPanel(store, findings, ways);
  return {
    id: FINDINGS_PANEL,
    name: t("Findings"),
    icon: "list-checks",
    key: FINDINGS_KEY,
    root: content.root,
    show: () => content.show(),
  };
}

interface Row {
  readonly element: HTMLElement;
  readonly signature: string;
}

class FindingsPanel {
  private readonly summary = make("p", { class: "findings-summary" });
  private readonly filter = make("select", { class: "entry", "aria-label": t("Layer") });
  private readonly list = make("ol", { class: "findings-list" });
  private readonly empty = make("p", { class: "findings-note" }, t("Nothing has been measured or marked in this study."));
  private readonly undo = toolButton("undo-2", t("Undo"));
  private readonly redo = toolButton("redo-2", t("Redo"));
  private readonly layerNames = make("datalist", { id: LAYER_NAMES });
  private readonly layers: LayerRows;
  readonly root: HTMLElement;
  private readonly rows = new Map<string, Row>();
  private offered = "";
  /** The layer that is listed; null: all. */
  private chosen: string | null = null;

  constructor(
    private readonly store: Store,
    private readonly findings: FindingStore,
    private readonly ways: FindingsWays,
  ) {
    this.layers = new LayerRows(findings, ways);
    this.undo.addEventListener("click", () => findings.undo());
    this.redo.addEventListener("click", () => findings.redo());
    this.filter.addEventListener("change", () => {
      this.chosen = this.filter.selectedIndex < 1 ? null : this.filter.value;
      store.announce();
    });
    const actions = make("div", { class: "findings-actions" }, this.undo, this.redo);
    this.root = make(
      "div",
      { class: "findings-body" },
      make("div", { class: "findings-head" }, this.summary, ...(ways.mayMark ? [actions] : [])),
      make("div", { class: "findings-filter" }, this.filter, this.layerNames),
      this.empty,
      this.list,
      this.layers.root,
      ways.exports,
    );
  }

  show(): void {
    const { findings } = this;
    this.offerLayers();
    const entries = findings.all().filter((entry) => isListed(entry, this.chosen));
    const count = findings.findings().length;
    setText(this.summary, count === 1 ? t("1 finding") : t("{count} findings", { count }));
    this.empty.hidden = entries.length > 0;
    this.undo.disabled = !findings.canUndo;
    this.redo.disabled = !findings.canRedo;
    this.showRows(entries);
    this.layers.show();
  }

  private offerLayers(): void {
    const names = this.findings.layerNames();
    if (this.chosen !== null && !names.includes(this.chosen)) {
      this.chosen = null;
    }
    if (this.offered !== names.join("\n")) {
      this.offered = names.join("\n");
      this.layerNames.replaceChildren(...names.filter(Boolean).map((value) => make("option", { value })));
      const options = names.map((name) => make("option", { value: name }, name || t("No layer")));
      this.filter.replaceChildren(make("option", {}, t("All layers")), ...options);
      this.filter.selectedIndex = this.chosen === null ? 0 : names.indexOf(this.chosen) + 1;
    }
    (this.filter.parentElement as HTMLElement).hidden = names.length < 2;
  }

  private showRows(entries: readonly Entry[]): void {
    const keys = new Set(entries.map(({ key }) => key));
    for (const [key, { element }] of this.rows) {
      if (!keys.has(key)) {
        element.remove();
        this.rows.delete(key);
      }
    }
    entries.forEach((entry, i) => {
      const element = this.rowOf(entry);
      if (this.list.children[i] !== element) {
        this.list.insertBefore(element, this.list.children[i] ?? null);
      }
    });
  }

  /** A row is made anew only when something of it has changed, so that the focus stays. */
  private rowOf(entry: Entry): HTMLElement {
    const before = this.rows.get(entry.key);
    const texts = this.textsOf(entry);
    const isSelected = entry.key === this.findings.selectedKey;
    const signature = JSON.stringify([texts, isSelected, entry.state, entry.reason, entry.local?.isVisible, entry.saved?.version]);
    const hadFocus = before?.element.contains(document.activeElement) === true;
    const { activeElement } = document;
    const isWrittenIn = hadFocus && (activeElement instanceof HTMLInputElement || activeElement instanceof HTMLSelectElement);
    if (before !== undefined && (before.signature === signature || isWrittenIn)) {
      return before.element;
    }
    const element = this.makeRow(entry, texts, isSelected);
    before?.element.replaceWith(element);
    this.rows.set(entry.key, { element, signature });
    if (hadFocus) {
      element.querySelector("button")?.focus();
    }
    return element;
  }

  private makeRow(entry: Entry, texts: RowTexts, isSelected: boolean): HTMLElement {
    const finding = entry.local ?? (entry.saved?.content as Finding);
    const swatch = make("span", { class: "finding-swatch" });
    swatch.style.background = texts.colour;
    const jump = make(
      "button",
      { type: "button", class: "finding-jump", "aria-current": isSelected ? "true" : null },
      swatch,
      make("span", { class: "finding-name", dir: "auto" }, texts.name),
      make("span", { class: "finding-value" }, texts.value),
      make("span", { class: "finding-place" }, texts.place),
    );
    jump.addEventListener("click", () => this.ways.jump(finding));
    const row = make("li", { class: "finding", "data-state": entry.state }, jump);
    if (this.ways.mayMark && entry.local !== null && !this.findings.isFixed(entry.key)) {
      row.append(this.rowActions(entry.local));
      if (isSelected) {
        row.append(findingFields(entry.local, this.findings, texts.colour));
      }
    }
    row.append(...this.troubles(entry));
    return row;
  }

  private rowActions(finding: Finding): HTMLElement {
    const eye = toolButton(finding.isVisible ? "eye" : "eye-off", finding.isVisible ? t("Hide") : t("Show"));
    eye.addEventListener("click", () => this.findings.change({ ...finding, isVisible: !finding.isVisible }));
    const remove = toolButton("trash-2", t("Delete"));
    remove.addEventListener("click", () => this.findings.remove(finding.key));
    return make("div", { class: "finding-actions" }, eye, remove);
  }

  private troubles(entry: Entry): HTMLElement[] {
    if (entry.state === "conflict") {
      return [this.conflict(entry)];
    }
    if (entry.state !== "away" && entry.state !== "refused") {
      return [];
    }
    const words = entry.state === "away" ? t("Not saved: the server cannot be reached. It is tried again.") : t("Not saved.");
    const again = make("button", { type: "button", class: "button" }, t("Try again"));
    again.addEventListener("click", () => this.ways.retry());
    return [make("div", { class: "finding-trouble", role: "alert" }, make("p", {}, words, " ", entry.reason), again)];
  }

  private conflict({ key, local, saved }: Entry): HTMLElement {
    const told = (finding: Finding | null, result: Result | string | null): string =>
      finding === null ? t("deleted") : [finding.label, finding.text, shortOf(result)].filter(Boolean).join(" · ") || kindName(finding.kind);
    const own = told(local, local === null ? null : this.ways.resultOf(local));
    const theirs = told(saved?.content ?? null, saved?.result ?? null);
    const button = (name: string, keepsOwn: boolean): HTMLElement => {
      const made = make("button", { type: "button", class: "button" }, name);
      made.addEventListener("click", () => this.findings.settle(key, keepsOwn));
      return made;
    };
    const words = saved === null ? t("Somebody else has deleted this.") : t("{name} has changed this meanwhile.", { name: saved.changedBy });
    return make(
      "div",
      { class: "finding-trouble", role: "alert" },
      make("p", {}, words),
      make("dl", {}, make("dt", {}, t("Yours")), make("dd", {}, own), make("dt", {}, t("Theirs")), make("dd", {}, theirs)),
      button(t("Keep mine"), true),
      button(t("Take theirs"), false),
    );
  }

  private textsOf({ local, saved, state }: Entry): RowTexts {
    const finding = local ?? (saved?.content as Finding);
    const { series: all, priors } = this.store.state;
    const series = all.find(({ id }) => id === finding.seriesId);
    const prior = priors.find(({ study }) => study.id === saved?.studyId);
    const where = [
      prior === undefined ? "" : dateWords(prior),
      series?.seriesNumber === null || series === undefined ? "" : `${t("Se")} ${series.seriesNumber}`,
      imageName(this.store, finding),
      finding.label === "" && finding.text === "" ? "" : kindName(finding.kind),
      saved === null ? "" : saved.changedBy,
      saved === null ? stateName(state) : timeOf(saved.changedAt),
      finding.layer,
    ];
    return {
      name: finding.label || finding.text || kindName(finding.kind),
      value: shortOf(this.ways.resultOf(finding)) || (finding.knownMm === null ? "" : `${finding.knownMm} mm`),
      place: where.filter((part) => part !== "").join(" · "),
      colour: this.ways.colourOf(finding),
    };
  }
}

interface RowTexts {
  readonly name: string;
  readonly value: string;
  readonly place: string;
  readonly colour: string;
}

function toolButton(name: string, label: string): HTMLButtonElement {
  return make("button", { type: "button", class: "tool", "aria-label": label, title: label }, icon(name));
}

function isListed({ local, state, saved }: Entry, layer: string | null): boolean {
  const finding = local ?? (state === "conflict" ? (saved?.content ?? null) : null);
  return finding !== null && (layer === null || finding.layer === layer);
}

/** The number that a list shows: the mean of a region, the value of all others. */
function shortOf(result: Result | string | null): string {
  if (result === null || typeof result === "string") {
    return result === null ? "" : t(result);
  }
  const { mean, unit } = result.statistics;
  const isRegion = typeof mean === "number" && typeof unit === "string" && result.kind !== "probe";
  const area = valueText(result);
  return isRegion ? `${valueText({ value: mean, unit, uncertainty: null })} · ${area}` : area;
}

function imageName(store: Store, finding: Finding): string {
  if (finding.plane !== null) {
    return t("Reformatted plane");
  }
  const stack = store.state.stacks.get(finding.seriesId);
  const images = stack?.kind === "ready" ? stack.stack.images : [];
  const at = images.findIndex(({ instanceId, frame }) => instanceId === finding.instanceId && frame === finding.frame);
  return at < 0 ? "" : `${t("Im")} ${at + 1}`;
}

function timeOf(iso: string): string {
  const time = new Date(iso);
  return Number.isNaN(time.getTime()) ? "" : time.toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

function stateName(state: SaveState): string {
  return state === "saved" ? t("Saved") : t("Saving");
}
