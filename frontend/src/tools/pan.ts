/** The picture follows the hand. */

import { panView } from "../core/view";
import { extentOf } from "../render/viewport";
import { setView } from "../state/changes";
import { NO_DRAG, type Tool } from "./tool";

export const panTool: Tool = ({ store, viewport }) => {
  const { shown } = viewport;
  if (shown === null) {
    return NO_DRAG;
  }
  const [extent, start] = [extentOf(shown.facts), shown.view];
  return (dx, dy) => store.change(setView(panView(start, extent, dx, dy)));
};
