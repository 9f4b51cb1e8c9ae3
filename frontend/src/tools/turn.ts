/** Rotate, flip, fit and one-to-one: one stroke each. */

import { flipView, rotateView, zoomView } from "../core/view";
import { setView, turnView } from "../state/changes";
import { sightOf, type Instrument } from "./tool";

export function rotate(instrument: Instrument, byDeg: number): void {
  const sight = sightOf(instrument);
  if (sight !== null) {
    instrument.store.change(turnView(rotateView(sight.view, byDeg)));
  }
}

export function flip(instrument: Instrument, axis: "horizontal" | "vertical"): void {
  const sight = sightOf(instrument);
  if (sight !== null) {
    instrument.store.change(turnView(flipView(sight.view, axis)));
  }
}

/** One pixel of the image on one pixel of the screen. */
export function oneToOne(instrument: Instrument): void {
  const sight = sightOf(instrument);
  if (sight !== null) {
    const { size } = instrument.viewport;
    const middle = { x: size.width / 2, y: size.height / 2 };
    const factor = 1 / (window.devicePixelRatio || 1) / sight.view.scale;
    instrument.store.change(setView(zoomView(sight.view, sight.extent, size, factor, middle)));
  }
}
