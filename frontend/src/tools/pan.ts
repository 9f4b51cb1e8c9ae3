/** The picture follows the hand. */

import { panView } from "../core/view";
import { setView } from "../state/changes";
import { NO_DRAG, sightOf, type Tool } from "./tool";

export const panTool: Tool = (instrument) => {
  const sight = sightOf(instrument);
  if (sight === null) {
    return NO_DRAG;
  }
  const { extent, view: start } = sight;
  return (dx, dy) => instrument.store.change(setView(panView(start, extent, dx, dy)));
};
