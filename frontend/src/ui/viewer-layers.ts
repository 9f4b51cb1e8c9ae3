/** The SVG over one picture, for marks that must lie the same on every surface; a group for each layer. */

import type { Size, View } from "../core/view";
import type { Shown } from "../render/viewport";

export interface MarksLayer {
  /**
   * Draws into its own group, which keeps what was drawn before. Called after every change while a
   * picture is on the screen; `canvasFromImage(view, extentOf(shown.facts), size)` places image points.
   */
  draw(group: SVGGElement, shown: Shown, view: View, size: Size): void;
}

const SVG = "http://www.w3.org/2000/svg";

export class MarksHost {
  readonly root = document.createElementNS(SVG, "svg");
  private readonly layers = new Map<MarksLayer, SVGGElement>();

  constructor() {
    this.root.setAttribute("class", "marks");
    this.root.setAttribute("aria-hidden", "true");
  }

  /** Later layers lie over earlier ones. */
  addLayer(layer: MarksLayer): SVGGElement {
    const group = document.createElementNS(SVG, "g");
    this.layers.set(layer, group);
    this.root.append(group);
    return group;
  }

  removeLayer(layer: MarksLayer): void {
    this.layers.get(layer)?.remove();
    this.layers.delete(layer);
  }

  /** Without a picture there is nothing that a mark could lie on. */
  show(shown: Shown | null, size: Size): void {
    this.root.style.display = shown === null ? "none" : "";
    if (shown === null) {
      return;
    }
    this.layers.forEach((group, layer) => layer.draw(group, shown, shown.view, size));
  }
}
