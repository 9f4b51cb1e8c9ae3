/** Objects of the study that are no pictures: read in their pane, laid over pictures, applied to them. */

import { isSelectedBy, selectedBy } from "../core/key-images";
import { belongsTo, type Named, type ObjectDocument, type StoredObject } from "../core/stored-objects";
import { t } from "../core/text";
import { activeSeries, goTo, openSeries, setOpenPanel } from "../state/changes";
import { stackIn } from "../state/panes";
import type { Store } from "../state/store";
import { icon, make, setAttribute } from "./dom";
import { AppliedState } from "./viewer-applied-state";
import { documentOf, swatch } from "./viewer-object-document";
import { ObjectLayer } from "./viewer-object-layer";
import { ObjectStore } from "./viewer-object-store";
import type { ViewerPane } from "./viewer-pane";
import type { SidePanel } from "./viewer-side";

const OBJECTS = "objects";
const KEY_IMAGES = "key-images";
const OUTLINED = new Set(["segmentation", "structures"]);

export class StoredObjects {
  private readonly known: ObjectStore;
  private readonly list = make("div", { class: "objects-body" });
  private readonly chosen = new Map<string, string>();
  private readonly applied: AppliedState;
  private wanted: Named | null = null;
  private readonly panes = new Map<string, ViewerPane>();
  private drawn = "";

  constructor(
    apiUrl: string,
    private readonly store: Store,
    isLive: (markId: string) => boolean,
  ) {
    this.applied = new AppliedState(store, (paneId) => this.panes.get(paneId)?.viewport.size ?? { width: 1, height: 1 });
    const url = `${apiUrl}studies/${encodeURIComponent(store.state.study.id)}/`;
    this.known = new ObjectStore(`${url}objects/`, `${url}stored-marks/`, () => store.announce(), ({ facts }) => this.applied.stateFor(facts), isLive);
    let series = store.state.series;
    store.subscribe(() => {
      if (series !== store.state.series) {
        series = store.state.series;
        this.renew();
      }
      this.goOn();
    });
  }

  get panel(): SidePanel {
    return {
      id: OBJECTS,
      name: t("Objects"),
      icon: "folder-open",
      key: "O",
      root: this.list,
      show: () => this.show(),
    };
  }

  /** New objects may have come with new series. */
  private renew(): void {
    if (this.known.objects !== null) {
      this.known.load(true);
    }
  }

  /** Gives a pane its layer over pictures, and its page for what is none. */
  attach(pane: ViewerPane): void {
    this.panes.set(pane.id, pane);
    pane.addLayer(new ObjectLayer((shown) => this.known.overlayOf(shown)));
    const page = make("div", { class: "object-page", hidden: true, tabindex: "0" });
    pane.picture.parentElement?.append(page);
    let drawn = "";
    this.store.subscribe(() => {
      drawn = this.showPage(pane, page, drawn);
    });
    drawn = this.showPage(pane, page, drawn);
  }

  // --- in the pane -----------------------------------------------------------------------
  private showPage(pane: ViewerPane, page: HTMLElement, drawn: string): string {
    const seriesId = pane.state?.seriesId ?? "";
    const series = this.store.state.series.find(({ id }) => id === seriesId);
    const isNoPicture = series !== undefined && !series.displayable;
    if (isNoPicture) {
      this.known.load();
    }
    const objects = isNoPicture ? this.known.ofSeries(seriesId) : [];
    const object = objects.find(({ id }) => id === this.chosen.get(seriesId)) ?? objects[0];
    const document = object === undefined ? "coming" : this.known.documentOf(object);
    page.hidden = typeof document !== "object";
    setAttribute(pane.root, "data-document", typeof document === "object");
    const now = typeof document === "object" ? `${document.id} ${objects.length}` : "";
    if (now !== drawn && typeof document === "object") {
      page.replaceChildren(...this.chooser(objects, document.id, seriesId), documentOf(document, (named) => this.open(named)));
      page.scrollTop = 0;
    }
    return now;
  }

