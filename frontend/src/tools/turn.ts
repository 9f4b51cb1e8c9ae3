/** Rotate, flip, fit and one-to-one: one stroke each. */

import { flipView, rotateView, zoomView } from "../core/view";
import { setView, turnView } from "../state/changes";
import { sightOf, type Instrument, type Sight } from "./tool";

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
    scaleTo(instrument, sight, 1 / (window.devicePixelRatio || 1));
  }
}

/**
 * As large as in the patient, or at the detector where the file knows only that; `pxPerMm` is that of
 * the screen. False when the file does not say how large a pixel is.
 */
export function trueSize(instrument: Instrument, pxPerMm: number): boolean {
  const sight = sightOf(instrument);
  const spacing = instrument.viewport.shown?.facts.pixelSpacing ?? null;
  if (sight === null || spacing === null) {
    return false;
  }
  scaleTo(instrument, sight, spacing[1] * pxPerMm);
  return true;
}

function scaleTo({ store, viewport: { size } }: Instrument, { view, extent }: Sight, scale: number): void {
  const middle = { x: size.width / 2, y: size.height / 2 };
  store.change(setView(zoomView(view, extent, size, scale / view.scale, middle)));
}
