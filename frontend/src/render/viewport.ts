/**
 * One pane: takes frames and says how they are seen, draws them, and knows what is on the screen.
 * Behind it the plain canvas draws at once; the engine takes over when it has loaded and can use a
 * graphics card.
 */

import type { ColourMap } from "../core/colour-map";
import { paintGrey } from "../core/colour-map";
import { hasOwnColours, ownColours, paddingTest, paintGreyPixels, renderColour, renderGrey, type Voi } from "../core/display";
import type { Filter } from "../core/enhance";
import type { ImageFacts, Pixels } from "../core/facts";
import { blend, type Overlay } from "../core/fusion";
import { drawOverlays, hideUnder } from "../core/overlays";
import { applyShutter, greyToRgb, visibleMask } from "../core/shutters";
import type { Extent, Size, View } from "../core/view";
import { Lens, type LensSight } from "./lens";
import { PlainSurface } from "./plain-surface";
import type { Picture, Surface } from "./surface";

export interface Shown {
  readonly facts: ImageFacts;
  readonly pixels: Pixels;
  readonly voi: Voi;
  readonly invert: boolean;
  readonly smooth: boolean;
  readonly view: View;
  /** What filters made of the windowed samples, not yet inverted; null: the samples themselves. */
  readonly enhanced: Uint8Array | null;
  /** The filters that made `enhanced`. */
  readonly filters: readonly Filter[];
  /** Filters that are wanted and not in the picture: under way, or impossible here. */
  readonly enhancing: "done" | "pending" | "failed";
  readonly colourMap: ColourMap | null;
  /** 256 colours for the grey levels; null: grey. */
  readonly palette: Uint8Array | null;
  /** What lies over each pixel, from `core/overlays.ts`; null: nothing, or the reader hides it. */
  readonly over: Uint8Array | null;
  /** Overlays that the file has and that could not be had: the picture says so. */
  readonly isOverlayMissing: boolean;
  /** Whether the file's shutter, if it has one, hides what it says. */
  readonly isShuttered: boolean;
  /** The whole picture as the server drew it, three bytes a pixel; null: it is drawn here. */
  readonly drawn: Uint8Array | null;
  /** A second series that lies over the picture. */
  readonly fused?: Overlay | null;
}

export type EngineChoice = "webgl" | "canvas";

export class Viewport {
  private surface: Surface;
  private current: Shown | null = null;
  private picture: { of: Shown; picture: Picture } | null = null;
  private measured: Size;
  private readonly resizes = new ResizeObserver(() => this.resize());
  private isDisposed = false;

  constructor(
    private readonly host: HTMLElement,
    choice: Promise<EngineChoice>,
    private readonly onResize: () => void,
  ) {
    this.surface = new PlainSurface(host);
    this.measured = measure(host);
    this.surface.resize(this.measured);
    this.resizes.observe(host);
    void choice.then((chosen) => (chosen === "webgl" && !this.isDisposed ? this.loadEngine() : undefined));
  }

  get size(): Size {
    return this.measured;
  }

  get shown(): Shown | null {
    return this.current;
  }

  get canvas(): HTMLCanvasElement {
    return this.surface.canvas;
  }

  get engine(): EngineChoice {
    return this.surface.kind;
  }

  show(next: Shown): void {
    if (this.current === null || !isSameSight(this.current, next)) {
      this.draw(next);
    }
  }

  private draw(next: Shown): void {
    const picture = this.pictureOf(next);
    this.current = next;
    this.surface.draw(picture, next.view, next.smooth);
  }

  clear(): void {
    if (this.current !== null) {
      this.current = null;
      this.picture = null;
      this.surface.clear();
    }
  }

  /** A lens over the picture, which whoever opens it closes; null without a picture. */
  openLens(): Lens | null {
    return this.current === null ? null : new Lens(this.host);
  }

  lensSight(): LensSight | null {
    const now = this.current;
    if (now === null) {
      return null;
    }
    return { picture: this.pictureOf(now), view: now.view, extent: extentOf(now.facts), size: this.measured, smooth: now.smooth };
  }

  /** Gives back what it holds of the browser; draws no more. */
  dispose(): void {
    this.isDisposed = true;
    this.resizes.disconnect();
    this.surface.dispose();
  }

  /** A host that has just come into the page is measured at once, so that nothing is drawn a pixel small. */
  measureNew(): void {
    if (this.measured.width <= 1) {
      this.resize();
    }
  }

  private resize(): void {
    const size = measure(this.host);
    if (size.width === this.measured.width && size.height === this.measured.height) {
      return;
    }
    this.measured = size;
    this.surface.resize(size);
    this.onResize();
    if (this.current !== null) {
      this.draw(this.current);
    }
  }

  private pictureOf(next: Shown): Picture {
    const made = this.picture;
    if (made !== null && isSamePicture(made.of, next)) {
      return made.picture;
    }
    const picture = makePicture(next);
    this.picture = { of: next, picture };
    return picture;
  }

  private async loadEngine(): Promise<void> {
    try {
      const { createEngineSurface } = await import("./engine-surface");
      if (this.isDisposed) {
        return;
      }
      const engine = createEngineSurface(this.host, this.measured);
      this.surface.dispose();
      this.surface = engine;
      if (this.current === null) {
        engine.clear();
      } else {
        this.draw(this.current);
      }
    } catch (error) {
      console.warn("The WebGL engine is not available; the plain canvas stays.", error);
    }
  }
}

