/** Draws with the browser's 2D canvas: the first picture at once, and all of them without a graphics card. */

import { canvasFromImage, type Size, type View } from "../core/view";
import type { Picture, Surface } from "./surface";

export class PlainSurface implements Surface {
  readonly kind = "canvas";
  readonly canvas = document.createElement("canvas");
  private readonly source = document.createElement("canvas");
  private drawn: Picture | null = null;
  private size: Size = { width: 1, height: 1 };

  constructor(host: HTMLElement) {
    this.canvas.className = "surface";
    host.append(this.canvas);
  }

  resize(size: Size): void {
    const ratio = window.devicePixelRatio || 1;
    this.size = size;
    this.canvas.width = Math.max(1, Math.round(size.width * ratio));
    this.canvas.height = Math.max(1, Math.round(size.height * ratio));
  }

  draw(picture: Picture, view: View, smooth: boolean): void {
    if (this.drawn !== picture) {
      fillSource(this.source, picture);
      this.drawn = picture;
    }
    const context = this.clear();
    if (context === null) {
      return;
    }
    const ratio = this.canvas.width / this.size.width;
    const { a, b, c, d, e, f } = canvasFromImage(view, picture, this.size);
    context.setTransform(a * ratio, b * ratio, c * ratio, d * ratio, e * ratio, f * ratio);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = view.scale < 1 ? "high" : "low";
    // Image space counts from the first pixel's centre, the canvas from its corner.
    context.drawImage(this.source, -0.5, -0.5);
  }

  clear(): CanvasRenderingContext2D | null {
    const context = this.canvas.getContext("2d", { alpha: false });
    context?.resetTransform();
    context?.fillRect(0, 0, this.canvas.width, this.canvas.height);
    return context;
  }

  dispose(): void {
    this.canvas.remove();
    this.source.width = 0;
  }
}

const OPAQUE = 0xff000000;

function fillSource(source: HTMLCanvasElement, picture: Picture): void {
  source.width = picture.width;
  source.height = picture.height;
  const context = source.getContext("2d", { alpha: false });
  if (context === null) {
    return;
  }
  const image = context.createImageData(picture.width, picture.height);
  const words = new Uint32Array(image.data.buffer);
  const { samples } = picture;
  if (picture.components === 1) {
    for (let i = 0; i < words.length; i += 1) {
      words[i] = OPAQUE | ((samples[i] as number) * 0x010101);
    }
  } else {
    for (let i = 0, at = 0; i < words.length; i += 1, at += 3) {
      const [red, green, blue] = [samples[at] as number, samples[at + 1] as number, samples[at + 2] as number];
      words[i] = OPAQUE | (blue << 16) | (green << 8) | red;
    }
  }
  context.putImageData(image, 0, 0);
}
