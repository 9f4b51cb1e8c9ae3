/**
 * How a picture is asked of the server, which then draws it, and what will be true of it: for machines
 * that are too weak for the pixels themselves.
 */

import type { ImageFacts, Window } from "./facts";
import type { Filter } from "./enhance";
import type { Preset } from "./presets";
import { resolveVoi, type ResolvedVoi, type WindowChoice } from "./voi";

/** What of a reader's look the server draws. */
export interface Wish {
  readonly window: WindowChoice;
  readonly invert: boolean;
  readonly filters: readonly Filter[];
  readonly colourMap: string;
  readonly hasOverlays: boolean;
  readonly hasShutter: boolean;
}

/** The window was found by the server in the pixels: its numbers are not known here. */
const UNKNOWN: Window = { center: Number.NaN, width: Number.NaN };

/** The window that the server's picture will have. */
export function voiOf(facts: ImageFacts, choice: WindowChoice): ResolvedVoi {
  const voi = resolveVoi(facts, choice, () => UNKNOWN);
  return choice.kind === "manual" || choice.kind === "stated" ? { ...voi, function: "LINEAR" } : voi;
}

/** The question's parameters, in an order of their own, so that equal wishes are equal words. */
export function queryOf(facts: ImageFacts, wish: Wish, presets: readonly Preset[], isLossy: boolean): string {
  const parts = [...levelOf(facts, wish.window, presets)];
  if (wish.invert) {
    parts.push("invert=1");
  }
  if (wish.filters.length > 0) {
    parts.push(`enhance=${wish.filters.map(({ name, strength }) => `${name}:${strength}`).join(",")}`);
  }
  if (wish.colourMap !== "" && facts.pixelFormat !== "rgb8") {
    parts.push(`colormap=${wish.colourMap}`);
  }
  if (!wish.hasOverlays) {
    parts.push("overlays=0");
  }
  if (!wish.hasShutter) {
    parts.push("shutter=0");
  }
  return `rendered.${isLossy ? "jpg" : "png"}${parts.length > 0 ? `?${parts.join("&")}` : ""}`;
}

function levelOf(facts: ImageFacts, choice: WindowChoice, presets: readonly Preset[]): string[] {
  if (facts.pixelFormat === "rgb8" || choice.kind === "filed" || (choice.kind === "table" && choice.index === 0)) {
    return [];
  }
  if (choice.kind === "relative") {
    const preset = presets.find(({ label }) => label === choice.name);
    return preset === undefined ? ["window=auto"] : [`preset=${encodeURIComponent(preset.code)}`];
  }
  const { center, width, table } = voiOf(facts, choice);
  if (table !== null) {
    return [];
  }
  return [Number.isFinite(center) ? `window=${plain(center)},${plain(width)}` : "window=auto"];
}

/** As the server reads numbers: few digits, and no window narrower than 1. */
function plain(value: number): string {
  return `${Math.round(value * 1000) / 1000}`;
}

/** Where a drag begins when the window is not known: all values that the image may have. */
export function nominalWindow({ bitsStored, rescaleSlope, rescaleIntercept, pixelFormat }: ImageFacts): Window {
  const width = 2 ** bitsStored * Math.abs(rescaleSlope);
  const middle = pixelFormat.startsWith("i") ? 0 : 2 ** (bitsStored - 1);
  return { center: middle * rescaleSlope + rescaleIntercept, width };
}
