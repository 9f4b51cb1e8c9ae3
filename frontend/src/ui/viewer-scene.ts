/** What the stage must show now: a picture, that one is coming, or words. No DOM here. */

import type { ImageFacts, Pixels, Video, Window } from "../core/facts";
import { hasOwnColours } from "../core/display";
import { shutterOnly } from "../core/overlays";
import { t } from "../core/text";
import { hungView } from "../core/hanging";
import type { Size } from "../core/view";
import { resolveVoi, type ResolvedVoi, type WindowChoice } from "../core/voi";
import { AUTOMATIC, percentileWindow, type Percentiles } from "../core/automatic-window";
import { paletteOf, type ColourMap } from "../core/colour-map";
import type { FrameFailure } from "../io/frames";
import type { DrawnPicture } from "../io/server-pictures";
import { extentOf, type Shown } from "../render/viewport";
import { isSmooth } from "../state/changes";
import { imageIn, seriesIn } from "../state/panes";
import { withScale } from "../state/calibrations";
import { isPlayed } from "../state/video";
import type { PlaneSight } from "./viewer-plane-sight";
import type { Look, PaneState, ViewerState } from "../state/store";

export type Scene =
  | { readonly kind: "picture"; readonly shown: Shown; readonly voi: ResolvedVoi; readonly notes?: readonly string[] }
  /** `words`: what it waits for, when there is more to say. */
  | { readonly kind: "loading"; readonly words?: string }
  | { readonly kind: "empty" }
  | { readonly kind: "video"; readonly videos: readonly Video[] }
  /** Something else stands in the picture's place (`viewer-content.ts`). */
  | { readonly kind: "content" }
  | Words;

export interface Words {
  readonly kind: "words";
  readonly title: string;
  readonly detail: string;
  readonly canRetry: boolean;
  /** What can be saved as stored, when it cannot be shown; empty: nothing. */
  readonly save: string;
}

export interface FrameSource {
  pixelsOf(key: string): Pixels | undefined;
  failureOf(key: string): FrameFailure | undefined;
  /** What lies over the image: null for nothing, undefined while it is on its way. */
  overlaysOf(facts: ImageFacts): Uint8Array | null | undefined;
  hasNoOverlays(key: string): boolean;
  /** Where the server draws: its picture of an image, undefined while it is on its way. */
  readonly drawnOf: ((key: string) => DrawnPicture | undefined) | null;
}

/** Windows from the pixels, one a series and choice, so that the grey does not jump from image to image. */
export type AutoWindows = Map<string, Window>;

/** What a pane draws with: its frames, its room, and windows that were found before. */
export interface Means {
  readonly frames: FrameSource;
  readonly size: Size;
  readonly autos: AutoWindows;
  /** CSS px for a mm that the pane's group has agreed on; null: each picture fits by itself. */
  readonly scalePerMm: number | null;
  /** The picture of a pane that shows a plane; null: the pane shows none. */
  readonly plane: ((pane: PaneState) => PlaneSight) | null;
  /** How it stands with what is there in place of a picture; null: a picture is. */
  readonly content: { readonly isLoading: boolean; readonly failure: string } | null;
}

export function sceneOf(state: ViewerState, pane: PaneState, means: Means): Scene {
  const series = seriesIn(state, pane);
  const stack = state.stacks.get(pane.seriesId);
  if (series === undefined && state.series.length > 0) {
    return { kind: "empty" };
  }
  if (series === undefined) {
    return words(t("This study has no series."), t("Nothing of it can be shown."));
  }
  if (stack?.kind === "failed") {
    return words(t("This series could not be loaded."), stack.words || t("The server did not answer."), true);
  }
  const whyNot = stack?.kind === "ready" && !stack.stack.displayable ? stack.stack.whyNot : series.whyNot;
  if (!series.displayable || (stack?.kind === "ready" && !stack.stack.displayable)) {
    return words(t("This series has no pictures to show."), whyNot);
  }
  if (stack?.kind !== "ready") {
    return { kind: "loading" };
  }
  if (means.content !== null) {
    return contentScene(means.content);
  }
  if (means.plane !== null) {
    return planeScene(state, pane, means.plane(pane), means);
  }
  const facts = imageIn(state, pane);
  if (isPlayed(stack.stack, pane)) {
    return { kind: "video", videos: stack.stack.videos };
  }
  if (facts === undefined) {
    return words(t("This series has no images."), "");
  }
  return imageScene(state, pane, facts, means);
}

/** A plane is a picture like any other, when there is one; else it says in its place why not. */
function planeScene(state: ViewerState, pane: PaneState, sight: PlaneSight, means: Means): Scene {
  switch (sight.kind) {
    case "picture": {
      const { facts, pixels, notes, isWhole } = sight;
      // A window that was found in half a picture would stay for the series.
      const autos: AutoWindows = isWhole ? means.autos : new Map(means.autos);
      const frames: FrameSource = {
        pixelsOf: () => pixels,
        failureOf: () => undefined,
        overlaysOf: () => null,
        hasNoOverlays: () => false,
        drawnOf: null,
      };
      const scene = imageScene(state, pane, facts, { ...means, frames, autos });
      return scene.kind === "picture" ? { ...scene, notes } : scene;
    }
    case "loading":
      return sight;
    case "waiting":
      return words(sight.words, "");
    case "refused":
      return words(t("This series is no volume: planes cannot be cut from it."), sight.detail);
    case "failed":
      return words(t("The plane could not be had."), sight.detail || t("The server did not answer."), true);
  }
}

