/** What a pane wants drawn by the server: its image as the reader looks at it, and a few beyond. */

import type { Stack } from "../core/facts";
import { orderOfNeed } from "../core/order";
import { queryOf, voiOf } from "../core/server-picture";
import type { WantedPicture } from "../io/server-pictures";
import { savesData } from "../render/choose-source";
import type { Look } from "../state/store";

const MOST_AHEAD = 6;
/** So that what is ahead never pushes out what is in sight. */
const AHEAD_BYTES = 16 << 20;
const BYTES_A_PIXEL = 3;

export function wantedPictures(stack: Stack, stackUrl: string, look: Look): WantedPicture[] {
  const current = stack.images[look.index];
  if (current === undefined) {
    return [];
  }
  const bytes = current.rows * current.columns * BYTES_A_PIXEL;
  const count = 1 + Math.min(MOST_AHEAD, Math.floor(AHEAD_BYTES / Math.max(1, bytes)));
  const isLossy = savesData();
  return orderOfNeed(stack.images.length, look.index, look.direction, count).flatMap((index) => {
    const facts = stack.images[index];
    if (facts === undefined || facts.pixelFormat === "none") {
      return [];
    }
    const path = `../../../instances/${facts.instanceId}/frames/${facts.frame}/${queryOf(facts, look, stack.presets, isLossy)}`;
    const address = new URL(path, new URL(stackUrl, location.href)).href;
    return [{ facts, address, wish: look, voi: voiOf(facts, look.window) }];
  });
}
