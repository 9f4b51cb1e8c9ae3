/** A lens under the hand while it is down. */

import { NO_DRAG, type Tool } from "./tool";

const ENDS = ["pointerup", "pointercancel", "lostpointercapture"] as const;

export const magnifierTool: Tool = ({ viewport }, start) => {
  const lens = viewport.openLens();
  if (lens === null) {
    return NO_DRAG;
  }
  const put = (dx: number, dy: number): void => {
    const sight = viewport.lensSight();
    if (sight !== null) {
      lens.show(sight, { x: start.x + dx, y: start.y + dy });
    }
  };
  const end = (): void => {
    ENDS.forEach((name) => removeEventListener(name, end, true));
    lens.dispose();
  };
  ENDS.forEach((name) => addEventListener(name, end, true));
  put(0, 0);
  return put;
};
