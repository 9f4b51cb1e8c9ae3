/**
 * A pane that shows its series as a body: turned by the hand, with presets, a transfer function and a
 * box to cut with. Drawn by the graphics card where there is one, else by the server.
 */

import {
  bodyEquals,
  lookOf,
  shiftPoints,
  type BodyLook,
  type BodyOffer,
  type BodyWish,
} from "../core/body-look";
import {
  edgesOf,
  fitBody,
  placeOn,
  resized,
  spin,
  turnOf,
  type BodyCamera,
  type Side,
} from "../core/body-view";
import { t } from "../core/text";
import type { Point, Size } from "../core/view";
import { readOffer, savedViewAddress, ServerViews, type BodyPicture } from "../io/body-views";
import { uptakeIn } from "../state/fusion";
import { seriesIn } from "../state/panes";
import { make, setText } from "./dom";
import { BodyBar } from "./viewer-body-bar";
import { BodySheet } from "./viewer-body-sheet";
import { LocalBody } from "./viewer-body-local";
import type { PaneContent } from "./viewer-content";
import type { PaneHouse, ViewerPane } from "./viewer-pane";
import { LARGE_STEP_RAD, wireHands } from "./viewer-turning-hands";

const ASK_AGAIN_MS = 700;
const HIGH_SUV = 7;
/** The body goes round in so many seconds at a speed of 1. */
const ROUND_SECONDS = 12;

/** How a body was seen last, while the page is open; by the series' id. */
const remembered = new Map<string, { readonly camera: BodyCamera; readonly look: BodyLook; readonly size: Size }>();

export function makeBody(pane: ViewerPane, house: PaneHouse): PaneContent {
  return new BodyPane(pane, house);
}

class BodyPane implements PaneContent {
  private readonly canvas = make("canvas", { class: "body-picture", "aria-hidden": "true" });
  private readonly letters = {
    top: make("span", { class: "body-letter body-top" }),
    right: make("span", { class: "body-letter body-right" }),
    bottom: make("span", { class: "body-letter body-bottom" }),
    left: make("span", { class: "body-letter body-left" }),
  };
  private readonly cross = make("div", { class: "body-cross", hidden: true, "aria-hidden": "true" });
  private readonly note = make("p", { class: "body-note" });
  private readonly words = make("div", { class: "body-words", role: "status", hidden: true });
  private readonly field = make(
    "div",
    { class: "body-field", tabindex: "0", role: "img", "aria-label": t("Volume") },
    this.canvas, ...Object.values(this.letters), this.cross, this.note,
  );
  private readonly bar: BodyBar;
  private readonly sheet: BodySheet;
  readonly root: HTMLElement;
  private seriesId = "";
  private abort = new AbortController();
  private offer: BodyOffer | null = null;
  private camera: BodyCamera | null = null;
  private look: BodyLook | null = null;
  private views: ServerViews | null = null;
  private local: LocalBody | null = null;
  private asked: BodyWish | null = null;
  private picture: BodyPicture | null = null;
  private isHeld = false;
  private speed = 0;
  private lastTick = 0;
  private readonly resizes = new ResizeObserver(() => this.resize());
  private size: Size = { width: 1, height: 1 };

  constructor(
    private readonly pane: ViewerPane,
    private readonly house: PaneHouse,
  ) {
    this.bar = new BodyBar({
      choose: (rendering) => this.setLook(lookOf(rendering, this.look?.clip ?? null)),
      side: (side) => this.turnTo(side),
      play: () => this.play(),
      speed: (by) => (this.speed = this.speed === 0 ? 0 : by),
      reset: () => this.reset(),
      openSheet: () => this.sheet.toggle(),
      save: () => void this.save(),
    });
    this.sheet = new BodySheet((look, isMoving) => this.setLook(look, isMoving));
    this.root = make("div", { class: "body-pane" }, this.field, this.words, this.sheet.root, this.bar.root);
    this.wire();
    this.resizes.observe(this.field);
  }

  follow(): void {
    const { state } = this.pane;
    if (state !== undefined && state.seriesId !== this.seriesId) {
      this.open(state.seriesId);
    }
    this.local?.follow();
  }

  draw(): void {
    this.showCross();
  }

  dispose(): void {
    this.keep();
    this.close();
    this.resizes.disconnect();
  }

  // --- the series ---------------------------------------------------------------------------------
  private close(): void {
    this.abort.abort();
    this.views?.close();
    this.local?.dispose();
    this.picture?.bitmap.close();
    [this.views, this.local, this.picture, this.offer, this.asked] = [null, null, null, null, null];
    this.speed = 0;
  }

  private open(seriesId: string): void {
    this.keep();
    this.close();
    this.abort = new AbortController();
    this.seriesId = seriesId;
    [this.camera, this.look] = [null, null];
    this.clear();
    this.say(t("Loading"));
    void this.load();
  }

