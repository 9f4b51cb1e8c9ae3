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

const SAMPLES = 50_000;
const LOW_SHARE = 0.01;
const HIGH_SHARE = 0.99;

/**
 * A window from the pixels, for files that carry none: from the 1st to the 99th percentile of the
 * values after the modality step, padding left out.
 */
export function autoWindow(pixels: Pixels, facts: ImageFacts): Window {
  const modality = modalityCurve(facts);
  const step = Math.max(1, Math.floor(pixels.length / SAMPLES));
  const values: number[] = [];
  for (let i = 0; i < pixels.length; i += step) {
    const stored = pixels[i] as number;
    if (!isPadding(stored, facts) && Number.isFinite(stored)) {
      values.push(modality(stored));
    }
  }
  if (values.length === 0) {
    return { center: 0.5, width: 1 };
  }
  values.sort((a, b) => a - b);
  const low = values[Math.floor((values.length - 1) * LOW_SHARE)] as number;
  const high = values[Math.ceil((values.length - 1) * HIGH_SHARE)] as number;
  const unit = isWhole(facts) ? 1 : Number.EPSILON;
  const width = Math.max(high - low, unit);
  return { center: low + width / 2, width };
}

export function isPadding(stored: number, facts: ImageFacts): boolean {
  const value = facts.pixelPaddingValue;
  if (value === null) {
    return false;
  }
  const limit = facts.pixelPaddingRangeLimit ?? value;
  return stored >= Math.min(value, limit) && stored <= Math.max(value, limit);
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
