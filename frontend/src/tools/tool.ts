/** What every tool works on, and what a drag is. */

import { fitView, type Extent, type Point, type View } from "../core/view";
import { extentOf, type Viewport } from "../render/viewport";
import { activeImage, activeLook } from "../state/changes";
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
  // A fitted picture lies as its pane hangs it; one of the same size lies just so.
  const before = extentOf(viewport.shown.facts);
  const isAlike = before.width === extent.width && before.height === extent.height && before.pixelAspect === extent.pixelAspect;
  return { extent, view: isAlike ? viewport.shown.view : fitView(extent, viewport.size, view ?? undefined) };
}
