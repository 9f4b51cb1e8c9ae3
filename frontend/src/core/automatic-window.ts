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
  if (values.length === 0) {
    return { center: 0.5, width: 1 };
  }
  let [low, high] = [percentile(values, percentiles[0]), percentile(values, percentiles[1])];
  if (high <= low) {
    [low, high] = [values[0] as number, values[values.length - 1] as number];
  }
  return { center: (low + high) / 2, width: high > low ? high - low : 1 };
}

/** Finite values after the modality step, without padding, thinned out when there are many. */
export function countedValues(pixels: Pixels, facts: ImageFacts): Float64Array {
  const modality = modalityCurve(facts);
  const { supplement } = facts;
  const grey = supplement === null ? pixels : Float64Array.from(pixels).filter((stored) => stored < supplement.first);
  const all = Float64Array.from(grey, (stored) => modality(stored)).filter(Number.isFinite);
  const padding = paddingRange(facts);
  const kept = padding === null ? all : all.filter((value) => value < padding[0] || value > padding[1]);
  const counted = kept.length > 0 ? kept : all;
  if (counted.length <= MOST_SAMPLES) {
    return counted;
  }
  const step = Math.floor(counted.length / MOST_SAMPLES);
  return counted.filter((_value, i) => i % step === 0);
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
