/** Windows: presets by modality, the automatic window, the reader's drag. */

import { modalityCurve } from "./display";
import type { ImageFacts, Pixels, Window } from "./facts";

export interface Preset extends Window {
  readonly name: string;
}

const CT_PRESETS: readonly Preset[] = [
  { name: "Lung", center: -600, width: 1500 },
  { name: "Bone", center: 500, width: 2000 },
  { name: "Brain", center: 40, width: 80 },
  { name: "Stroke", center: 35, width: 40 },
  { name: "Mediastinum", center: 50, width: 350 },
  { name: "Abdomen", center: 50, width: 400 },
  { name: "Liver", center: 90, width: 150 },
  { name: "Angio", center: 300, width: 700 },
  { name: "Subdural", center: 75, width: 215 },
];

/** Presets that mean something for this modality; only CT has units that all scanners share. */
export function presetsFor(modality: string): readonly Preset[] {
  return modality === "CT" ? CT_PRESETS : [];
}

const MOST_SAMPLES = 262_144;
const LOW_SHARE = 0.005;
const HIGH_SHARE = 0.995;

/**
 * A window from the pixels, for files that carry none: between the 0.5th and 99.5th percentile of
 * the values after the modality step, padding left out; to be applied as LINEAR_EXACT. The same as
 * `imaging.lut.automatic_window`.
 */
export function autoWindow(pixels: Pixels, facts: ImageFacts): Window {
  const values = countedValues(pixels, facts);
  if (values.length === 0) {
    return { center: 0.5, width: 1 };
  }
  values.sort();
  let [low, high] = [percentile(values, LOW_SHARE), percentile(values, HIGH_SHARE)];
  if (high <= low) {
    [low, high] = [values[0] as number, values[values.length - 1] as number];
  }
  return { center: (low + high) / 2, width: high > low ? high - low : 1 };
}

/** Finite values after the modality step, without padding, thinned out when there are many. */
function countedValues(pixels: Pixels, facts: ImageFacts): Float64Array {
  const modality = modalityCurve(facts);
  const all = Float64Array.from(pixels, (stored) => modality(stored)).filter(Number.isFinite);
  const padding = paddingRange(facts);
  const kept = padding === null ? all : all.filter((value) => value < padding[0] || value > padding[1]);
  const counted = kept.length > 0 ? kept : all;
  if (counted.length <= MOST_SAMPLES) {
    return counted;
  }
  const step = Math.floor(counted.length / MOST_SAMPLES);
  return counted.filter((_value, i) => i % step === 0);
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
  const at = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(at)] as number, sorted[Math.ceil(at)] as number];
  return below + (above - below) * (at - Math.floor(at));
}

function isWhole(facts: ImageFacts): boolean {
  return facts.pixelFormat !== "f32" && facts.pixelFormat !== "f64" && facts.rescaleSlope >= 1;
}

/** The window after a drag: right widens, down raises the level (darker), at a pace that fits the width. */
export function dragWindow(start: Window, dxPx: number, dyPx: number, whole: boolean): Window {
  const pace = Math.max(start.width, 1e-12) / 300;
  const width = start.width + dxPx * Math.max(pace, whole ? 0.25 : 0);
  const center = start.center + dyPx * Math.max(pace, whole ? 0.25 : 0);
  if (!whole) {
    return { center, width: Math.max(width, 1e-9) };
  }
  return { center: Math.round(center), width: Math.max(1, Math.round(width)) };
}

export function usesWholeNumbers(window: Window, facts: ImageFacts): boolean {
  return isWhole(facts) && window.width >= 20;
}
