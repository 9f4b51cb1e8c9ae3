/**
 * Stored values to grey levels, the same as `imaging.lut` in Python: modality LUT, VOI LUT or
 * window, presentation (PS3.3 C.11.1, C.11.2; PS3.4 N.2). Both are held to one golden file.
 */

import { greyToRgb } from "./shutters";
import type { ImageFacts, LookupTable, Pixels, VoiFunction } from "./facts";

/** How one image is turned into grey: a window with its function, or a table from the file. */
export interface Voi {
  readonly center: number;
  readonly width: number;
  readonly function: VoiFunction;
  readonly table: LookupTable | null;
}

type Curve = (value: number) => number;

const WHITE = 255;

/** The output after the modality step, for one stored value. */
export function modalityCurve(facts: ImageFacts): Curve {
  const table = facts.modalityLut;
  if (table !== null && table.entries.length > 0) {
    return (value) => lookUp(table, value);
  }
  const { rescaleSlope, rescaleIntercept } = facts;
  return (value) => value * rescaleSlope + rescaleIntercept;
}

/** Grey between 0 and 255, not rounded, for a value after the modality step. */
export function voiCurve(voi: Voi): Curve {
  const { table } = voi;
  if (table !== null && table.entries.length > 0) {
    const top = 2 ** table.bits - 1;
    return (value) => (lookUp(table, value) / top) * WHITE;
  }
  if (voi.function === "SIGMOID") {
    return (value) => WHITE / (1 + Math.exp((-4 * (value - voi.center)) / voi.width));
  }
  return voi.function === "LINEAR_EXACT" ? linearExact(voi) : linear(voi);
}

function linear({ center, width }: Voi): Curve {
  if (width <= 1) {
    return (value) => (value <= center - 0.5 ? 0 : WHITE);
  }
  const middle = center - 0.5;
  const half = (width - 1) / 2;
  return (value) => {
    if (value <= middle - half) {
      return 0;
    }
    return value > middle + half ? WHITE : ((value - middle) / (width - 1) + 0.5) * WHITE;
  };
}

function linearExact({ center, width }: Voi): Curve {
  const half = width / 2;
  return (value) => {
    if (value <= center - half) {
      return 0;
    }
    return value > center + half ? WHITE : ((value - center) / width + 0.5) * WHITE;
  };
}

function lookUp(table: LookupTable, value: number): number {
  const last = table.entries.length - 1;
  const at = Math.min(Math.max(roundHalfEven(value) - table.first, 0), last);
  return table.entries[at] ?? 0;
}

/** As numpy's `rint`. */
function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/**
 * Does low mean bright here? MONOCHROME1 says so, and INVERSE says the same once more
 * (PS3.3 C.8.11.3.1.2); the reader may turn it.
 */
export function isInverse(facts: ImageFacts, invert: boolean): boolean {
  if (facts.presentationLut !== null) {
    return invert;
  }
  const byFile = facts.photometricInterpretation === "MONOCHROME1" || facts.presentationLutShape === "INVERSE";
  return byFile !== invert;
}

/** Whole-number stored values have few enough levels for a table; the others are computed one by one. */
const WHOLE_NUMBERS: ReadonlySet<ImageFacts["pixelFormat"]> = new Set(["u8", "i8", "u16", "i16"]);

/** Grey levels 0..255 for a grey frame, in the order of its pixels. */
export function renderGrey(pixels: Pixels, facts: ImageFacts, voi: Voi, invert: boolean): Uint8Array {
  const grey = new Uint8Array(pixels.length);
  const levels = levelsOf(facts, voi, invert);
  if (levels !== null) {
    levels.fill(pixels, grey);
    return grey;
  }
  const curve = greyCurve(facts, voi, invert);
  for (let i = 0; i < pixels.length; i += 1) {
    grey[i] = curve(pixels[i] ?? 0);
  }
  return grey;
}

/** The same as opaque pixels of a canvas, R, G, B, A in the order of bytes, without a step between. */
export function paintGreyPixels(pixels: Pixels, facts: ImageFacts, voi: Voi, invert: boolean, out: Uint32Array): void {
  const levels = levelsOf(facts, voi, invert);
  if (levels !== null) {
    levels.paint(pixels, out);
    return;
  }
  const curve = greyCurve(facts, voi, invert);
  for (let i = 0; i < pixels.length; i += 1) {
    out[i] = opaque(curve(pixels[i] ?? 0));
  }
}

function opaque(grey: number): number {
  return 0xff000000 | (grey * 0x010101);
}

/** The greys of the whole-number values that have come up so far. */
class GreyLevels {
  private low = 0;
  private greys = new Uint8Array(0);
  private words = new Uint32Array(0);

  constructor(private readonly curve: Curve) {}

  fill(pixels: Pixels, out: Uint8Array): void {
    if (!this.copy(pixels, this.greys, out)) {
      this.grow(pixels);
      this.copy(pixels, this.greys, out);
    }
  }

  paint(pixels: Pixels, out: Uint32Array): void {
    if (!this.copy(pixels, this.words, out)) {
      this.grow(pixels);
      this.copy(pixels, this.words, out);
    }
  }

  /** False when a value came up that has no entry yet. */
  private copy(pixels: Pixels, table: Uint8Array | Uint32Array, out: Uint8Array | Uint32Array): boolean {
    const { low } = this;
    const { length } = table;
    for (let i = 0; i < pixels.length; i += 1) {
      const at = (pixels[i] as number) - low;
      if (at < 0 || at >= length) {
        return false;
      }
      out[i] = table[at] as number;
    }
    return true;
  }

