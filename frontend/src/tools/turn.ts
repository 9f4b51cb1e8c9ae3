/** Rotate, flip, fit and one-to-one: one stroke each. */

import { applyMatrix, canvasFromImage, flipView, panView, rotateView, zoomView, type Size, type View } from "../core/view";
import { scaleIn } from "../state/calibrations";
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

/** One pixel of the image on one pixel of the screen, not half on each of two. */
export function oneToOne(instrument: Instrument): void {
  const sight = sightOf(instrument);
  if (sight === null) {
    return;
  }
  const ratio = window.devicePixelRatio || 1;
  const { size } = instrument.viewport;
  const view = scaled(size, sight, 1 / ratio);
  const corner = applyMatrix(canvasFromImage(view, sight.extent, size), { x: -0.5, y: -0.5 });
  const [dx, dy] = [corner.x, corner.y].map((at) => Math.round(at * ratio) / ratio - at) as [number, number];
  instrument.store.change(setView(panView(view, sight.extent, dx, dy)));
}

/**
 * As large as in the patient, or at the detector where the file knows only that; `pxPerMm` is that of
 * the screen. False when the file does not say how large a pixel is.
 */
export function trueSize(instrument: Instrument, pxPerMm: number): boolean {
  const sight = sightOf(instrument);
  const { shown } = instrument.viewport;
  const spacing = shown === null ? null : scaleIn(instrument.store.state, shown.facts).spacing;
  if (sight === null || spacing === null) {
    return false;
  }
  instrument.store.change(setView(scaled(instrument.viewport.size, sight, spacing[1] * pxPerMm)));
  return true;
}

function scaled(size: Size, { view, extent }: Sight, scale: number): View {
  return zoomView(view, extent, size, scale / view.scale, { x: size.width / 2, y: size.height / 2 });
}