export function extentOf(facts: ImageFacts): Extent {
  return { width: facts.columns, height: facts.rows, pixelAspect: facts.pixelAspect };
}

function isSameSight(one: Shown, other: Shown): boolean {
  const [a, b] = [one.view, other.view];
  return (
    isSamePicture(one, other) &&
    one.smooth === other.smooth &&
    a.scale === b.scale &&
    a.rotationDeg === b.rotationDeg &&
    a.mirrored === b.mirrored &&
    a.center.x === b.center.x &&
    a.center.y === b.center.y
  );
}

function isSamePicture(one: Shown, other: Shown): boolean {
  const [a, b] = [one.voi, other.voi];
  return (
    one.pixels === other.pixels &&
    one.facts === other.facts &&
    one.invert === other.invert &&
    one.enhanced === other.enhanced &&
    one.palette === other.palette &&
    one.over === other.over &&
    one.drawn === other.drawn &&
    one.fused?.plane === other.fused?.plane &&
    one.fused?.fusion === other.fused?.fusion &&
    one.fused?.palette === other.fused?.palette &&
    one.fused?.factor === other.fused?.factor &&
    one.isShuttered === other.isShuttered &&
    a.center === b.center &&
    a.width === b.width &&
    a.function === b.function &&
    a.table === b.table
  );
}

/** Shutter, then overlays, over what the pixels make: as `imaging.display.render_frame` does. */
function makePicture(next: Shown): Picture {
  if (next.drawn !== null) {
    const samples = next.fused == null ? next.drawn : blend(next.drawn, 3, next.fused);
    return { ...extentOf(next.facts), components: 3, samples };
  }
  const picture = makePixels(next);
  const { facts, over, isShuttered } = next;
  if (isShuttered && facts.shutter !== null) {
    const mask = visibleMask(facts.shutter, facts.rows, facts.columns, facts.pixelAspect);
    if (over !== null) {
      hideUnder(mask, over);
    }
    const isPainted = picture.components === 1 && facts.shutter.presentationColor !== null;
    const isOwn = picture.samples !== next.pixels && picture.samples !== next.enhanced;
    const samples = isPainted ? greyToRgb(picture.samples) : isOwn ? picture.samples : picture.samples.slice();
    const components = isPainted ? 3 : picture.components;
    applyShutter(samples, components, facts.shutter, mask);
    return withOverlays({ ...picture, components, samples }, over);
  }
  return withOverlays(picture, over);
}

function withOverlays(picture: Picture, over: Uint8Array | null): Picture {
  return over === null
    ? picture
    : { ...picture, components: 3, samples: drawOverlays(picture.samples, picture.components, over) };
}

/** The picture's own pixels, and what lies over them. */
function makePixels(next: Shown): Picture {
  const picture = makeOwn(next);
  return next.fused == null ? picture : { ...picture, components: 3, samples: blend(picture.samples, picture.components, next.fused) };
}

/** A grey frame as it is. Its samples are made when somebody asks for them: a canvas is painted without. */
class GreyPicture implements Picture {
  readonly components = 1;
  readonly width: number;
  readonly height: number;
  readonly pixelAspect: number;
  private made: Uint8Array | null = null;

  constructor(
    extent: Extent,
    private readonly pixels: Pixels,
    private readonly facts: ImageFacts,
    private readonly voi: Voi,
    private readonly invert: boolean,
  ) {
    this.width = extent.width;
    this.height = extent.height;
    this.pixelAspect = extent.pixelAspect;
  }

  get samples(): Uint8Array {
    this.made ??= renderGrey(this.pixels, this.facts, this.voi, this.invert);
    return this.made;
  }

  paint(words: Uint32Array): void {
    paintGreyPixels(this.pixels, this.facts, this.voi, this.invert, words);
  }
}

/** Window, filters, inversion, colours: in this order, as `archive.rendering` does. */
function makeOwn({ facts, pixels, voi, invert, enhanced, palette }: Shown): Picture {
  const extent = extentOf(facts);
  if (hasOwnColours(facts)) {
    const colours = renderColour(enhanced ?? ownColours(pixels, facts, voi), invert);
    return { ...extent, components: 3, samples: facts.supplement === null ? colours : blackPadding(colours, facts, pixels) };
  }
  if (enhanced === null && palette === null) {
    return new GreyPicture(extent, pixels, facts, voi, invert);
  }
  const grey = enhanced === null ? renderGrey(pixels, facts, voi, invert) : finishFiltered(enhanced, facts, pixels, invert);
  return palette === null
    ? { ...extent, components: 1, samples: grey }
    : { ...extent, components: 3, samples: paintGrey(grey, palette) };
}

/** What is no pixel stays black among the colours of a palette, too. */
function blackPadding(colours: Uint8Array, facts: ImageFacts, pixels: Pixels): Uint8Array {
  const isPadding = paddingTest(facts);
  return colours.map((value, i) => (isPadding(pixels[Math.floor(i / 3)] as number) ? 0 : value));
}

/** Turns filtered levels when the reader inverts; what is no pixel stays black. */
function finishFiltered(enhanced: Uint8Array, facts: ImageFacts, pixels: Pixels, invert: boolean): Uint8Array {
  const isPadding = paddingTest(facts);
  return renderColour(enhanced, invert).map((value, i) => (isPadding(pixels[i] as number) ? 0 : value));
}

function measure(host: HTMLElement): Size {
  return { width: Math.max(1, host.clientWidth), height: Math.max(1, host.clientHeight) };
}
