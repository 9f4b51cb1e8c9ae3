/** Why a series cannot lie over a picture, for people. */

import { whyNotFuse, type WhyNot } from "../core/fusion";
import type { Series } from "../core/facts";
import { t } from "../core/text";
import { imageIn, seriesIn } from "../state/panes";
import type { PaneState, ViewerState } from "../state/store";

/** Empty: it can; null: it is not known yet. */
export function fuseWords(state: ViewerState, pane: PaneState, over: Series): string | null {
  const base = seriesIn(state, pane);
  const found = state.stacks.get(over.id);
  if (base === undefined) {
    return t("There is no picture to lay it over.");
  }
  if (base.id !== over.id && base.studyId === over.studyId && over.displayable && found?.kind !== "ready") {
    return found?.kind === "failed" ? t("This series could not be loaded.") : null;
  }
  const stack = found?.kind === "ready" ? found.stack : null;
  return wordsFor(whyNotFuse(base, over, imageIn(state, pane), stack)) || timeWords(state, over);
}

/** Kept numbers and the server's planes are of the first time point: no other one is drawn. */
function timeWords({ volumes }: ViewerState, { id }: Series): string {
  const volume = volumes.get(id);
  const isLater = volume?.kind === "ready" && volume.plan.timePoint > 0;
  return isLater ? t("Only its first time point can be fused: go back to that one.") : "";
}

function wordsFor(why: WhyNot): string {
  switch (why) {
    case "":
      return "";
    case "itself":
      return t("It is the series below.");
    case "other_study":
      return t("It is of another study: different studies are never fused.");
    case "no_pictures":
      return t("There are no pictures to fuse.");
    case "colour":
      return t("Pictures in colour cannot be fused.");
    case "no_place":
      return t("One of the two does not say where it lies in the patient.");
    case "other_frame":
      return t("They have different frames of reference: nothing says how they lie to each other.");
    case "too_large":
      return t("The picture is too large to be overlaid.");
  }
}
