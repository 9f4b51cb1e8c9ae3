/**
 * A window from the pixels, as `imaging.automatic_window` finds it; both are held to
 * `tests/golden/automatic_window.json`. To be applied as LINEAR_EXACT.
 */

import { modalityCurve } from "./display";
import type { ImageFacts, Pixels, Window } from "./facts";

/** Where a window begins and ends among the values that count, from 0 to 100. */
export type Percentiles = readonly [number, number];

export const AUTOMATIC: Percentiles = [0.5, 99.5];
const MOST_SAMPLES = 262_144;
const BINS = 64;
const PEAK_SHARE = 0.2;
const FOOT_SHARE = 0.1;
const LEAST_LEFT = 0.05;

export function percentileWindow(pixels: Pixels, facts: ImageFacts, percentiles: Percentiles = AUTOMATIC): Window {
  const values = withoutBackground(countedValues(pixels, facts).sort());
  return values.length === 0 ? { center: 0.5, width: 1 } : windowOver(values, percentiles);
}

/** Column and row of two opposite corners; the centre of the first pixel is 0. */
export type Rectangle = readonly [number, number, number, number];

/**
 * The window over a rectangle, null when nothing counts in it. Pixels count whose centres lie
 * within or on its edge; the reader chose it, so all in it counts but padding: a background, too.
 */
export function autoWindowOf(
  pixels: Pixels,
  facts: ImageFacts,
  region: Rectangle,
  percentiles: Percentiles = AUTOMATIC,
): Window | null {
  const values = thinned(valuesOf(inside(pixels, facts, region), facts)).sort();
  return values.length === 0 ? null : windowOver(values, percentiles);
}

function inside(pixels: Pixels, facts: ImageFacts, region: Rectangle): Pixels {
  const [left, right] = [Math.min(region[0], region[2]), Math.max(region[0], region[2])];
  const [top, bottom] = [Math.min(region[1], region[3]), Math.max(region[1], region[3])];
  const [first, last] = [Math.max(0, Math.ceil(left)), Math.min(facts.columns - 1, Math.floor(right))];
  const [firstRow, lastRow] = [Math.max(0, Math.ceil(top)), Math.min(facts.rows - 1, Math.floor(bottom))];
  const width = Math.max(0, last - first + 1);
  const kept = new Float64Array(width * Math.max(0, lastRow - firstRow + 1));
  for (let row = firstRow; row <= lastRow && width > 0; row += 1) {
    const at = row * facts.columns;
    kept.set(pixels.subarray(at + first, at + last + 1), (row - firstRow) * width);
  }
  return kept;
}

/** The values are sorted and not none. */
function windowOver(values: Float64Array, percentiles: Percentiles): Window {
  let [low, high] = [percentile(values, percentiles[0]), percentile(values, percentiles[1])];
  if (high <= low) {
    [low, high] = [values[0] as number, values[values.length - 1] as number];
  }
  return { center: (low + high) / 2, width: high > low ? high - low : 1 };
}

/** Finite values after the modality step, without padding, thinned out when there are many. */
export function countedValues(pixels: Pixels, facts: ImageFacts): Float64Array {
  const counted = valuesOf(pixels, facts);
  return thinned(counted.length > 0 ? counted : valuesOf(pixels, { ...facts, pixelPaddingValue: null }));
}

/** Finite values after the modality step, without padding and without those that a palette makes colours. */
function valuesOf(pixels: Pixels, facts: ImageFacts): Float64Array {
  const modality = modalityCurve(facts);
  const { supplement } = facts;
  const grey = supplement === null ? pixels : Float64Array.from(pixels).filter((stored) => stored < supplement.first);
  const all = Float64Array.from(grey, (stored) => modality(stored)).filter(Number.isFinite);
  const padding = paddingRange(facts);
  return padding === null ? all : all.filter((value) => value < padding[0] || value > padding[1]);
}

function thinned(values: Float64Array): Float64Array {
  const step = Math.max(1, Math.floor(values.length / MOST_SAMPLES));
  return step === 1 ? values : values.filter((_value, i) => i % step === 0);
}

/** Leaves a dominating peak at either end out, down to its foot; the values are sorted. */
function withoutBackground(sorted: Float64Array): Float64Array {
  if (sorted.length === 0) {
    return sorted;
  }
  const [low, high] = [percentile(sorted, 0.1), percentile(sorted, 99.9)];
  if (!(high > low) || !Number.isFinite(high - low)) {
    return sorted;
  }
  const binOf = (value: number): number => Math.min(BINS - 1, Math.max(0, Math.floor(((value - low) / (high - low)) * BINS)));
  const counts = new Uint32Array(BINS);
  sorted.forEach((value) => {
    counts[binOf(value)] = (counts[binOf(value)] as number) + 1;
  });
  const peak = counts.indexOf(Math.max(...counts));
  const most = counts[peak] as number;
  const isMiddle = peak >= BINS / 4 && peak < BINS - BINS / 4;
  if (isMiddle || most < PEAK_SHARE * sorted.length) {
    return sorted;
  }
  const step = peak < BINS / 4 ? 1 : -1;
  let foot = peak;
  while (counts[foot + step] !== undefined && (counts[foot + step] as number) >= FOOT_SHARE * most) {
    foot += step;
  }
  const kept = sorted.filter((value) => (step === 1 ? binOf(value) > foot : binOf(value) < foot));
  return sorted.length - kept.length > (1 - LEAST_LEFT) * sorted.length ? sorted : kept;
}

/** What stands for "no pixel", after the modality step. */
function paddingRange(facts: ImageFacts): readonly [number, number] | null {
  const value = facts.pixelPaddingValue;
  if (value === null) {
    return null;
  }
  const modality = modalityCurve(facts);
  const ends = [modality(value), modality(facts.pixelPaddingRangeLimit ?? value)] as const;
  return [Math.min(...ends), Math.max(...ends)];
}

/** Between two sorted values, as numpy's `percentile`. */
function percentile(sorted: Float64Array, share: number): number {
  const at = ((sorted.length - 1) * share) / 100;
  const [below, above] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return below + (above - below) * (at - Math.floor(at));
}
