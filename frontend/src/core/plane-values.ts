/** How the stored values of a volume's slices become those of a plane, as `reconstruction.assembly` keeps them. */

import type { ImageFacts, Pixels } from "./facts";

export interface PlaneValues {
  /** For each slice: what a stored value is multiplied by, and what is added; null: the same for all. */
  readonly perSlice: { readonly slopes: Float64Array; readonly intercepts: Float64Array } | null;
  /** Applied to what was interpolated. */
  readonly slope: number;
  readonly intercept: number;
  readonly isRounded: boolean;
  readonly pixelFormat: "i16" | "i32" | "f32";
  /** From the plane's numbers to modality values. */
  readonly rescaleSlope: number;
  readonly rescaleIntercept: number;
}

type Graded = Pick<ImageFacts, "rescaleSlope" | "rescaleIntercept" | "pixelFormat" | "bitsStored">;

/**
 * One whole-numbered rescale for all slices: modality values. One slope of another kind: stored values
 * beside it. Slopes that differ from slice to slice: modality values as real numbers.
 */
export function valuesOf(slices: readonly Graded[]): PlaneValues {
  const [first] = slices;
  const [slope, intercept] = [first?.rescaleSlope ?? 1, first?.rescaleIntercept ?? 0];
  const isUniform = slices.every((one) => one.rescaleSlope === slope && one.rescaleIntercept === intercept);
  const isReal = slices.some(({ pixelFormat }) => pixelFormat === "f32" || pixelFormat === "f64");
  if (!isUniform || isReal) {
    const slopes = Float64Array.from(slices, (one) => one.rescaleSlope);
    const intercepts = Float64Array.from(slices, (one) => one.rescaleIntercept);
    return { perSlice: { slopes, intercepts }, slope: 1, intercept: 0, isRounded: false, pixelFormat: "f32", rescaleSlope: 1, rescaleIntercept: 0 };
  }
  const ends = slices.flatMap((one) => rangeOf(one));
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const isWhole = Number.isInteger(slope) && Number.isInteger(intercept);
  const [by, plus] = isWhole ? [slope, intercept] : [1, 0];
  const isNarrow = [low, high].every((end) => end * by + plus >= -32768 && end * by + plus <= 32767);
  const rescale = isWhole ? { rescaleSlope: 1, rescaleIntercept: 0 } : { rescaleSlope: slope, rescaleIntercept: intercept };
  return { perSlice: null, slope: by, intercept: plus, isRounded: true, pixelFormat: isNarrow ? "i16" : "i32", ...rescale };
}

const SIGNED = new Set<ImageFacts["pixelFormat"]>(["i8", "i16", "i32"]);
const BITS: Partial<Record<ImageFacts["pixelFormat"], number>> = { u8: 8, i8: 8, u16: 16, i16: 16, u32: 32, i32: 32 };

/** The lowest and the highest value that the stored bits can tell. */
function rangeOf({ pixelFormat, bitsStored }: Graded): [number, number] {
  const bits = Math.min(bitsStored, BITS[pixelFormat] ?? 16);
  return SIGNED.has(pixelFormat) ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
}

export function makePixels({ pixelFormat }: PlaneValues, count: number): Int16Array | Int32Array | Float32Array {
  switch (pixelFormat) {
    case "i16":
      return new Int16Array(count);
    case "i32":
      return new Int32Array(count);
    case "f32":
      return new Float32Array(count);
  }
}

const lowest = new WeakMap<Pixels, number>();

/** The least of a slice's stored values; found once. */
export function lowestOf(pixels: Pixels): number {
  const known = lowest.get(pixels);
  if (known !== undefined) {
    return known;
  }
  let low = Number.POSITIVE_INFINITY;
  for (let i = 0; i < pixels.length; i += 1) {
    const value = pixels[i] as number;
    low = value < low ? value : low;
  }
  lowest.set(pixels, low);
  return low;
}

/** The most of a slice's stored values; found once, for a negative slope. */
const highest = new WeakMap<Pixels, number>();

export function highestOf(pixels: Pixels): number {
  const known = highest.get(pixels);
  if (known !== undefined) {
    return known;
  }
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < pixels.length; i += 1) {
    const value = pixels[i] as number;
    high = value > high ? value : high;
  }
  highest.set(pixels, high);
  return high;
}