  private grow(pixels: Pixels): void {
    let [low, high] = usedRange(pixels);
    if (this.greys.length > 0) {
      low = Math.min(low, this.low);
      high = Math.max(high, this.low + this.greys.length - 1);
    }
    this.low = low;
    this.greys = Uint8Array.from({ length: high - low + 1 }, (_, at) => this.curve(low + at));
    this.words = Uint32Array.from(this.greys, opaque);
  }
}

/** Neighbours of a stack are seen through the same levels; so many windows are kept. */
const MOST_LEVELS = 4;
const knownLevels = new Map<string, GreyLevels>();

/** Levels for a kind of pixels with few enough values for a table, or null. */
function levelsOf(facts: ImageFacts, voi: Voi, invert: boolean): GreyLevels | null {
  if (!WHOLE_NUMBERS.has(facts.pixelFormat)) {
    return null;
  }
  if (facts.modalityLut !== null || facts.presentationLut !== null || voi.table !== null) {
    return new GreyLevels(greyCurve(facts, voi, invert));
  }
  const key = [
    ...[facts.pixelFormat, facts.bitsStored, facts.rescaleSlope, facts.rescaleIntercept],
    ...[facts.presentationLutShape, facts.photometricInterpretation],
    ...[facts.pixelPaddingValue, facts.pixelPaddingRangeLimit],
    ...[voi.center, voi.width, voi.function, invert],
  ].join();
  let levels = knownLevels.get(key);
  if (levels === undefined) {
    levels = new GreyLevels(greyCurve(facts, voi, invert));
    for (const oldest of knownLevels.keys()) {
      if (knownLevels.size >= MOST_LEVELS) {
        knownLevels.delete(oldest);
      }
    }
    knownLevels.set(key, levels);
  }
  return levels;
}

/** One stored value to its grey level: the whole pipeline. One bit is black or white. */
export function greyCurve(facts: ImageFacts, voi: Voi, invert: boolean): Curve {
  const isBinary = facts.pixelFormat === "u8" && facts.bitsStored === 1;
  const modality = isBinary ? (value: number) => value : modalityCurve(facts);
  const grey = isBinary ? (value: number) => (value === 0 ? 0 : WHITE) : voiCurve(voi);
  const inverse = isInverse(facts, invert) && !(isBinary && !invert);
  const presentation = presentationCurve(facts);
  const isPadding = isBinary ? (): boolean => false : paddingTest(facts);
  return (stored) => {
    if (isPadding(stored)) {
      return 0;
    }
    const value = roundGrey(presentation(grey(modality(stored))));
    return inverse ? WHITE - value : value;
  };
}

/** The presentation LUT (PS3.3 C.11.6): its output are P-values, nothing is inverted behind it. */
function presentationCurve(facts: ImageFacts): Curve {
  const table = facts.presentationLut;
  if (table === null) {
    return (grey) => grey;
  }
  const top = 2 ** table.bits - 1;
  const steps = (table.entries.length - 1) / WHITE;
  return (grey) => (lookUp(table, Math.min(WHITE, Math.max(0, grey)) * steps + table.first) / top) * WHITE;
}

/** Stored values that stand for "no pixel": black whatever is inverted (PS3.3 C.7.5.1.1.2). */
export function paddingTest(facts: ImageFacts): (stored: number) => boolean {
  const value = facts.pixelPaddingValue;
  if (value === null) {
    return Number.isNaN;
  }
  const limit = facts.pixelPaddingRangeLimit ?? value;
  const [low, high] = [Math.min(value, limit), Math.max(value, limit)];
  return (stored) => (stored >= low && stored <= high) || Number.isNaN(stored);
}

function roundGrey(value: number): number {
  return Number.isNaN(value) ? 0 : Math.min(WHITE, Math.max(0, Math.floor(value + 0.5)));
}

function usedRange(pixels: Pixels): readonly [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < pixels.length; i += 1) {
    const value = pixels[i] as number;
    if (value < low) {
      low = value;
    }
    if (value > high) {
      high = value;
    }
  }
  return [low, high];
}

/** Whether a picture has colours that no window makes: an RGB frame, or a palette over its grey. */
export function hasOwnColours(facts: ImageFacts): boolean {
  return facts.pixelFormat === "rgb8" || facts.supplement !== null;
}

/** The samples of a picture with colours of its own, before filters and inversion. */
export function ownColours(pixels: Pixels, facts: ImageFacts, voi: Voi): Uint8Array {
  const { supplement } = facts;
  if (supplement === null) {
    return pixels as Uint8Array;
  }
  const rgb = greyToRgb(renderGrey(pixels, facts, voi, false));
  const isPadding = paddingTest(facts);
  const last = supplement.rgb.length / 3 - 1;
  for (let i = 0; i < pixels.length; i += 1) {
    const stored = pixels[i] as number;
    if (stored >= supplement.first && !isPadding(stored)) {
      const entry = Math.min(stored - supplement.first, last) * 3;
      rgb.set(supplement.rgb.subarray(entry, entry + 3), i * 3);
    }
  }
  return rgb;
}

/** A colour frame is shown as it is; inverting turns each channel. */
export function renderColour(pixels: Uint8Array, invert: boolean): Uint8Array {
  return invert ? pixels.map((value) => WHITE - value) : pixels;
}
