/** Tissue by its values: ranges that are often wanted, and which pixels of a picture lie in one. */

import { modalityCurve, paddingTest } from "./display";
import type { ImageFacts, Pixels } from "./facts";

/** In modality units, both included. */
export interface TissueRange {
  readonly lowest: number;
  readonly highest: number;
}

/** As the server has them, `imaging/segmentation_writer.py`. */
export const PROPERTIES = ["bone", "soft_tissue", "fat", "muscle", "lung", "air", "vessel", "tumour", "tissue"] as const;
export type Property = (typeof PROPERTIES)[number];

export interface TissuePreset extends TissueRange {
  readonly property: Property;
}

/** In Hounsfield units alone; as high as there are values where nothing bounds it. */
export const HU_PRESETS: readonly TissuePreset[] = [
  { property: "bone", lowest: 226, highest: 3071 },
  { property: "soft_tissue", lowest: -30, highest: 100 },
  { property: "fat", lowest: -190, highest: -30 },
  { property: "lung", lowest: -950, highest: -500 },
  { property: "air", lowest: -1100, highest: -900 },
];

/** 0 where a pixel lies out of the range, is padding or has no number, else 1. */
export function pixelsInRange(pixels: Pixels, facts: ImageFacts, { lowest, highest }: TissueRange): Uint8Array {
  const curve = modalityCurve(facts);
  const isPadding = paddingTest(facts);
  const found = new Uint8Array(facts.columns * facts.rows);
  for (let at = 0; at < found.length; at += 1) {
    const stored = pixels[at] as number;
    const value = curve(stored);
    found[at] = value >= lowest && value <= highest && !isPadding(stored) ? 1 : 0;
  }
  return found;
}

/** Four bytes a pixel: the colour where something is found, nothing elsewhere. */
export function paintFound(found: Uint8Array, [red, green, blue]: readonly [number, number, number], alpha: number): Uint8ClampedArray<ArrayBuffer> {
  const painted = new Uint8ClampedArray(4 * found.length);
  for (let at = 0; at < found.length; at += 1) {
    if (found[at] === 1) {
      painted[4 * at] = red;
      painted[4 * at + 1] = green;
      painted[4 * at + 2] = blue;
      painted[4 * at + 3] = alpha;
    }
  }
  return painted;
}
