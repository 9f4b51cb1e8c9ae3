/** What a pane says of itself because of the other panes. */

import { turnFor } from "../core/hanging";
import { keyImageOf } from "../core/key-images";
import { t } from "../core/text";
import { priorIn } from "../state/hanging";
import { bondOf, planeIn } from "../state/links";
import { isCut } from "../state/curves";
import { imageIn, planIn } from "../state/panes";
import type { PaneState, ViewerState } from "../state/store";
import { pointWords } from "./viewer-point";
import { dateWords } from "./viewer-priors";

/** How the picture came about, beside what the state knows. */
export interface Drawn {
  readonly isServerDrawn: boolean;
  readonly ofScene: readonly string[];
}

export function paneNotes(state: ViewerState, pane: PaneState, { isServerDrawn, ofScene }: Drawn): string[] {
  const notes = [...ofScene, ...volumeNotes(state, pane), ...(isServerDrawn ? [t("Picture drawn by the server")] : []), ...studyNotes(state, pane), ...hangNotes(state, pane)];
  if (pane.look.presentation !== undefined) {
    notes.push(t("Presentation state: {name}", { name: pane.look.presentation }));
  }
  const keyImage = keyImageOf(state.keyImages, imageIn(state, pane));
  if (keyImage !== undefined) {
    notes.push(t("Key image"));
  }
  if (bondOf(state, pane) === "offset") {
    notes.push(t("Scrolls by offset: no common frame of reference"));
  }
  const { cursor } = state;
  if (cursor !== null && planeIn(state, pane)?.frameOfReferenceUid === cursor.frameOfReferenceUid) {
    notes.push(pointWords(cursor.lps));
  }
  return notes;
}

/** What the passport found of the volume that the plane is cut from, as far as it concerns the plane. */
function volumeNotes(state: ViewerState, pane: PaneState): string[] {
  const plan = isCut(pane) ? planIn(state, pane) : null;
  return [...new Set((plan?.notes ?? []).map(({ code, words }) => noteWords(code, words)))].filter((note) => note !== "");
}

/** Few words, for the corner; the passport's panel has the sentences. */
function noteWords(code: string, words: string): string {
  switch (code) {
    case "tilted":
      return t("Tilt corrected");
    case "missing_slices":
    case "incomplete_time_points":
      return t("Slices missing");
    case "uneven":
    case "spacing_changes":
      return t("Uneven slices");
    // Told by the number of the time point, or about images that are no part of the volume.
    case "time_points":
    case "time_points_by_number":
    case "localizers":
    case "other_orientations":
    case "other_frames_of_reference":
    case "images_without_geometry":
    case "identical_images":
      return "";
    default:
      return words;
  }
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
