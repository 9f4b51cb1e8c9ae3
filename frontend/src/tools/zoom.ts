/** Zoom about the point where the drag began: up is larger. */

import { zoomView, type Point } from "../core/view";
import { setView } from "../state/changes";
import { NO_DRAG, sightOf, type Instrument, type Tool } from "./tool";

const PX_FOR_E = 200;

export const zoomTool: Tool = (instrument, at) => {
  const { store, viewport } = instrument;
  const sight = sightOf(instrument);
  if (sight === null) {
    return NO_DRAG;
  }
  const { extent, view: start } = sight;
  return (_dx, dy) => {
    const factor = Math.exp(-dy / PX_FOR_E);
    store.change(setView(zoomView(start, extent, viewport.size, factor, at)));
  };
};

/** One step of zoom about a canvas point, or about the middle. */
export function zoomBy(instrument: Instrument, factor: number, at?: Point): void {
  const sight = sightOf(instrument);
  const { size } = instrument.viewport;
  if (sight !== null) {
    const point = at ?? { x: size.width / 2, y: size.height / 2 };
    instrument.store.change(setView(zoomView(sight.view, sight.extent, size, factor, point)));
  }
}
