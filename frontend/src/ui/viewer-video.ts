/** A stored video in the pane: the browser's decoder, our controls, and words when it cannot play. */

import type { ImageFacts, Series, Stack, Video } from "../core/facts";
import { t } from "../core/text";
import type { Store } from "../state/store";
import { playVideo, showFrames, showInstance } from "../state/video";
import { icon, make, setAttribute, setText } from "./dom";

const SPEEDS = [0.25, 0.5, 1, 2, 4];
/** A step where the file does not say how long a frame lasts: 30 a second. */
const USUAL_FRAME_MS = 1000 / 30;

/** What the pane would show if it did not play. */
export interface VideoFacts {
  readonly series: Series | undefined;
  readonly facts: ImageFacts | undefined;
}

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
  private readonly frames = make("button", { type: "button", class: "button" }, icon("layers"), t("Frame by frame"));
  private readonly pane = make("div", { class: "video-pane", hidden: true });
  private readonly asVideo = make("button", { type: "button", class: "button video-again", hidden: true }, icon("play"), t("Play as video"));
  readonly root = make("div", { class: "video-place" }, this.pane, this.asVideo);
  private videos: readonly Video[] = [];
  private current: Video | undefined;
  /** Videos for which this browser has no decoder. */
  private readonly refused = new Set<string>();
  private startsAt = 0;

  constructor(private readonly store: Store) {
    this.player.muted = true;
    this.words.append(icon("image-off"), make("strong", {}, t("This video cannot be played here.")), this.reason, this.stored);
    this.speed.append(...SPEEDS.map((one) => make("option", { value: one }, `${one}×`)));
    this.speed.value = "1";
    for (const [control, name] of this.named()) {
      setAttribute(control, "aria-label", name);
      setAttribute(control, "title", name);
    }
    const loop = make("label", {}, this.loop, t("Loop"));
    this.bar.append(this.play, this.back, this.forth, this.place, this.time, this.speed, loop, this.choice, this.frames);
    this.pane.append(this.player, this.bar, this.words);
    this.listen();
    this.tell();
  }

  /** Plays the video of the image that the pane has turned to, or nothing; the same again changes nothing. */
  show(videos: readonly Video[], now: VideoFacts): void {
    const stack = this.stackOf(now.series);
    const instanceId = now.facts?.instanceId;
    const turnedTo = stack?.videos.find((one) => one.instanceId === instanceId);
    this.pane.hidden = videos.length === 0;
    this.asVideo.hidden = videos.length > 0 || turnedTo === undefined || this.refused.has(turnedTo.instanceId);
    this.frames.hidden = stack === undefined || stack.images.length === 0;
    if (videos !== this.videos) {
      this.videos = videos;
      this.choice.hidden = videos.length < 2;
      this.choice.replaceChildren(...videos.map((_, index) => make("option", { value: index }, `${index + 1}/${videos.length}`)));
    }
    this.startsAt = turnedTo === undefined || now.facts === undefined ? 0 : (now.facts.frame * frameMs(turnedTo)) / 1000;
    const wanted = turnedTo ?? videos[Number(this.choice.value)] ?? videos[0];
    this.choice.value = `${videos.findIndex((one) => one === wanted)}`;
    this.open(videos.length === 0 ? undefined : wanted);
  }

  private stackOf(series: Series | undefined): Stack | undefined {
    const stack = this.store.state.stacks.get(series?.id ?? "");
    return stack?.kind === "ready" ? stack.stack : undefined;
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
    this.choice.addEventListener("change", () => this.choose(this.videos[Number(this.choice.value)]));
    for (const news of ["play", "pause", "timeupdate", "seeked", "durationchange", "emptied"]) {
      player.addEventListener(news, () => this.tell());
    }
    player.addEventListener("loadedmetadata", () => {
      if (this.startsAt > 0) {
        // In the middle of the frame: at its edge players take the one before or behind.
        player.currentTime = this.startsAt + frameMs(this.current) / 2000;
      }
    });
    player.addEventListener("pause", () => this.settle());
    player.addEventListener("error", () => this.refuse());
    this.frames.addEventListener("click", () => this.turnToFrames());
    this.asVideo.addEventListener("click", () => this.store.change(playVideo()));
    // Before the keys of the page, which leave alone what was taken here.
    document.addEventListener("keydown", (event) => this.obey(event), { capture: true });
  }

  private refuse(): void {
    const { current } = this;
    if (current === undefined || current.whyNot !== "") {
      return;
    }
    if (this.player.error?.code === MediaError.MEDIA_ERR_NETWORK) {
      this.fail(t("The server did not answer."));
      return;
    }
    this.refused.add(current.instanceId);
    this.fail(t("This browser has no decoder for it."));
    // The server has one: where it gives the frames, they are shown instead.
    this.store.change(showFrames(current.instanceId, 0));
  }

  private turnToFrames(): void {
    if (this.current !== undefined) {
      this.store.change(showFrames(this.current.instanceId, this.frame()));
    }
  }

  private choose(video: Video | undefined): void {
    if (video !== undefined) {
      this.store.change(showInstance(video.instanceId));
      this.open(video);
    }
  }

  private obey(event: KeyboardEvent): void {
    const isControl = event.target instanceof HTMLElement && event.target.closest("button, a, input, select") !== null;
    const isElsewhere = this.root.closest("[data-active]") === null;
    if (this.pane.hidden || isElsewhere || isControl || event.ctrlKey || event.metaKey || event.altKey) {
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

  /** The frame of this moment, counted from 0. */
  private frame(): number {
    return Math.floor((this.player.currentTime * 1000) / frameMs(this.current) + 0.01);
  }

  private lastFrame(): number {
    const { duration } = this.player;
    return Number.isFinite(duration) ? Math.max(0, Math.ceil((duration * 1000) / frameMs(this.current) - 0.01) - 1) : 0;
  }

  /** Shows the frame of the moment: a busy player stops, also at the end, on the one before it. */
  private settle(): void {
    if (this.player.readyState > HTMLMediaElement.HAVE_NOTHING) {
      this.player.currentTime = ((Math.min(this.frame(), this.lastFrame()) + 0.5) * frameMs(this.current)) / 1000;
    }
  }

  private toggle(): void {
    if (this.player.paused) {
      if (this.frame() >= this.lastFrame()) {
        this.player.currentTime = 0;
      }
      void this.player.play().catch(() => this.tell());
    } else {
      this.player.pause();
    }
  }

  private step(frames: number): void {
    this.player.pause();
    const seconds = frameMs(this.current) / 1000;
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

function frameMs(video: Video | undefined): number {
  return video?.frameTimeMs ?? USUAL_FRAME_MS;
}