  private async load(): Promise<void> {
    const { signal } = this.abort;
    const stackUrl = this.stackUrl;
    if (stackUrl === "") {
      this.say(t("This series has no pictures to show."));
      return;
    }
    try {
      const answer = await readOffer(stackUrl, signal);
      if (signal.aborted) {
        return;
      }
      switch (answer.kind) {
        case "ready":
          this.begin(answer.offer, stackUrl);
          break;
        case "building":
          this.say(t("The volume is being built: {percent} %", { percent: Math.round(answer.progress * 100) }));
          setTimeout(() => signal.aborted || void this.load(), ASK_AGAIN_MS);
          break;
        case "refused":
          this.say(t("This series is no volume."), answer.reasons.join(" "));
          break;
        case "failed":
          this.say(t("This view could not be loaded."), answer.words);
      }
    } catch {
      if (!signal.aborted) {
        this.say(t("This view could not be loaded."), t("The server did not answer."));
      }
    }
  }

  private get stackUrl(): string {
    const { state } = this.pane;
    return (state === undefined ? undefined : seriesIn(this.house.store.state, state))?.stackUrl ?? "";
  }

  private begin(offer: BodyOffer, stackUrl: string): void {
    this.offer = offer;
    this.say("");
    this.views = new ServerViews(
      stackUrl,
      (picture) => this.show(picture),
      () => this.say(t("This view could not be loaded."), this.views?.failure.trim() ?? ""),
    );
    if (!this.house.isServerDrawn) {
      this.local = new LocalBody(this.house, this.seriesId, offer, () => this.ask());
      this.local.follow();
    }
    const before = remembered.get(this.seriesId);
    const wish = before === undefined ? (this.pane.state?.body ?? null) : null;
    const first = offer.renderings.find(({ code }) => code === wish?.preset) ?? offer.renderings[0];
    this.look = before?.look ?? (first === undefined ? null : this.uptakeLook(lookOf(first, null)));
    this.camera = before === undefined ? fitBody(offer.corners, this.size, turnOf("front")) : resized(before.camera, before.size, this.size);
    this.bar.offer(offer.renderings);
    this.sheet.offer(offer);
    this.changed();
    // Each view of a server is work for all: there one turns by hand. Who wants less motion is left in peace.
    if (wish?.isTurning === true && !this.house.isServerDrawn && !wantsLessMotion()) {
      this.play();
    }
  }

  /** Uptake as highest values begins between SUV 0 and 7, as readers know it; all else as it is offered. */
  private uptakeLook(look: BodyLook): BodyLook {
    const { state } = this.house.store;
    const series = state.series.find(({ id }) => id === this.seriesId);
    const factor = series === undefined ? null : (uptakeIn(state, series)?.factor ?? null);
    return look.mode !== "mip" || factor === null ? look : { ...look, window: { center: HIGH_SUV / 2 / factor, width: HIGH_SUV / factor } };
  }

  private keep(): void {
    if (this.camera !== null && this.look !== null) {
      remembered.set(this.seriesId, { camera: this.camera, look: this.look, size: this.size });
    }
  }

  // --- changes ----------------------------------------------------------------------------------
  private setCamera(camera: BodyCamera): void {
    this.camera = camera;
    this.changed();
  }

  private setLook(look: BodyLook, isMoving = false): void {
    this.look = look;
    this.isHeld = isMoving;
    this.changed();
  }

  private turnTo(side: Side): void {
    if (this.camera !== null) {
      this.speed = 0;
      this.setCamera({ ...this.camera, turn: turnOf(side) });
    }
  }

  /** As it was opened: from in front, whole, and the preset as it is offered. */
  private reset(): void {
    const rendering = this.offer?.renderings.find(({ code }) => code === this.look?.preset);
    if (this.offer !== null && rendering !== undefined) {
      this.speed = 0;
      this.look = lookOf(rendering, null);
      this.setCamera(fitBody(this.offer.corners, this.size, turnOf("front")));
    }
  }

  private changed(): void {
    const { look, camera, offer } = this;
    if (look === null || camera === null || offer === null) {
      return;
    }
    this.bar.show(look, this.speed !== 0);
    this.sheet.show(look);
    const edges = edgesOf(camera.turn);
    for (const edge of ["top", "right", "bottom", "left"] as const) {
      setText(this.letters[edge], edges[edge]);
    }
    this.showCross();
    this.ask();
  }

  private get wish(): BodyWish | null {
    const { look, camera, size } = this;
    return look === null || camera === null || size.width <= 1 ? null : { look, camera, size };
  }

  private ask(): void {
    const { wish } = this;
    if (wish === null) {
      return;
    }
    const isMoving = this.isHeld || this.speed !== 0;
    if (this.local?.draw(wish, this.canvas, isMoving) === true) {
      this.views?.close();
      this.asked = null;
      this.showNote(wish, this.local.note);
    } else if (this.asked === null || !bodyEquals(this.asked, wish) || !isMoving) {
      this.asked = wish;
      this.views?.want(wish, isMoving);
    }
  }

