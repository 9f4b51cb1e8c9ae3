/** How a volume's values become colours and opacities, or a projection; and how the server is asked for it. */

import type { Triple } from "./facts";
import type { BodyCamera } from "./body-view";
import type { Size } from "./view";

export const BODY_MODES = ["composite", "mip", "minip", "average"] as const;
export type BodyMode = (typeof BODY_MODES)[number];

/** `opacity` (0 to 1) of 1 mm of tissue of this value. */
export interface TransferPoint {
  readonly value: number;
  readonly opacity: number;
  /** "rrggbb". */
  readonly colour: string;
}

export interface Rendering {
  readonly code: string;
  readonly label: string;
  readonly mode: BodyMode;
  readonly points: readonly TransferPoint[];
  readonly isShaded: boolean;
  /** For projections. */
  readonly window: BodyWindow | null;
}

export interface BodyWindow {
  readonly center: number;
  readonly width: number;
}

/** What the server says of a series as a body. */
export interface BodyOffer {
  readonly renderings: readonly Rendering[];
  /** Why presets in HU are missing; empty when they are not, or nobody would expect them. */
  readonly whyNot: string;
  /** Ambient, diffuse, specular. */
  readonly shade: Triple;
  readonly histogram: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
  readonly corners: readonly Triple[];
  readonly spacingMm: Triple;
  readonly isEven: boolean;
  readonly frameOfReferenceUid: string;
}

/** What is kept of the body along the patient's axes, lps: lowest and highest x, y, z. */
export interface ClipBox {
  readonly low: Triple;
  readonly high: Triple;
}

export interface BodyLook {
  /** Code of the preset that it began as. */
  readonly preset: string;
  readonly mode: BodyMode;
  readonly points: readonly TransferPoint[];
  readonly isShaded: boolean;
  readonly window: BodyWindow;
  /** null: all of it. */
  readonly clip: ClipBox | null;
}

export function lookOf(rendering: Rendering, clip: ClipBox | null): BodyLook {
  const { code, mode, points, isShaded } = rendering;
  return { preset: code, mode, points, isShaded, window: rendering.window ?? { center: 0, width: 1 }, clip };
}

export function boundsOf(corners: readonly Triple[]): ClipBox {
  const end = (pick: (...values: number[]) => number): Triple =>
    [0, 1, 2].map((n) => pick(...corners.map((corner) => corner[n] as number))) as unknown as Triple;
  return { low: end(Math.min), high: end(Math.max) };
}

/** Moves one side of the box; sides do not pass each other. */
export function moveSide(box: ClipBox, bounds: ClipBox, axis: 0 | 1 | 2, end: "low" | "high", value: number): ClipBox {
  const [least, most] = [bounds.low[axis], bounds.high[axis]];
  const other = end === "low" ? box.high[axis] : box.low[axis];
  const held = end === "low" ? Math.min(Math.max(value, least), other) : Math.max(Math.min(value, most), other);
  const changed = box[end].map((part, n) => (n === axis ? held : part)) as unknown as Triple;
  return { ...box, [end]: changed };
}

export function isWhole(box: ClipBox, bounds: ClipBox): boolean {
  return [0, 1, 2].every((n) => (box.low[n] as number) <= (bounds.low[n] as number) && (box.high[n] as number) >= (bounds.high[n] as number));
}

// --- the transfer function -----------------------------------------------------------------------
export const MOST_POINTS = 24;

/** Moves a point; values stay in order, and a point keeps its neighbours. */
export function movePoint(points: readonly TransferPoint[], index: number, value: number, opacity: number): TransferPoint[] {
  const [before, after] = [points[index - 1]?.value ?? -Infinity, points[index + 1]?.value ?? Infinity];
  return points.map((point, n) =>
    n !== index ? point : { ...point, value: Math.min(after, Math.max(before, value)), opacity: Math.min(1, Math.max(0, opacity)) },
  );
}

/** Puts a point where the line is pressed, in the colour that it has there. */
export function addPoint(points: readonly TransferPoint[], value: number, opacity: number): TransferPoint[] {
  if (points.length >= MOST_POINTS) {
    return [...points];
  }
  const [red, green, blue] = colourAt(points, value);
  const colour = [red, green, blue].map((part) => Math.round(part).toString(16).padStart(2, "0")).join("");
  const added = { value, opacity: Math.min(1, Math.max(0, opacity)), colour };
  return [...points, added].sort((one, other) => one.value - other.value);
}

