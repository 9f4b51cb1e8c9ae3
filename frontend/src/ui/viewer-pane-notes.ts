/** What a pane says of itself because of the other panes. */

import { formatNumber } from "../core/format";
import { t } from "../core/text";
import { bondOf, planeIn } from "../state/links";
import type { Cursor, PaneState, ViewerState } from "../state/store";

export function paneNotes(state: ViewerState, pane: PaneState): string[] {
  const notes: string[] = [];
  if (pane.look.presentation !== undefined) {
    notes.push(t("Presentation state: {name}", { name: pane.look.presentation }));
  }
  if (bondOf(state, pane) === "offset") {
    notes.push(t("Scrolls by offset: no common frame of reference"));
  }
  const { cursor } = state;
  if (cursor !== null && planeIn(state, pane)?.frameOfReferenceUid === cursor.frameOfReferenceUid) {
    notes.push(placeWords(cursor));
  }
  return notes;
}

/** A point in the patient as people say it: how far left, behind, towards the head. */
function placeWords({ lps }: Cursor): string {
  const letters = [
    ["R", "L"],
    ["A", "P"],
    ["F", "H"],
  ] as const;
  const parts = lps.map((value, axis) => `${letters[axis]?.[value >= 0 ? 1 : 0] ?? ""} ${formatNumber(Math.abs(value), 1)}`);
  return `${parts.join("  ")} mm`;
}
