/** Rotate, flip, fit and one-to-one: one stroke each. */

import { flipView, rotateView, zoomView } from "../core/view";
import { extentOf } from "../render/viewport";
import { setView, turnView } from "../state/changes";
import type { Instrument } from "./tool";

export function rotate({ store, viewport }: Instrument, byDeg: number): void {
  if (viewport.shown !== null) {
    store.change(turnView(rotateView(viewport.shown.view, byDeg)));
  }
}

export function flip({ store, viewport }: Instrument, axis: "horizontal" | "vertical"): void {
  if (viewport.shown !== null) {
    store.change(turnView(flipView(viewport.shown.view, axis)));
  }
}

/** One pixel of the image on one pixel of the screen. */
export function oneToOne({ store, viewport }: Instrument): void {
  const { shown, size } = viewport;
  if (shown !== null) {
    const wished = 1 / (window.devicePixelRatio || 1);
    const middle = { x: size.width / 2, y: size.height / 2 };
    const factor = wished / shown.view.scale;
    store.change(setView(zoomView(shown.view, extentOf(shown.facts), size, factor, middle)));
  }
}
