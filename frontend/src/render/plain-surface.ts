/** Draws with the browser's 2D canvas: the first picture at once, and all of them without a graphics card. */

import { canvasFromImage, type Matrix, type Size, type View } from "../core/view";
import type { Picture, Surface } from "./surface";

/** A larger picture is not handed to the browser's compositor as it is. */
const MOST_SIDE = 4096;

/**
 * Two canvases: the picture, a pixel for a pixel, and what is seen of it. An enlarged picture is seen
 * itself, laid by the style where it belongs: a new image then costs its own pixels alone, and moving
 * it costs nothing. One that is made smaller is drawn, for that looks better.
 */
export class PlainSurface implements Surface {
  readonly kind = "canvas";
  private readonly whole = makeCanvas();
  private readonly source = makeCanvas();
  private seen = this.whole;
  private image: ImageData | null = null;
  private drawn: Picture | null = null;
  private size: Size = { width: 1, height: 1 };

  constructor(host: HTMLElement) {
    this.source.classList.add("is-laid");
    this.source.hidden = true;
    host.append(this.whole, this.source);
  }

  get canvas(): HTMLCanvasElement {
    return this.seen;
  }

  resize(size: Size): void {
    this.size = size;
    this.fitWhole();
  }

  draw(picture: Picture, view: View, smooth: boolean): void {
    if (this.drawn !== picture) {
      this.fillSource(picture);
      this.drawn = picture;
    }
    const ratio = window.devicePixelRatio || 1;
    const matrix = canvasFromImage(view, picture, this.size);
    const isEnlarged = view.scale * ratio * Math.min(1, picture.pixelAspect) >= 1;
    if (isEnlarged && Math.max(picture.width, picture.height) <= MOST_SIDE) {
      this.lay(matrix, smooth);
    } else {
      this.drawScaled(matrix, smooth, view.scale < 1 ? "high" : "low");
    }
  }

  clear(): void {
    this.see(this.whole);
    this.blacken();
  }

  dispose(): void {
    for (const canvas of [this.whole, this.source]) {
      canvas.remove();
      canvas.width = 0;
    }
  }

  private lay({ a, b, c, d, e, f }: Matrix, smooth: boolean): void {
    const { style } = this.source;
    // Image space counts from the first pixel's centre, the canvas from its corner.
    style.transform = `matrix(${a}, ${b}, ${c}, ${d}, ${e - (a + c) / 2}, ${f - (b + d) / 2})`;
    style.imageRendering = smooth ? "auto" : "pixelated";
    this.see(this.source);
  }

  private drawScaled({ a, b, c, d, e, f }: Matrix, smooth: boolean, quality: ImageSmoothingQuality): void {
    this.see(this.whole);
    const context = this.blacken();
    if (context === null) {
      return;
    }
    const ratio = this.whole.width / this.size.width;
    context.setTransform(a * ratio, b * ratio, c * ratio, d * ratio, e * ratio, f * ratio);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = quality;
    context.drawImage(this.source, -0.5, -0.5);
  }

  private blacken(): CanvasRenderingContext2D | null {
    const context = this.whole.getContext("2d", { alpha: false });
    context?.resetTransform();
    context?.fillRect(0, 0, this.whole.width, this.whole.height);
    return context;
  }

  /** Shows one of the two; the canvas of the pane's size takes memory only while it is seen. */
  private see(canvas: HTMLCanvasElement): void {
    if (this.seen === canvas) {
      return;
    }
    this.seen = canvas;
    this.whole.hidden = canvas !== this.whole;
    this.source.hidden = canvas !== this.source;
    this.fitWhole();
  }

  private fitWhole(): void {
    const ratio = this.seen === this.whole ? window.devicePixelRatio || 1 : 0;
    this.whole.width = Math.max(1, Math.round(this.size.width * ratio));
    this.whole.height = Math.max(1, Math.round(this.size.height * ratio));
  }

  private fillSource(picture: Picture): void {
    const { source } = this;
    const { width, height } = picture;
    const isSameSize = this.image?.width === width && this.image.height === height;
    if (!isSameSize) {
      source.width = width;
      source.height = height;
    }
    const context = source.getContext("2d", { alpha: false });
    if (context === null) {
      return;
    }
    const image = isSameSize && this.image !== null ? this.image : context.createImageData(width, height);
    this.image = image;
    const words = new Uint32Array(image.data.buffer);
    if (picture.paint === undefined) {
      paintSamples(picture, words);
    } else {
      picture.paint(words);
    }
    context.putImageData(image, 0, 0);
  }
}

const OPAQUE = 0xff000000;

function paintSamples({ samples, components }: Picture, words: Uint32Array): void {
  if (components === 1) {
    for (let i = 0; i < words.length; i += 1) {
      words[i] = OPAQUE | ((samples[i] as number) * 0x010101);
    }
    return;
  }
  for (let i = 0, at = 0; i < words.length; i += 1, at += 3) {
    const [red, green, blue] = [samples[at] as number, samples[at + 1] as number, samples[at + 2] as number];
    words[i] = OPAQUE | (blue << 16) | (green << 8) | red;
  }
}

function makeCanvas(): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.className = "surface";
  return canvas;
}
