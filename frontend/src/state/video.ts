/** Stored videos that the browser plays, and their frames one by one. */

import type { Stack } from "../core/facts";
import { activePane, changePane, stackIn } from "./panes";
import type { Look, PaneState, ViewerState } from "./store";

type Change = (state: ViewerState) => ViewerState;

/** Whether a player has the pane, and not the pictures. */
export function isPlayed(stack: Stack, pane: PaneState): boolean {
  return stack.videos.length > 0 && (stack.images.length === 0 || !pane.look.asFrames);
}

/** Shows the frames of a video instead of playing it, beginning with one; where there are none, nothing changes. */
export function showFrames(instanceId: string, frame: number): Change {
  return (state) => {
    const images = stackIn(state, activePane(state))?.images ?? [];
    const first = images.findIndex((one) => one.instanceId === instanceId);
    const count = images[first]?.frameCount ?? 1;
    return first < 0 ? state : look({ asFrames: true, index: first + Math.min(Math.max(0, frame), count - 1) })(state);
  };
}

/** Plays the video whose frames are shown. */
export function playVideo(): Change {
  return (state) => ({ ...look({ asFrames: false })(state), cine: { ...state.cine, isPlaying: false } });
}

/** Turns to the first image of an instance; so a video is chosen, too. */
export function showInstance(instanceId: string): Change {
  return (state) => {
    const images = stackIn(state, activePane(state))?.images ?? [];
    const index = images.findIndex((one) => one.instanceId === instanceId);
    return index < 0 ? state : look({ index })(state);
  };
}

function look(change: Partial<Look>): Change {
  return (state) => changePane(activePane(state).id, (pane) => ({ ...pane, look: { ...pane.look, ...change } }))(state);
}