  /** Where a series has several objects: one button each. */
  private chooser(objects: readonly StoredObject[], shownId: string, seriesId: string): HTMLElement[] {
    if (objects.length < 2) {
      return [];
    }
    const buttons = objects.map(({ id, name }, place) => {
      const button = make("button", { type: "button", class: "button", "aria-pressed": `${id === shownId}` }, `${place + 1}`);
      setAttribute(button, "aria-label", `${name} ${place + 1}`);
      button.addEventListener("click", () => {
        this.chosen.set(seriesId, id);
        this.store.announce();
      });
      return button;
    });
    return [make("div", { class: "object-chooser", role: "group", "aria-label": t("Objects of this series") }, ...buttons)];
  }

  /** Opens an image that is named, as soon as its series is here. */
  open(named: Named): void {
    if (named.studyId !== "" && named.studyId !== this.store.state.study.id) {
      location.assign(`/viewer/${encodeURIComponent(named.studyId)}/?series=${encodeURIComponent(named.seriesId)}`);
      return;
    }
    this.wanted = named;
    this.store.change(openSeries(named.seriesId));
    this.goOn();
  }

  private goOn(): void {
    const { wanted, store } = this;
    const { state } = store;
    const pane = state.panes.find(({ id }) => id === state.activePaneId);
    if (wanted === null || pane === undefined || pane.seriesId !== wanted.seriesId) {
      return;
    }
    const images = stackIn(state, pane)?.images;
    const place = images?.findIndex(({ instanceId, frame }) => belongsTo([wanted], instanceId, frame));
    if (place !== undefined) {
      this.wanted = null;
      store.change(goTo(Math.max(place, 0)));
    }
  }

  // --- panel -----------------------------------------------------------------------------
  private show(): void {
    this.known.load();
    const { objects, hasFailed } = this.known;
    const now = JSON.stringify([objects?.map((one) => [one.id, this.known.isOn(one.id), this.readyOf(one), this.known.markCount(one.id), this.known.isMarked(one.id)]), hasFailed, this.applied.id, this.store.state.keyImages.length, this.liveCounts(), this.hiddenParts()]);
    if (now === this.drawn) {
      return;
    }
    this.drawn = now;
    if (objects === null) {
      this.list.replaceChildren(make("p", { class: "object-note" }, hasFailed ? t("The objects could not be loaded.") : t("Loading")));
    } else if (objects.length === 0) {
      this.list.replaceChildren(make("p", { class: "object-note" }, t("This study has pictures only.")));
    } else {
      this.list.replaceChildren(make("ul", { class: "objects-list" }, ...objects.map((one) => this.rowOf(one))));
    }
  }

  private readyOf(object: StoredObject): string {
    const isAsked = object.kind === "presentation" || object.kind === "key_objects" || OUTLINED.has(object.kind);
    const document = isAsked ? this.known.documentOf(object) : "";
    return typeof document === "string" ? document : "ready";
  }

  private liveCounts(): number {
    const document = this.applied.id === "" ? null : this.documentOf(this.applied.id);
    return document === null ? 0 : this.known.liveMarks(document.state).size;
  }

  private hiddenParts(): string[] {
    return (this.known.objects ?? []).flatMap(({ id }) => {
      const document = this.known.isOn(id) ? this.documentOf(id) : null;
      return document === null ? [] : document.parts.filter(({ number }) => this.known.isHidden(id, number)).map(({ number }) => `${id}/${number}`);
    });
  }

  private documentOf(id: string): ObjectDocument | null {
    const object = this.known.objects?.find((one) => one.id === id);
    const document = object === undefined ? null : this.known.documentOf(object);
    return typeof document === "object" ? document : null;
  }

