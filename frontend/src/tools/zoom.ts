/** Zoom about the point where the drag began: up is larger. */

import { zoomView, type Point } from "../core/view";
import { extentOf } from "../render/viewport";
import { setView } from "../state/changes";
import { NO_DRAG, type Instrument, type Tool } from "./tool";

const PX_FOR_E = 200;

export const zoomTool: Tool = ({ store, viewport }, at) => {
  const { shown } = viewport;
  if (shown === null) {
    return NO_DRAG;
  }
  const [extent, start] = [extentOf(shown.facts), shown.view];
  return (_dx, dy) => {
    const factor = Math.exp(-dy / PX_FOR_E);
    store.change(setView(zoomView(start, extent, viewport.size, factor, at)));
  };
};

/** One step of zoom about a canvas point, or about the middle. */
export function zoomBy({ store, viewport }: Instrument, factor: number, at?: Point): void {
  const { shown, size } = viewport;
  if (shown !== null) {
    const point = at ?? { x: size.width / 2, y: size.height / 2 };
    store.change(setView(zoomView(shown.view, extentOf(shown.facts), size, factor, point)));
  }
}
