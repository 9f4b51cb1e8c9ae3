/** Frames that a reader wants to be found again, and why. */

import type { ImageFacts } from "./facts";

export interface KeyImage {
  readonly id: string;
  readonly version: number;
  readonly note: string;
  readonly seriesId: string;
  readonly instanceId: string;
  readonly frame: number;
  readonly seriesNumber: number | null;
  readonly instanceNumber: number | null;
}

export type KeyImages = readonly KeyImage[];

/** Whether a picture is one; what is reformatted is none. */
export function keyImageOf(images: KeyImages, facts: ImageFacts | undefined): KeyImage | undefined {
  return facts === undefined || facts.reformatted !== undefined
    ? undefined
    : images.find(({ instanceId, frame }) => instanceId === facts.instanceId && frame === facts.frame);
}
