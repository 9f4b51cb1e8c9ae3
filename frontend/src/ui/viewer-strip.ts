/** The series on the left: picture, number, modality, words, counts, how much has come. */

import type { Series } from "../core/facts";
import { t } from "../core/text";
import { openSeries } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make, setAttribute } from "./dom";

const THUMBNAIL_TRIES = 5;
const THUMBNAIL_PAUSE_MS = 2000;

interface Item {
  readonly button: HTMLButtonElement;
  readonly loaded: HTMLElement;
}

export class SeriesStrip {
  readonly root: HTMLElement;
  private readonly items = new Map<string, Item>();
  private active = "";

  constructor(private readonly store: Store) {
    const list = make("ol", { class: "strip-list" });
    for (const series of store.state.series) {
      const item = this.makeItem(series);
      this.items.set(series.id, item);
      list.append(make("li", {}, item.button));
    }
    this.root = make("nav", { class: "strip", "aria-label": t("Series") }, list);
  }

  /** `loadedShare` of the open series is between 0 and 1. */
  show(loadedShare: number): void {
    const { state } = this.store;
    this.root.hidden = !state.isStripOpen;
    if (this.active !== state.activeSeriesId) {
      this.active = state.activeSeriesId;
      this.items.forEach(({ button }, id) => setAttribute(button, "aria-current", id === this.active ? "true" : null));
      this.items.get(this.active)?.button.scrollIntoView({ block: "nearest" });
    }
    const loaded = this.items.get(this.active)?.loaded;
    loaded?.style.setProperty("--loaded", `${loadedShare}`);
  }

  private makeItem(series: Series): Item {
    const loaded = make("span", { class: "strip-loaded" });
    const number = series.seriesNumber === null ? "–" : `${series.seriesNumber}`;
    const head = make(
      "span",
      { class: "strip-head" },
      make("span", { class: "strip-number" }, number),
      make("span", { class: "strip-modality" }, series.modality || "?"),
      make("span", { class: "strip-count" }, countWords(series)),
    );
    const name = series.seriesDescription || series.bodyPartExamined || t("No description");
    const words = make("span", { class: "strip-name", dir: "auto" }, name);
    const picture = make("span", { class: "strip-picture" }, icon(series.displayable ? "image" : "file-text"), loaded);
    if (series.displayable && series.thumbnailUrl !== "") {
      this.loadThumbnail(picture, series.thumbnailUrl, THUMBNAIL_TRIES);
    }
    const label = `${t("Series")} ${number}, ${series.modality}, ${name}, ${countWords(series)}`;
    const button = make("button", { type: "button", class: "strip-item", "aria-label": label, title: name });
    button.append(picture, head, words);
    if (!series.displayable) {
      button.append(make("span", { class: "strip-note" }, t("No pictures")));
    }
    button.addEventListener("click", () => this.store.change(openSeries(series.id)));
    return { button, loaded };
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

function countWords(series: Series): string {
  if (series.frameCount === 0) {
    return series.instanceCount === 1 ? t("1 object") : t("{count} objects", { count: series.instanceCount });
  }
  const images = series.frameCount > series.instanceCount ? series.frameCount : series.instanceCount;
  return images === 1 ? t("1 image") : t("{count} images", { count: images });
}
