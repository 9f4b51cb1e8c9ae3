/** A stored video in the pane: the browser's decoder, our controls, and words when it cannot play. */

import type { Video } from "../core/facts";
import { t } from "../core/text";
import { icon, make, setAttribute, setText } from "./dom";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** A step where the file does not say how long a frame lasts: 30 a second. */
const USUAL_FRAME_MS = 1000 / 30;

export class VideoPane {
  private readonly player = make("video", { class: "video-player", playsinline: "", preload: "auto" });
  private readonly play = make("button", { type: "button", class: "button" });
  private readonly back = make("button", { type: "button", class: "button" }, "−1");
  private readonly forth = make("button", { type: "button", class: "button" }, "+1");
  private readonly place = make("input", { type: "range", min: 0, max: 1, step: "any", value: 0 });
  private readonly time = make("span", { class: "num" });
  private readonly speed = make("select", {});
  private readonly loop = make("input", { type: "checkbox" });
  private readonly choice = make("select", {});
  private readonly words = make("div", { class: "words", role: "alert", hidden: true });
  private readonly reason = make("span", { dir: "auto" });
  private readonly stored = make("a", { class: "button", download: "" }, t("Save the stored video"));
  private readonly bar = make("div", { class: "video-bar" });
  readonly root = make("div", { class: "video-pane", hidden: true });
  private videos: readonly Video[] = [];
  private current: Video | undefined;

  constructor() {
    this.player.muted = true;
    this.words.append(icon("image-off"), make("strong", {}, t("This video cannot be played here.")), this.reason, this.stored);
    this.speed.append(...SPEEDS.map((one) => make("option", { value: one }, `${one}×`)));
    this.speed.value = "1";
    for (const [control, name] of this.named()) {
      setAttribute(control, "aria-label", name);
      setAttribute(control, "title", name);
    }
    const loop = make("label", {}, this.loop, t("Loop"));
    this.bar.append(this.play, this.back, this.forth, this.place, this.time, this.speed, loop, this.choice);
    this.root.append(this.player, this.bar, this.words);
    this.listen();
    this.tell();
  }

  /** Shows the first of the videos, or nothing; the same again changes nothing. */
  show(videos: readonly Video[]): void {
    this.root.hidden = videos.length === 0;
    if (videos === this.videos) {
      return;
    }
    this.videos = videos;
    this.choice.hidden = videos.length < 2;
    this.choice.replaceChildren(...videos.map((_, index) => make("option", { value: index }, `${index + 1}/${videos.length}`)));
    this.open(videos[0]);
  }

  private open(video: Video | undefined): void {
    if (video?.instanceId === this.current?.instanceId) {
      return;
    }
    this.current = video;
    this.player.pause();
    this.fail("");
    this.player.removeAttribute("src");
    if (video === undefined) {
      this.player.load();
      return;
    }
    this.stored.href = video.url;
    if (video.whyNot === "") {
      this.player.src = video.url;
      this.player.playbackRate = Number(this.speed.value);
    } else {
      this.player.load();
      this.fail(video.whyNot);
    }
  }

  private named(): [HTMLElement, string][] {
    return [
      [this.back, t("Previous frame")],
      [this.forth, t("Next frame")],
      [this.place, t("Place in the video")],
      [this.speed, t("Speed")],
      [this.choice, t("Video")],
    ];
  }

  private listen(): void {
    const { player } = this;
    this.play.addEventListener("click", () => this.toggle());
    this.back.addEventListener("click", () => this.step(-1));
    this.forth.addEventListener("click", () => this.step(1));
    this.place.addEventListener("input", () => {
      player.currentTime = Number(this.place.value);
    });
    this.speed.addEventListener("change", () => {
      player.playbackRate = Number(this.speed.value);
    });
    this.loop.addEventListener("change", () => {
      player.loop = this.loop.checked;
    });
    this.choice.addEventListener("change", () => this.open(this.videos[Number(this.choice.value)]));
    for (const news of ["play", "pause", "timeupdate", "seeked", "durationchange", "emptied"]) {
      player.addEventListener(news, () => this.tell());
    }
    player.addEventListener("error", () => {
      if (this.current?.whyNot === "") {
        this.fail(player.error?.code === MediaError.MEDIA_ERR_NETWORK ? t("The server did not answer.") : t("This browser has no decoder for it."));
      }
    });
    document.addEventListener("keydown", (event) => this.obey(event));
  }

  private obey(event: KeyboardEvent): void {
    const isControl = event.target instanceof HTMLElement && event.target.closest("button, a, input, select") !== null;
    const isElsewhere = this.root.closest("[data-active]") === null;
    if (this.root.hidden || isElsewhere || isControl || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key === " ") {
      this.toggle();
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      this.step(event.key === "ArrowLeft" ? -1 : 1);
    } else {
      return;
    }
    event.preventDefault();
  }

  private toggle(): void {
    if (this.player.paused) {
      void this.player.play().catch(() => this.tell());
    } else {
      this.player.pause();
    }
  }

  private step(frames: number): void {
    this.player.pause();
    const seconds = (this.current?.frameTimeMs ?? USUAL_FRAME_MS) / 1000;
    const end = Number.isFinite(this.player.duration) ? this.player.duration : 0;
    this.player.currentTime = Math.min(Math.max(0, this.player.currentTime + frames * seconds), end);
  }

  private tell(): void {
    const { paused, duration, currentTime } = this.player;
    const length = Number.isFinite(duration) ? duration : 0;
    const name = paused ? t("Play") : t("Pause");
    setAttribute(this.play, "aria-label", name);
    this.play.replaceChildren(icon(paused ? "play" : "pause"));
    this.place.max = `${length}`;
    this.place.value = `${currentTime}`;
    setText(this.time, `${currentTime.toFixed(2)} / ${length.toFixed(2)} s`);
  }

  private fail(reason: string): void {
    this.words.hidden = reason === "";
    this.player.hidden = reason !== "";
    this.bar.hidden = reason !== "";
    setText(this.reason, reason);
  }
}
