/** What a pane says of itself because of the other panes. */

import { formatNumber } from "../core/format";
import { turnFor } from "../core/hanging";
import { t } from "../core/text";
import { priorIn } from "../state/hanging";
import { bondOf, planeIn } from "../state/links";
import { imageIn } from "../state/panes";
import type { Cursor, PaneState, ViewerState } from "../state/store";
import { dateWords } from "./viewer-priors";

export function paneNotes(state: ViewerState, pane: PaneState, isServerDrawn: boolean): string[] {
  const notes = [...(isServerDrawn ? [t("Picture drawn by the server")] : []), ...studyNotes(state, pane), ...hangNotes(state, pane)];
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

/** Whose pixels these are, when they are not those of the study that the page is about. */
function studyNotes(state: ViewerState, pane: PaneState): string[] {
  const prior = priorIn(state, pane);
  if (prior === undefined) {
    return [];
  }
  const { study } = state;
  const isAlike = prior.study.patientName === study.patientName && prior.study.patientBirthDate === study.patientBirthDate;
  return isAlike ? [dateWords(prior)] : [dateWords(prior), prior.study.patientName || t("No name"), prior.study.patientBirthDate];
}

/** What hanging did to the picture, or could not do. */
function hangNotes(state: ViewerState, pane: PaneState): string[] {
  const facts = imageIn(state, pane);
  const orient = pane.hang?.orient ?? null;
  if (facts === undefined || orient === null || pane.look.view !== null) {
    return [];
  }
  const turn = turnFor(facts, orient);
  if (turn === null) {
    return [t("Orientation not in the file: shown as it came")];
  }
  return turn.mirrored || turn.rotationDeg !== 0 ? [t("Turned to hang: acquired otherwise")] : [];
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
