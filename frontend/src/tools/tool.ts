/** What every tool works on, and what a drag is. */

import { hungView } from "../core/hanging";
import type { Extent, Point, View } from "../core/view";
import { extentOf, type Viewport } from "../render/viewport";
import { activeImage, activeLook } from "../state/changes";
import { activePane } from "../state/panes";
import type { Store } from "../state/store";

/** The store, and the viewport of the pane that is active at the moment of asking: do not keep it. */
export interface Instrument {
  readonly store: Store;
  readonly viewport: Viewport;
}

/** A drag under way; it is told the whole way from its start, in CSS px. */
export type Drag = (dx: number, dy: number) => void;

/** Begins a drag at a canvas point, or does nothing when there is no picture. */
export type Tool = (instrument: Instrument, at: Point) => Drag;

export const NO_DRAG: Drag = () => undefined;

export interface Sight {
  readonly extent: Extent;
  readonly view: View;
}

/** How the picture lies by the state, which may be a frame ahead of the screen; null without a picture. */
export function sightOf({ store, viewport }: Instrument): Sight | null {
  const facts = activeImage(store.state);
  if (facts === undefined || viewport.shown === null) {
    return null;
  }
  const extent = extentOf(facts);
  const { view, isFitted } = activeLook(store.state);
  if (view !== null && !isFitted) {
    return { extent, view };
  }
  // What the screen shows may be a frame old, but only it knows the scale that hung panes share.
  const { hang } = activePane(store.state);
  const hung = hungView(facts, extent, viewport.size, hang, view, null);
  const { facts: before, view: seen } = viewport.shown;
  const isTurnedSo = seen.rotationDeg === hung.rotationDeg && seen.mirrored === hung.mirrored;
  const isShared = hang !== null && hang.group !== "" && isTurnedSo && isSameExtent(extentOf(before), extent);
  return { extent, view: isShared ? seen : hung };
}

function isSameExtent(one: Extent, other: Extent): boolean {
  return one.width === other.width && one.height === other.height && one.pixelAspect === other.pixelAspect;
}
