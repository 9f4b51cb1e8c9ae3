/** A round lens over a picture: the same pixels, larger, drawn from the picture itself. */

import { applyMatrix, canvasFromImage, invertMatrix, type Extent, type Point, type Size, type View } from "../core/view";
import { PlainSurface } from "./plain-surface";
import type { Picture } from "./surface";

const LENS_PX = 220;
const FACTOR = 2.5;

export interface LensSight {
  readonly picture: Picture;
  readonly view: View;
  readonly extent: Extent;
  readonly size: Size;
  readonly smooth: boolean;
}

export class Lens {
  private readonly root = document.createElement("div");
  private readonly surface: PlainSurface;

  constructor(host: HTMLElement) {
    this.root.className = "lens";
    this.root.style.width = `${LENS_PX}px`;
    this.root.style.height = `${LENS_PX}px`;
    host.append(this.root);
    this.surface = new PlainSurface(this.root);
    this.surface.resize({ width: LENS_PX, height: LENS_PX });
  }

  /** Shows what lies under a canvas point in the middle of the lens. */
  show({ picture, view, extent, size, smooth }: LensSight, at: Point): void {
    const center = applyMatrix(invertMatrix(canvasFromImage(view, extent, size)), at);
    this.surface.draw(picture, { ...view, scale: view.scale * FACTOR, center }, smooth);
    this.root.style.transform = `translate(${at.x - LENS_PX / 2}px, ${at.y - LENS_PX / 2}px)`;
  }

  dispose(): void {
    this.surface.dispose();
    this.root.remove();
  }
}