  private rowOf(object: StoredObject): HTMLElement {
    const document = this.documentOf(object.id);
    const title = document?.title || object.title;
    const words = make("div", { class: "object-row-words" }, make("strong", { dir: "auto" }, title || object.name), make("span", {}, object.name));
    const row = make("li", {}, words);
    if (OUTLINED.has(object.kind)) {
      row.append(...this.outlineControls(object, document));
    } else if (object.kind === "presentation" && document !== null) {
      row.append(this.stateButton(document), ...this.twinNote(document));
    } else if (object.kind === "key_objects" && document !== null) {
      row.append(this.selectionButton(document));
    } else if (this.known.markCount(object.id) > 0) {
      row.append(this.marksSwitch(object.id));
    }
    if (!OUTLINED.has(object.kind) || object.kind === "structures") {
      const open = make("button", { type: "button", class: "button" }, icon("external-link"), t("Read"));
      open.addEventListener("click", () => {
        this.chosen.set(object.seriesId, object.id);
        this.store.change(openSeries(object.seriesId));
        this.store.announce();
      });
      row.append(open);
    }
    return row;
  }

  private marksSwitch(id: string): HTMLElement {
    const box = make("input", { type: "checkbox" });
    box.checked = this.known.isMarked(id);
    box.addEventListener("change", () => this.known.toggleMarks(id));
    return make("label", { class: "object-switch" }, box, t("Measurements on the pictures: {count}", { count: this.known.markCount(id) }));
  }

  private outlineControls(object: StoredObject, document: ObjectDocument | null): HTMLElement[] {
    const isOn = this.known.isOn(object.id);
    const box = make("input", { type: "checkbox", disabled: document === null });
    box.checked = isOn;
    box.addEventListener("change", () => document !== null && this.known.toggle(object, document));
    const label = make("label", { class: "object-switch" }, box, t("Outlines on the pictures"));
    if (!isOn || document === null) {
      return [label];
    }
    const legend = document.parts.map((part) => {
      const one = make("input", { type: "checkbox" });
      one.checked = !this.known.isHidden(object.id, part.number);
      one.addEventListener("change", () => this.known.togglePart(object.id, part.number));
      return make("li", {}, make("label", { title: part.words }, one, swatch(part.colour), make("span", { dir: "auto" }, part.name)));
    });
    return [label, make("ul", { class: "object-legend", "aria-label": t("Legend") }, ...legend)];
  }

  // --- key object selections ---------------------------------------------------------------
  private selectionButton(document: ObjectDocument): HTMLElement {
    const isOn = this.store.state.keyImages.some((one) => isSelectedBy(one, document.id));
    const selected = selectedBy(document);
    const button = make("button", { type: "button", class: "button", "aria-pressed": `${isOn}`, disabled: selected.length === 0 }, t("Show as key images"));
    button.addEventListener("click", () => {
      const others = this.store.state.keyImages.filter((one) => !isSelectedBy(one, document.id));
      this.store.change((state) => ({ ...state, keyImages: isOn ? others : [...others, ...selected] }));
      if (!isOn) {
        this.store.change(setOpenPanel(KEY_IMAGES));
      }
    });
    return button;
  }

  // --- presentation states ---------------------------------------------------------------
  private stateButton(document: ObjectDocument): HTMLElement {
    const isOn = this.applied.id === document.id;
    const button = make("button", { type: "button", class: "button", "aria-pressed": `${isOn}` }, isOn ? t("Take off") : t("Apply"));
    button.addEventListener("click", () => (isOn ? this.takeOff() : this.apply(document)));
    return button;
  }

  private apply(document: ObjectDocument): void {
    const series = this.applied.apply(document);
    if (series.length > 0 && !series.includes(activeSeries(this.store.state)?.id ?? "")) {
      const first = document.images.find(({ instanceId }) => instanceId !== "");
      if (first !== undefined) {
        this.open(first);
      }
    }
    this.known.renew();
  }

  private takeOff(): void {
    this.applied.takeOff();
    this.known.renew();
  }

  /** That marks of the state are findings on the page, which are not drawn a second time. */
  private twinNote(document: ObjectDocument): HTMLElement[] {
    const count = this.applied.id === document.id ? this.known.liveMarks(document.state).size : 0;
    return count === 0 ? [] : [make("p", { class: "object-twins" }, t("{count} of its marks are findings on this page and are drawn once.", { count }))];
  }
}
