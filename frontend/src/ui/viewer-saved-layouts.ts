/** Saved layouts in the layout sheet: save this one, hang by another, take one away; each can be undone. */

import { describePane, PROJECTIONS, type PaneOnPage } from "../core/saved-layout";
import type { ImageFacts } from "../core/facts";
import type { Slab } from "../core/mpr";
import { t } from "../core/text";
import { fetchHung, HangingError, LayoutApi, type SavedLayout } from "../io/hanging";
import { readSeriesList, type ViewerPage } from "../io/api";
import type { JsonObject } from "../io/read";
import { addSeries, hang } from "../state/hanging";
import { setLayout } from "../state/layouts";
import { activePane, imageIn, ONE_PANE, seriesIn } from "../state/panes";
import type { PaneState, Store, ViewerState } from "../state/store";
import { icon, make, setText } from "./dom";
import { kindOf, LayoutRules } from "./viewer-layout-rules";

const STANDARD = "standard";

export class SavedLayouts {
  private readonly save = make("button", { type: "button", class: "button layout-save" });
  private readonly list = make("ul", { class: "layout-saved" });
  private readonly words = make("span");
  private readonly undo = make("button", { type: "button", class: "button", hidden: true }, t("Undo"));
  private readonly rules: LayoutRules;
  readonly root: HTMLElement;
  private readonly api: LayoutApi;
  private saved: readonly SavedLayout[] = [];
  private takeBack: (() => Promise<unknown>) | null = null;

  constructor(
    private readonly store: Store,
    private readonly page: ViewerPage,
  ) {
    this.api = new LayoutApi(page.layoutsUrl, page.person.csrfToken);
    this.rules = new LayoutRules(page.person.mayKeepFor, () => this.name());
    this.root = make(
      "div",
      { class: "layout-keep" },
      this.save,
      this.rules.root,
      make("p", { class: "layout-told", role: "status" }, this.words, this.undo),
      this.list,
    );
    this.save.addEventListener("click", () => void this.attempt(() => this.keep()));
    this.undo.addEventListener("click", () => void this.attempt(() => this.back()));
  }

  /** Called when the sheet opens: names what would be saved, and reads the list. */
  open(): void {
    const { state } = this.store;
    this.save.disabled = seriesIn(state, activePane(state)) === undefined;
    const pane = state.panes.find((one) => seriesIn(state, one)?.studyId === state.study.id) ?? activePane(state);
    const series = seriesIn(state, pane);
    const priors = Math.max(0, ...state.panes.map((one) => priorNumber(state, one)));
    this.rules.open(series === undefined ? null : { series, facts: imageIn(state, pane), study: state.study, priors });
    this.name();
    this.tell("", null);
    void this.attempt(() => this.renew());
  }

  private name(): void {
    setText(this.save, t("Save this layout for {kind}", { kind: kindOf(this.rules.rules()) }));
  }

  /** A layout of the same owner with the same rules is replaced, so that one kind of study has one. */
  private async keep(): Promise<void> {
    const { state } = this.store;
    const rules = this.rules.rules();
    const { facility } = this.rules;
    const panes = state.panes.map((pane) => paneOnPage(state, pane));
    const layout = {
      rows: state.layout.rows,
      columns: state.layout.columns,
      panes: panes.map((pane, place) => (pane === null ? {} : describePane(pane, placeOf(state, panes, place)))),
      links: { ...state.links },
    };
    const kind = kindOf(rules);
    await this.renew();
    const isSame = (one: SavedLayout): boolean => (facility === "" ? one.isOwn : one.facility === facility);
    const before = this.saved.find((one) => isSame(one) && JSON.stringify(sorted(one.rules)) === JSON.stringify(sorted(rules as JsonObject)));
    const body = { name: kind, rules, layout } as JsonObject;
    if (before === undefined) {
      const made = await this.api.create(facility === "" ? body : { ...body, facility });
      this.tell(t("Saved: {kind} opens like this.", { kind }), () => this.api.remove(made));
    } else {
      const changed = await this.api.change(before, body);
      const old = { name: before.name, rules: before.rules, layout: before.layout };
      this.tell(t("Saved: {kind} opens like this.", { kind }), () => this.api.change(changed, old));
    }
    await this.renew();
  }

  private async remove(one: SavedLayout): Promise<void> {
    await this.api.remove(one);
    const { name, rules, layout, facility } = one;
    const whose = facility === "" ? {} : { facility };
    this.tell(t("Deleted: {name}", { name }), () => this.api.create({ name, rules, layout, ...whose }));
    await this.renew();
  }

  private async back(): Promise<void> {
    const undo = this.takeBack;
    this.takeBack = null;
    await undo?.();
    this.tell(t("Taken back."), null);
    await this.renew();
  }

  private async hangBy(protocol: string): Promise<void> {
    const { hung, wire } = await fetchHung(this.page.hangUrl, protocol);
    this.store.change((state) => {
      const withPriors = addSeries(readSeriesList(wire))(state);
      return hung === null ? setLayout(ONE_PANE)(withPriors) : hang(hung)(withPriors);
    });
  }