  // --- what is seen --------------------------------------------------------------------------------
  private show(picture: BodyPicture): void {
    this.picture?.bitmap.close();
    this.picture = picture;
    const { bitmap } = picture;
    this.say("");
    [this.canvas.width, this.canvas.height] = [bitmap.width, bitmap.height];
    this.canvas.getContext("2d")?.drawImage(bitmap, 0, 0);
    this.canvas.dataset["quality"] = picture.quality;
    this.showNote(picture.wish, picture.quality === "draft" ? t("Draft") : "");
  }

  private showNote({ look }: BodyWish, note: string): void {
    const preset = this.offer?.renderings.find(({ code }) => code === look.preset)?.label ?? "";
    const clipped = look.clip === null ? "" : t("Cut open");
    setText(this.note, [preset, clipped, note].filter((part) => part !== "").join(" · "));
    this.field.setAttribute("aria-label", [t("Volume"), preset, clipped].filter((part) => part !== "").join(", "));
  }

  private clear(): void {
    [this.canvas.width, this.canvas.height] = [1, 1];
    delete this.canvas.dataset["quality"];
    setText(this.note, "");
    Object.values(this.letters).forEach((letter) => setText(letter, ""));
  }

  private say(title: string, detail = ""): void {
    this.words.hidden = title === "";
    this.words.replaceChildren(make("strong", {}, title), make("span", { dir: "auto" }, detail));
  }

  /** The 3D cursor's point; it may lie behind what is seen. */
  private showCross(): void {
    const { cursor } = this.house.store.state;
    const { camera, offer } = this;
    const isHere = cursor !== null && camera !== null && cursor.frameOfReferenceUid === offer?.frameOfReferenceUid;
    this.cross.hidden = !isHere;
    if (isHere) {
      const { x, y } = placeOn(camera, this.size, cursor.lps);
      this.cross.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
    }
  }

  private resize(): void {
    const size = { width: this.field.clientWidth, height: this.field.clientHeight };
    if (this.camera !== null && size.width > 1) {
      this.camera = resized(this.camera, this.size, size);
    }
    this.size = size;
    this.changed();
  }

  private async save(): Promise<void> {
    const { wish } = this;
    if (wish === null) {
      return;
    }
    const response = await fetch(savedViewAddress(this.stackUrl, wish), { credentials: "same-origin" });
    if (response.ok) {
      const address = URL.createObjectURL(await response.blob());
      make("a", { href: address, download: "view.png" }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10_000);
    }
  }

  // --- turning by itself ---------------------------------------------------------------------------
  /** Who wants less motion gets a step of 30 degrees at a press. */
  private play(): void {
    if (this.camera !== null && wantsLessMotion()) {
      this.setCamera(spin(this.camera, LARGE_STEP_RAD));
      return;
    }
    this.speed = this.speed === 0 ? this.bar.speed : 0;
    this.lastTick = performance.now();
    this.changed();
    if (this.speed !== 0) {
      requestAnimationFrame(() => this.tick());
    }
  }

  private tick(): void {
    if (this.speed === 0 || this.camera === null || !this.root.isConnected) {
      return;
    }
    const now = performance.now();
    this.setCamera(spin(this.camera, ((now - this.lastTick) / 1000) * ((2 * Math.PI) / ROUND_SECONDS) * this.speed));
    this.lastTick = now;
    requestAnimationFrame(() => this.tick());
  }

  // --- hands -----------------------------------------------------------------------------------------
  private wire(): void {
    wireHands(this.field, {
      camera: () => this.camera,
      size: () => this.size,
      setCamera: (camera) => this.setCamera(camera),
      turnTo: (side) => this.turnTo(side),
      reset: () => this.reset(),
      hold: (isHeld) => this.hold(isHeld),
      dragInstead: (event, from) => this.gradingDrag(event, from),
      play: () => this.play(),
    });
  }

  /** What is in the hand does not turn by itself; let go, it is drawn finely. */
  private hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    if (isHeld) {
      this.speed = 0;
    } else {
      this.changed();
    }
  }

  /** With Ctrl: window, or the colours' values. */
  private gradingDrag(event: PointerEvent, from: Point): ((to: Point) => void) | null {
    const { look } = this;
    return event.ctrlKey && event.button === 0 && look !== null ? (to) => this.setLook(this.regraded(look, to.x - from.x, to.y - from.y), true) : null;
  }

  private regraded(look: BodyLook, dx: number, dy: number): BodyLook {
    const { low, high } = this.offer?.histogram ?? { low: 0, high: 1 };
    const step = (high - low) / 2000;
    if (look.mode === "composite") {
      return { ...look, points: shiftPoints(look.points, dx * step) };
    }
    const { center, width } = look.window;
    return { ...look, window: { center: center + dy * step, width: Math.max(step, width + dx * step) } };
  }
}

function wantsLessMotion(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