export function removePoint(points: readonly TransferPoint[], index: number): TransferPoint[] {
  return points.length <= 2 ? [...points] : points.filter((_point, n) => n !== index);
}

/** The whole function some values up or down. */
export function shiftPoints(points: readonly TransferPoint[], by: number): TransferPoint[] {
  return points.map((point) => ({ ...point, value: point.value + by }));
}

export function colourParts(colour: string): Triple {
  const number = Number.parseInt(colour, 16) || 0;
  return [(number >> 16) & 255, (number >> 8) & 255, number & 255];
}

function colourAt(points: readonly TransferPoint[], value: number): Triple {
  return [0, 1, 2].map((n) => interpolate(points, value, (point) => colourParts(point.colour)[n] as number)) as unknown as Triple;
}

function interpolate(points: readonly TransferPoint[], value: number, pick: (point: TransferPoint) => number): number {
  const after = points.findIndex((point) => point.value > value);
  const [low, high] = [points[after < 0 ? points.length - 1 : Math.max(0, after - 1)], points[after < 0 ? points.length - 1 : after]];
  if (low === undefined || high === undefined) {
    return 0;
  }
  const width = high.value - low.value;
  const share = width > 0 ? Math.min(1, Math.max(0, (value - low.value) / width)) : 0;
  return pick(low) + (pick(high) - pick(low)) * share;
}

/** Entries of the table, as on the server. */
export const ENTRIES = 2048;

/**
 * The transfer function as a table (`imaging.rendering.table_of`): red, green, blue and the opacity of one
 * step, 0 to 1; with its first value and the entries for each value.
 */
export function tableOf(points: readonly TransferPoint[], stepMm: number): { table: Float32Array; low: number; rate: number } {
  const low = points[0]?.value ?? 0;
  const high = Math.max(points[points.length - 1]?.value ?? 1, low + 1e-6);
  const table = new Float32Array(ENTRIES * 4);
  for (let n = 0; n < ENTRIES; n += 1) {
    const value = low + ((high - low) * n) / (ENTRIES - 1);
    const [red, green, blue] = colourAt(points, value);
    const opacity = interpolate(points, value, (point) => point.opacity);
    table.set([red / 255, green / 255, blue / 255, 1 - (1 - opacity) ** stepMm], n * 4);
  }
  return { table, low, rate: (ENTRIES - 1) / (high - low) };
}

// --- asking the server ----------------------------------------------------------------------------
export interface BodyWish {
  readonly camera: BodyCamera;
  readonly look: BodyLook;
  /** CSS px of the picture. */
  readonly size: Size;
}

export type Quality = "draft" | "fine";

/** Drafts have so many pixels on their longer side at most; fine pictures as many as the server makes. */
const MOST_PX: Readonly<Record<Quality, number>> = { draft: 320, fine: 1024 };

/** `pixelRatio`: of the screen, physical px for a CSS px. */
export function bodyQuery({ camera, look, size }: BodyWish, quality: Quality, pixelRatio: number): string {
  const longer = Math.max(size.width, size.height, 1);
  const scale = Math.min(pixelRatio, MOST_PX[quality] / longer);
  const query = new URLSearchParams({
    quaternion: camera.turn.map((part) => round(part, 6)).join(","),
    center: camera.center.map((part) => round(part, 3)).join(","),
    width_mm: `${round(camera.mmPerPx * size.width, 4)}`,
    columns: `${Math.max(1, Math.round(size.width * scale))}`,
    rows: `${Math.max(1, Math.round(size.height * scale))}`,
    mode: look.mode,
    quality,
    format: "jpeg",
  });
  if (look.mode === "composite") {
    query.set("points", look.points.map(({ value, opacity, colour }) => `${round(value, 4)},${round(opacity, 4)},${colour}`).join(";"));
    query.set("shaded", `${look.isShaded}`);
  } else {
    query.set("window", `${round(look.window.center, 4)},${round(Math.max(1, look.window.width), 4)}`);
  }
  if (look.clip !== null) {
    const { low, high } = look.clip;
    query.set("clip", [0, 1, 2].map((n) => `${round(low[n] as number, 3)},${round(high[n] as number, 3)}`).join(","));
  }
  return query.toString();
}

/** Never in the form 1e-7: the server reads plain numbers too, and shorter ones are kept by more caches. */
function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

export function bodyEquals(one: BodyWish, other: BodyWish): boolean {
  return one.look === other.look && one.camera === other.camera && one.size === other.size;
}
