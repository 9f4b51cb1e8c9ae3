/** Through the stack: by dragging, and by the wheel. */

import { goTo, placeInSight, step } from "../state/changes";
import type { Store } from "../state/store";
import type { Tool } from "./tool";

const MOST_PX_PER_IMAGE = 24;
const LEAST_PX_PER_IMAGE = 2;

export const scrollTool: Tool = ({ store, viewport }) => {
  const { index: start, count } = placeInSight(store.state);
  const pace = Math.min(MOST_PX_PER_IMAGE, Math.max(LEAST_PX_PER_IMAGE, (viewport.size.height * 0.8) / Math.max(1, count)));
  return (_dx, dy) => store.change(goTo(start + Math.round(dy / pace)));
};

const PX_PER_NOTCH = 50;
const LINE_PX = 20;

/** One image for a notch of a wheel; a touchpad's many small steps add up to notches. */
export class WheelScroll {
  private rest = 0;

  constructor(private readonly store: Store) {}

  turn(event: WheelEvent): void {
    const { isWheelReversed } = this.store.state.preferences.mouse;
    const way = isWheelReversed ? -1 : 1;
    const px = way * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : event.deltaY * LINE_PX * 3);
    if (Math.sign(px) !== Math.sign(this.rest)) {
      this.rest = 0;
    }
    this.rest += px;
    const notches = Math.trunc(this.rest / PX_PER_NOTCH);
    if (notches !== 0) {
      this.rest -= notches * PX_PER_NOTCH;
      this.store.change(step(Math.abs(px) >= 100 ? Math.sign(px) : notches));
      if (Math.abs(px) >= 100) {
        this.rest = 0;
      }
    }
  }
}
