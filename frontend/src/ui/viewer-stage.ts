/** The stage: picture, texts on it, slider, words when there is no picture. */

import { cornersFor } from "../core/preferences";
import { t } from "../core/text";
import type { ImageFacts, Series, Study, Triple } from "../core/facts";
import { scaleIn } from "../state/calibrations";
import { uptakeIn } from "../state/fusion";
import type { Store } from "../state/store";
import type { Size } from "../core/view";
import { icon, make, setAttribute, setText } from "./dom";
import { Corners, seriesLines } from "./viewer-corners";
import { enhancementLines } from "./viewer-marks";
import type { Scene } from "./viewer-scene";
import { StackSlider } from "./viewer-slider";
import { VideoPane } from "./viewer-video";

/** How long a picture may be awaited before the stage says so; quick ones do not flicker. */
export const PATIENCE_MS = 150;

export interface StageFacts {
  readonly scene: Scene;
  /** Whose pixels these are. */
  readonly study: Study;
  readonly series: Series | undefined;
  readonly facts: ImageFacts | undefined;
  readonly index: number;
  /** Where the planes of a volume cross, lps in mm; null: the picture is no plane of one. */
  readonly center: Triple | null;
  readonly loaded: readonly boolean[];
  readonly size: Size;
  /** The picture before stays for a moment, with its own texts. */
  readonly isHeld: boolean;
  /** What stands on this pane because of the others. */
  readonly notes: readonly string[];
}

export class Stage {
  readonly picture = make("div", {
    class: "picture",
    tabindex: "0",
    role: "img",
    "aria-label": t("Picture"),
  });
  private readonly corners = new Corners();
  private readonly video: VideoPane;
  private readonly slider: StackSlider;
  private readonly busyWords = make("span", {}, t("Loading"));
  private readonly busy = make("p", { class: "busy", hidden: true }, icon("loader-circle"), this.busyWords);
  private readonly title = make("strong");
  private readonly detail = make("span", { dir: "auto" });
  private readonly retry = make("button", { type: "button", class: "button" }, icon("refresh-cw"), t("Try again"));
  private readonly saved = make("a", { class: "button", download: "", hidden: true }, t("Save the stored video"));
  private readonly words = make(
    "div",
    { class: "words", role: "alert", hidden: true },
    icon("image-off"),
    this.title,
    this.detail,
    this.retry,
    this.saved,
  );
  private readonly empty = make("p", { class: "empty-pane", hidden: true }, t("Drag a series here"));
  readonly root: HTMLElement;
  private first: HTMLImageElement | null = null;
  private patience: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly store: Store,
    onRetry: () => void,
  ) {
    this.slider = new StackSlider(store);
    this.video = new VideoPane(store);
    this.retry.addEventListener("click", onRetry);
    this.root = make(
      "section",
      { class: "stage" },
      make("div", { class: "pane" }, this.picture, this.video.root, this.corners.root, this.busy, this.words, this.empty),
      this.slider.root,
    );
  }

  /** The server's small picture of the first image, as the page came with it, until its pixels are here. */
  preview(image: HTMLImageElement | null): void {
    if (image !== null) {
      image.className = "preview";
      image.draggable = false;
      this.first = image;
      this.picture.append(image);
    }
  }

  show(now: StageFacts): void {
    const { scene, series } = now;
    if (scene.kind !== "loading" || this.first?.dataset["image"] !== now.facts?.key) {
      this.first?.remove();
      this.first = null;
    }
    this.slider.show(now.index, now.loaded);
    this.showBusy(scene.kind === "loading");
    setText(this.busyWords, (scene.kind === "loading" && scene.words) || t("Loading"));
    this.video.show(scene.kind === "video" ? scene.videos : [], now);
    this.picture.classList.toggle("is-behind", scene.kind === "content");
    this.words.hidden = scene.kind !== "words";
    this.empty.hidden = scene.kind !== "empty";
    if (scene.kind === "words") {
      setText(this.title, scene.title);
      setText(this.detail, scene.detail);
      this.retry.hidden = !scene.canRetry;
      this.saved.hidden = scene.save === "";
      this.saved.href = scene.save;
    }
    if (scene.kind === "picture" && series !== undefined) {
      const { facts, view, invert, isOverlayMissing } = scene.shown;
      const count = now.loaded.length;
      const enhancement = [...now.notes, ...enhancementLines(scene.shown)];
      const { preferences } = this.store.state;
      const texts = cornersFor(preferences, series.modality);
      this.corners.show({ study: now.study, texts, series, facts, scale: scaleIn(this.store.state, facts), isOverlayMissing, enhancement, voi: scene.voi, view, invert, size: now.size, index: now.index, count, center: now.center, uptake: uptakeIn(this.store.state, series) });
      const label = t("Image {index} of {count}", { index: now.index + 1, count });
      setAttribute(this.picture, "aria-label", [`${series.modality} ${series.seriesDescription}`, label, ...enhancement].join(", "));
    } else if (!now.isHeld) {
      const { facts, index } = now;
      const isPlaced = facts !== undefined && series !== undefined && scene.kind !== "video" && scene.kind !== "content";
      const described = (scene.kind === "video" || scene.kind === "content") && series !== undefined ? [series.seriesDescription] : [];
      this.corners.showPlace(isPlaced ? seriesLines({ series, facts, index, count: now.loaded.length }) : described);
    }
  }

  private showBusy(isBusy: boolean): void {
    if (!isBusy) {
      clearTimeout(this.patience);
      this.patience = undefined;
      this.busy.hidden = true;
    } else {
      this.patience ??= setTimeout(() => {
        this.busy.hidden = false;
      }, PATIENCE_MS);
    }
  }
}