function contentScene({ isLoading, failure }: NonNullable<Means["content"]>): Scene {
  if (failure !== "") {
    return words(failure, "");
  }
  return { kind: isLoading ? "loading" : "content" };
}

function imageScene(state: ViewerState, pane: PaneState, facts: ImageFacts, { frames, size, autos, scalePerMm }: Means): Scene {
  const failure = frames.failureOf(facts.key);
  if (failure !== undefined) {
    return { ...failureWords(failure), save: facts.videoUrl };
  }
  if (facts.pixelFormat === "none") {
    return words(t("This image cannot be shown."), t("It carries no pixels that Noctis can draw."));
  }
  const { look } = pane;
  const isFree = look.view !== null && !look.isFitted;
  const view = isFree ? look.view : hungView(withScale(state, facts), extentOf(facts), size, pane.hang, look.view, scalePerMm);
  if (frames.drawnOf !== null) {
    const drawn = frames.drawnOf(facts.key);
    return drawn === undefined ? { kind: "loading" } : drawnScene(state, drawn, { view, smooth: isSmooth(state, look) });
  }
  const pixels = frames.pixelsOf(facts.key);
  if (pixels === undefined) {
    return { kind: "loading" };
  }
  const over = overlaysFor(facts, look, frames);
  const auto = (): Window => rememberAuto(autos, pane.seriesId, look.window, pixels, facts);
  const voi = resolveVoi(facts, look.window, auto);
  return { kind: "picture", voi, shown: { facts, pixels, voi, view, invert: look.invert, smooth: isSmooth(state, look), enhanced: null, filters: [], enhancing: "done", ...coloursOf(state, look.colourMap, facts), over, isShuttered: look.hasShutter, isOverlayMissing: frames.hasNoOverlays(facts.key), drawn: null } };
}

const NO_VALUES = new Uint8Array(0);

/** A picture that the server drew: what is said of it is what was asked of the server. */
function drawnScene(state: ViewerState, drawn: DrawnPicture, sight: Pick<Shown, "view" | "smooth">): Scene {
  const { facts, voi, wish, samples } = drawn;
  const shown: Shown = {
    ...sight,
    facts,
    voi,
    pixels: NO_VALUES,
    invert: wish.invert,
    enhanced: null,
    filters: wish.filters,
    enhancing: "done",
    ...coloursOf(state, wish.colourMap, facts),
    over: null,
    isOverlayMissing: false,
    isShuttered: wish.hasShutter,
    drawn: samples,
  };
  return { kind: "picture", voi, shown };
}

/** What lies over the image, as far as the reader wants it: a shutter by a bitmap comes with it. */
function overlaysFor(facts: ImageFacts, look: Look, frames: FrameSource): Uint8Array | null {
  const hasBitmap = facts.shutter !== null && facts.shutter.isBitmap && look.hasShutter;
  const over = facts.hasOverlays && (look.hasOverlays || hasBitmap) ? frames.overlaysOf(facts) : null;
  return over === null || over === undefined || look.hasOverlays ? (over ?? null) : shutterOnly(over);
}

function rememberAuto(autos: AutoWindows, seriesId: string, choice: WindowChoice, pixels: Pixels, facts: ImageFacts): Window {
  const percentiles: Percentiles = choice.kind === "relative" ? choice.percentiles : AUTOMATIC;
  const key = [seriesId, ...percentiles, choice.kind === "auto" ? (choice.of ?? "") : ""].join("|");
  const known = autos.get(key);
  if (known !== undefined) {
    return known;
  }
  const window = percentileWindow(pixels, facts, percentiles);
  autos.set(key, window);
  return window;
}

const palettes = new WeakMap<ColourMap, Uint8Array>();

function coloursOf(state: ViewerState, code: string, facts: ImageFacts): Pick<Shown, "colourMap" | "palette"> {
  const colourMap = state.colourMaps.find((one) => one.code === code);
  if (colourMap === undefined || hasOwnColours(facts)) {
    return { colourMap: null, palette: null };
  }
  return { colourMap, palette: paletteFor(state, code) };
}

/** The colours of a map, made once; null when there is no such map. */
export function paletteFor(state: ViewerState, code: string): Uint8Array | null {
  const colourMap = state.colourMaps.find((one) => one.code === code);
  if (colourMap === undefined) {
    return null;
  }
  const palette = palettes.get(colourMap) ?? paletteOf(colourMap);
  palettes.set(colourMap, palette);
  return palette;
}

function failureWords({ status, words: detail }: FrameFailure): Words {
  switch (status) {
    case "missing":
      return words(t("This image's file is missing."), t("Nothing is shown in its place. Tell your administrator."), true);
    case "damaged":
      return words(t("This image's file is damaged."), detail, true);
    case "unsupported":
      return words(t("This image cannot be shown."), detail);
    case "unreachable":
      return words(t("This image could not be loaded."), detail || t("The server did not answer."), true);
  }
}

function words(title: string, detail: string, canRetry = false): Words {
  return { kind: "words", title, detail: detail === title ? "" : detail, canRetry, save: "" };
}
