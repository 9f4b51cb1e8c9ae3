/** Window and level by dragging: right widens, down darkens. */

import { nominalWindow } from "../core/server-picture";
import { dragWindow, usesWholeNumbers } from "../core/window";
import { setWindow } from "../state/changes";
import { NO_DRAG, type Tool } from "./tool";

export const windowTool: Tool = ({ store, viewport }) => {
  const { shown } = viewport;
  if (shown === null || shown.facts.pixelFormat === "rgb8") {
    return NO_DRAG;
  }
  const { center, width } = shown.voi;
  const start = Number.isNaN(width) ? nominalWindow(shown.facts) : { center, width };
  const whole = usesWholeNumbers(start, shown.facts);
  return (dx, dy) => store.change(setWindow({ kind: "manual", window: dragWindow(start, dx, dy, whole) }));
};
