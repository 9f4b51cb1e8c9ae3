/** What every tool works on, and what a drag is. */

import type { Point } from "../core/view";
import type { Viewport } from "../render/viewport";
import type { Store } from "../state/store";

export interface Instrument {
  readonly store: Store;
  readonly viewport: Viewport;
}

/** A drag under way; it is told the whole way from its start, in CSS px. */
export type Drag = (dx: number, dy: number) => void;

/** Begins a drag at a canvas point, or does nothing when there is no picture. */
export type Tool = (instrument: Instrument, at: Point) => Drag;

export const NO_DRAG: Drag = () => undefined;
