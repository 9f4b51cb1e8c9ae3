/** What draws a finished picture. Two kinds: the engine's WebGL, and the browser's plain canvas. */

import type { Extent, Size, View } from "../core/view";

/** Grey levels or colours as they are to be seen; one byte a sample, one or three samples a pixel. */
export interface Picture extends Extent {
  readonly samples: Uint8Array;
  readonly components: 1 | 3;
  /** Writes the picture as a canvas' opaque pixels, where that is quicker than by the samples. */
  paint?(words: Uint32Array): void;
}

export interface Surface {
  readonly kind: "webgl" | "canvas";
  /** Draws now or in the next animation frame, and leaves nothing of the picture before. */
  draw(picture: Picture, view: View, smooth: boolean): void;
  /** Leaves black. */
  clear(): void;
  resize(size: Size): void;
  /** The canvas that carries what was drawn. */
  readonly canvas: HTMLCanvasElement;
  dispose(): void;
}
