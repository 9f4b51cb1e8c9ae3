/** Windows under the reader's hand. */

import type { ImageFacts, Window } from "./facts";

function isWhole(facts: ImageFacts): boolean {
  return facts.pixelFormat !== "f32" && facts.pixelFormat !== "f64" && facts.rescaleSlope >= 1;
}

/** The window after a drag: right widens, down raises the level (darker), at a pace that fits the width. */
export function dragWindow(start: Window, dxPx: number, dyPx: number, whole: boolean): Window {
  const pace = Math.max(start.width, 1e-12) / 300;
  const width = start.width + dxPx * Math.max(pace, whole ? 0.25 : 0);
  const center = start.center + dyPx * Math.max(pace, whole ? 0.25 : 0);
  if (!whole) {
    return { center, width: Math.max(width, 1e-9) };
  }
  return { center: Math.round(center), width: Math.max(1, Math.round(width)) };
}

export function usesWholeNumbers(window: Window, facts: ImageFacts): boolean {
  return isWhole(facts) && window.width >= 20;
}
