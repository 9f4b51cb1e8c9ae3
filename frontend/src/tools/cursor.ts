/** One point of the patient in all panes: set where the hand is, and moved with it. */

import { applyMatrix, canvasFromImage, invertMatrix, type Point } from "../core/view";
import { lpsFromImage, planeOf } from "../core/planes";
import { setCursor } from "../state/links";
import { activePane } from "../state/panes";
import { NO_DRAG, sightOf, type Tool } from "./tool";

export const cursorTool: Tool = (instrument, start) => {
  const { store, viewport } = instrument;
  const sight = sightOf(instrument);
  const plane = viewport.shown === null ? null : planeOf(viewport.shown.facts);
  if (sight === null || plane === null || plane.frameOfReferenceUid === "") {
    store.change(setCursor(null));
    return NO_DRAG;
  }
  const back = invertMatrix(canvasFromImage(sight.view, sight.extent, viewport.size));
  const { frameOfReferenceUid } = plane;
  const paneId = activePane(store.state).id;
  const put = (at: Point): void =>
    store.change(setCursor({ lps: lpsFromImage(plane, applyMatrix(back, at)), frameOfReferenceUid, paneId }));
  put(start);
  return (dx, dy) => put({ x: start.x + dx, y: start.y + dy });
};
