/** The series on the left: picture, number, modality, words, counts, how much has come. */

import type { Series } from "../core/facts";
import { t } from "../core/text";
import { openSeries, setOpenPanel, setStripOpen } from "../state/changes";
import { activePane, imageIn } from "../state/panes";
import type { Store } from "../state/store";
import { icon, isPhone, make, setAttribute, setText } from "./dom";
import { PASSPORT } from "./viewer-passport";
import { dateWords } from "./viewer-priors";
import { StripParts } from "./viewer-strip-parts";

const THUMBNAIL_TRIES = 5;
const THUMBNAIL_PAUSE_MS = 2000;

interface Item {
  readonly series: Series;
  readonly row: HTMLElement;
  readonly button: HTMLButtonElement;
  readonly loaded: HTMLElement;
  readonly count: HTMLElement;
  readonly badges: HTMLElement;
  readonly parts: StripParts;
}

export class SeriesStrip {
  readonly root: HTMLElement;
  private readonly list = make("ol", { class: "strip-list" });
  private readonly items = new Map<string, Item>();
  private drawn: readonly Series[] = [];
  private active = "";
  private isElsewhere: (seriesId: string) => boolean = () => false;

  constructor(private readonly store: Store) {
    this.root = make("nav", { class: "strip", "aria-label": t("Series") }, this.list);
    this.renew();
  }

  /** `isHere` tells whether the frame of a key has come. */
  show(isHere: (key: string) => boolean): void {
    const { state } = this.store;
    this.root.hidden = !state.isStripOpen;
    this.renew();
    const { seriesId } = activePane(state);
    if (this.active !== seriesId) {
      this.active = seriesId;
      this.items.forEach(({ button }, id) => setAttribute(button, "aria-current", id === this.active ? "true" : null));
      this.items.get(this.active)?.button.scrollIntoView({ block: "nearest" });
    }
    const shownId = imageIn(state, activePane(state))?.instanceId ?? "";
    for (const [id, { row, loaded, parts }] of this.items) {
      const numbers = state.panes.flatMap((pane, place) => (pane.seriesId === id ? [place + 1] : []));
      const isMarked = numbers.length > 0 && state.panes.length > 1;
      setAttribute(row, "data-panes", isMarked ? numbers.join(" ") : null);
      setAttribute(row, "data-elsewhere", this.isElsewhere(id) ? t("In another window") : null);
      const stack = state.stacks.get(id);
      parts.show(stack?.kind === "ready" ? stack.stack : undefined, id === seriesId ? shownId : "");
      if (numbers.length > 0 && stack?.kind === "ready") {
        const { images } = stack.stack;
        const share = images.filter(({ key }) => isHere(key)).length / Math.max(1, images.length);
        loaded.style.setProperty("--loaded", `${share}`);
      }
    }
  }

  /** How to find out whether another window of the reader shows a series. */
  tellElsewhere(isElsewhere: (seriesId: string) => boolean): void {
    this.isElsewhere = isElsewhere;
  }

  /** Opens the strip and puts the focus on the active pane's series, or on the first one. */
  focus(): void {
    this.store.change(setStripOpen(true));
    this.root.hidden = false;
    const item = this.items.get(activePane(this.store.state).seriesId) ?? [...this.items.values()][0];
    item?.button.focus();
  }

  /** Brings the list up to the state; what is the same stays as it is, under the pointer and the focus. */
  private renew(): void {
    const { series: all } = this.store.state;
    if (all === this.drawn) {
      return;
    }
    this.drawn = all;
    const kept = new Set(all.map(({ id }) => id));
    all.forEach((series, place) => {
      const item = this.renewItem(series);
      const there = this.list.children[place] ?? null;
      if (there !== item.row) {
        this.list.insertBefore(item.row, there);
      }
    });
    for (const [id, { row }] of this.items) {
      if (!kept.has(id)) {
        row.remove();
        this.items.delete(id);
      }
    }
  }

  private renewItem(series: Series): Item {
    const before = this.items.get(series.id);
    if (before === undefined || before.series.displayable !== series.displayable) {
      before?.row.remove();
      this.active = "";
      const item = this.makeItem(series);
      this.items.set(series.id, item);
      return item;
    }
    setText(before.count, countWords(series));
    showBadges(before.badges, series);
    return before;
  }

  private makeItem(series: Series): Item {
    const loaded = make("span", { class: "strip-loaded" });
    const count = make("span", { class: "strip-count" }, countWords(series));
    const head = make(
      "span",
      { class: "strip-head" },
      make("span", { class: "unseen" }, t("Series")),
      make("span", { class: "strip-number" }, numberOf(series)),
      make("span", { class: "strip-modality" }, series.modality || "?"),
      count,
    );
    const name = nameOf(series);
    const words = make("span", { class: "strip-name", dir: "auto" }, name);
    const picture = make("span", { class: "strip-picture" }, icon(series.displayable ? "image" : "file-text"), loaded);
    if (series.displayable && series.thumbnailUrl !== "") {
      this.loadThumbnail(picture, series.thumbnailUrl, THUMBNAIL_TRIES);
    }
    const button = make("button", { type: "button", class: "strip-item", "data-series": series.id, "data-prior": this.priorMark(series), title: name });
    const badges = make("span", { class: "strip-badges" });
    showBadges(badges, series);
    badges.addEventListener("click", () => this.store.change(setOpenPanel(PASSPORT)));
    button.append(picture, head, words, badges);
    if (!series.displayable) {
      button.append(make("span", { class: "strip-note" }, t("No pictures")));
    }
    button.addEventListener("click", () => {
      this.store.change(openSeries(series.id));
      if (isPhone()) {
        this.store.change(setStripOpen(false));
      }
    });
    const parts = new StripParts(this.store, series.id);
    return { series, row: make("li", {}, button, parts.root), button, loaded, count, badges, parts };
  }

  /** Series of another study say so. */
  private priorMark(series: Series): string | null {
    const prior = this.store.state.priors.find(({ study }) => study.id === series.studyId);
    return prior === undefined ? null : dateWords(prior);
  }

  /** A thumbnail is made after the images came in, so a missing one is asked for again. */
  private loadThumbnail(picture: HTMLElement, url: string, tries: number): void {
    const image = make("img", { alt: "", decoding: "async", draggable: "false" });
    image.addEventListener("load", () => picture.prepend(image));
    image.addEventListener("error", () => {
      if (tries > 1) {
        setTimeout(() => this.loadThumbnail(picture, url, tries - 1), THUMBNAIL_PAUSE_MS);
      }
    });
    image.src = url;
  }
}

/** The marks of the passport; a click on one opens the whole. */
function showBadges(place: HTMLElement, { badges }: Series): void {
  if (badges.map(({ mark }) => mark).join() !== [...place.children].map((one) => one.textContent).join()) {
    place.replaceChildren(...badges.map(({ mark, meaning }) => make("span", { class: "strip-badge", title: meaning }, mark)));
  }
}

function numberOf(series: Series): string {
  return series.seriesNumber === null ? "–" : `${series.seriesNumber}`;
}

function nameOf(series: Series): string {
  return series.seriesDescription || series.bodyPartExamined || t("No description");
}

function countWords(series: Series): string {
  if (series.frameCount === 0) {
    return series.instanceCount === 1 ? t("1 object") : t("{count} objects", { count: series.instanceCount });
  }
  const images = series.frameCount > series.instanceCount ? series.frameCount : series.instanceCount;
  return images === 1 ? t("1 image") : t("{count} images", { count: images });
}