  private async renew(): Promise<void> {
    this.saved = await this.api.list();
    this.list.replaceChildren(this.rowOf(t("The house's own layout"), STANDARD, null), ...this.saved.map((one) => this.rowOf(one.name, one.id, one)));
  }

  private rowOf(name: string, protocol: string, one: SavedLayout | null): HTMLElement {
    const { hungBy } = this.store.state;
    const isNow = one === null ? !this.saved.some(({ id }) => id === hungBy) : one.id === hungBy;
    const use = make("button", { type: "button", class: "layout-use", "aria-pressed": `${isNow}` }, make("bdi", {}, name));
    use.addEventListener("click", () => void this.attempt(() => this.hangBy(protocol)));
    const row = make("li", {}, use);
    if (one !== null && !one.isOwn) {
      use.append(make("span", { class: "layout-shared" }, t("shared")));
    }
    if (one !== null && (one.isOwn || one.facility === this.page.person.mayKeepFor?.code)) {
      const drop = make("button", { type: "button", class: "tool", "aria-label": t("Delete {name}", { name }) }, icon("x"));
      drop.addEventListener("click", () => void this.attempt(() => this.remove(one)));
      row.append(drop);
    }
    return row;
  }

  private async attempt(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      const words = error instanceof HangingError ? error.message : "";
      this.tell(words || t("The server did not answer."), null);
    }
  }

  private tell(words: string, undo: (() => Promise<unknown>) | null): void {
    setText(this.words, words);
    this.takeBack = undo;
    this.undo.hidden = undo === null;
  }
}

function sorted(rules: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(rules).sort(([a], [b]) => a.localeCompare(b)));
}

function priorNumber(state: ViewerState, pane: PaneState): number {
  const id = seriesIn(state, pane)?.studyId;
  return state.priors.findIndex(({ study }) => study.id === id) + 1;
}

function paneOnPage(state: ViewerState, pane: PaneState): PaneOnPage | null {
  const series = seriesIn(state, pane);
  if (series === undefined) {
    return null;
  }
  const { shows } = pane;
  const isOfVolume = shows === "plane" || shows === "volume";
  const volume = isOfVolume ? { shows, plane: pane.plane, slab: slabOf(state, pane), body: pane.body ?? null } : {};
  // A plane is no image of the series: what the images say of themselves stands in these.
  const facts = isOfVolume ? stackImage(state, pane) : imageIn(state, pane);
  return { series, facts, window: pane.look.window, hang: pane.hang, prior: priorNumber(state, pane), over: overOf(state, pane), ...volume };
}

function stackImage(state: ViewerState, pane: PaneState): ImageFacts | undefined {
  const stack = state.stacks.get(pane.seriesId);
  return stack?.kind === "ready" ? stack.stack.images[0] : undefined;
}

/** Thin planes need no word. */
function slabOf(state: ViewerState, { seriesId }: PaneState): Slab | null {
  const slab = state.mpr.get(seriesId)?.slab;
  return slab === undefined || slab.mode === "thin" ? null : slab;
}

/** What lies over a pane's pictures, and which of those that are alike it is. */
function overOf(state: ViewerState, pane: PaneState): NonNullable<PaneOnPage["over"]> | null {
  const series = state.series.find(({ id }) => id === pane.fusion?.seriesId);
  if (series === undefined) {
    return null;
  }
  const { studyId, modality, seriesDescription } = series;
  const alike = state.series.filter((one) => one.studyId === studyId && one.modality === modality && one.seriesDescription === seriesDescription);
  return { series, place: alike.indexOf(series) };
}

/** Which of those that are alike the pane shows: the server counts them in the order of the strip. */
function placeOf(state: ViewerState, panes: readonly (PaneOnPage | null)[], place: number): number {
  const own = panes[place];
  if (own == null) {
    return 0;
  }
  const { series, facts } = own;
  if (PROJECTIONS.includes(series.modality)) {
    if (facts !== undefined && facts.viewPosition !== "") {
      return 0;
    }
    const before = state.series.filter(({ studyId, modality }) => studyId === series.studyId && modality === series.modality);
    const ofOthers = before.slice(0, before.indexOf(series)).reduce((sum, one) => sum + one.instanceCount, 0);
    const stack = state.stacks.get(series.id);
    const images = stack?.kind === "ready" ? stack.stack.images : [];
    const instances = [...new Set(images.map(({ instanceId }) => instanceId))];
    return ofOthers + Math.max(0, instances.indexOf(facts?.instanceId ?? ""));
  }
  const alike = state.series.filter(
    (one) =>
      one.displayable &&
      one.studyId === series.studyId &&
      one.modality === series.modality &&
      (series.seriesDescription === "" || one.seriesDescription.trim().toLowerCase() === series.seriesDescription.trim().toLowerCase()),
  );
  return Math.max(0, alike.indexOf(series));
}
