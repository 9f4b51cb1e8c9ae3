/**
 * A second series over a picture: cut on the picture's own plane, one value for each of its pixels, and
 * laid over it in colours. The picture below keeps its pixels. docs/fusion.md.
 */

import type { ImageFacts, Series, Stack } from "./facts";
import type { Values } from "./measure-roi";
import { lpsFromImage, planeOf } from "./planes";
import type { ShownScale } from "./suv";
import { invertAffine, turnBy, type Affine } from "./volume-plan";

/** What a pane lays over its pictures. */
export interface Fusion {
  readonly seriesId: string;
  readonly colourMap: string;
  /** From 0 to 1. */
  readonly opacity: number;
  /** Where the colours begin and end, in the unit that is shown; null: as is usual for the series. */
  readonly ends: readonly [number, number] | null;
  /** Whether low values let the picture below shine through untouched. */
  readonly isSeeThrough: boolean;
  readonly isHidden: boolean;
}

/** Values of a series on the plane of a picture, cut here or by the server. */
export interface OverlayPlane {
  readonly values: Int16Array | Int32Array | Float32Array;
  /** Modality value = value × scale + offset. */
  readonly scale: number;
  readonly offset: number;
  /** Stands for places outside the series, and for its own lowest value. */
  readonly outside: number;
  /** Whether a pixel lies within the series. */
  readonly isInside: (index: number) => boolean;
}

/** An overlay as it is on the screen. */
export interface Overlay {
  readonly fusion: Fusion;
  readonly plane: OverlayPlane;
  readonly palette: Uint8Array;
  /** From modality values to those that are shown. */
  readonly factor: number;
  readonly unit: string;
  readonly ends: readonly [number, number];
}

const OF_UPTAKE: Pick<Fusion, "colourMap" | "opacity" | "isSeeThrough"> = { colourMap: "hot_iron", opacity: 0.7, isSeeThrough: true };
const OF_OTHERS: Pick<Fusion, "colourMap" | "opacity" | "isSeeThrough"> = { colourMap: "hot_metal_blue", opacity: 0.5, isSeeThrough: false };
const UPTAKE = new Set(["PT", "NM"]);

export function firstFusion({ id, modality }: Series): Fusion {
  return { seriesId: id, ends: null, isHidden: false, ...(UPTAKE.has(modality) ? OF_UPTAKE : OF_OTHERS) };
}

export type WhyNot = "" | "itself" | "other_study" | "no_pictures" | "colour" | "no_place" | "other_frame" | "too_large";

const MOST_PX = 2048;

/** Why one series cannot lie over the pictures of another, as far as their facts tell; the server has the last word. */
export function whyNotFuse(base: Series, over: Series, image: ImageFacts | undefined, stack: Stack | null): WhyNot {
  if (base.id === over.id) {
    return "itself";
  }
  if (base.studyId !== over.studyId) {
    return "other_study";
  }
  const first = stack?.images[0];
  if (!over.displayable || first === undefined || image === undefined) {
    return "no_pictures";
  }
  if ([first, image].some(({ pixelFormat }) => pixelFormat === "rgb8" || pixelFormat === "none")) {
    return "colour";
  }
  const [own, other] = [planeOf(image), planeOf(first)];
  if (own === null || other === null || own.frameOfReferenceUid === "") {
    return "no_place";
  }
  if (own.frameOfReferenceUid !== other.frameOfReferenceUid) {
    return "other_frame";
  }
  return Math.max(image.rows, image.columns) > MOST_PX ? "too_large" : "";
}

/** What is asked of the server for one picture; null when the picture has no place in the patient. */
export function planeQuery(facts: ImageFacts): string | null {
  const plane = planeOf(facts);
  if (plane === null) {
    return null;
  }
  const { columns, rows, stepX, stepY, normal, column } = plane;
  const center = lpsFromImage(plane, { x: (columns - 1) / 2, y: (rows - 1) / 2 });
  const list = (values: readonly number[]): string => values.map(written).join(",");
  const up = column.map((part) => -part);
  const sides = `width_mm=${written(columns * stepX)}&height_mm=${written(rows * stepY)}&columns=${columns}&rows=${rows}`;
  return `center=${list(center)}&normal=${list(normal)}&up=${list(up)}&${sides}`;
}

/** All digits that count, and never an exponent. */
function written(value: number): string {
  return value.toFixed(12).replace(/\.?0+$/, "").replace(/^-0$/, "0");
}

/** Where a volume lies: its affine from column, row and place along the stack, and how far it reaches. */
export interface Body {
  readonly lpsFromIjw: Affine;
  readonly columns: number;
  readonly rows: number;
  /** Where the outermost slices end along the third axis. */
  readonly depth: readonly [number, number];
}

/** Tells which pixels of a picture lie within a volume. */
export function insideTest(facts: ImageFacts, body: Body): (index: number) => boolean {
  const plane = planeOf(facts);
  const inverse = invertAffine(body.lpsFromIjw);
  if (plane === null || inverse === null) {
    return () => false;
  }
  const [i0, j0, w0] = inverse.map(([a, b, c, d]) => a * plane.origin[0] + b * plane.origin[1] + c * plane.origin[2] + d) as [number, number, number];
  const across = turnBy(inverse, plane.row).map((part) => part * plane.stepX) as [number, number, number];
  const down = turnBy(inverse, plane.column).map((part) => part * plane.stepY) as [number, number, number];
  const [near, far] = body.depth;
  return (index) => {
    const [x, y] = [index % facts.columns, Math.floor(index / facts.columns)];
    const i = i0 + x * across[0] + y * down[0];
    const j = j0 + x * across[1] + y * down[1];
    const w = w0 + x * across[2] + y * down[2];
    return i >= -0.5 && i <= body.columns - 0.5 && j >= -0.5 && j <= body.rows - 0.5 && w >= near && w <= far;
  };
}

/** The ends of the colours when the reader has chosen none: SUV 0 to 10; else of the file, else of the picture. */
export function usualEnds(stack: Stack, unit: string, factor: number, plane: OverlayPlane): readonly [number, number] {
  if (unit.startsWith("SUV")) {
    return [0, 10];
  }
  const filed = stack.images[Math.floor(stack.images.length / 2)]?.windows[0];
  if (filed !== undefined && filed.width > 0) {
    return [(filed.center - filed.width / 2) * factor, (filed.center + filed.width / 2) * factor];
  }
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of plane.values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const ends = [low, high].map((value) => (value * plane.scale + plane.offset) * factor) as [number, number];
  return ends[1] > ends[0] ? ends : [ends[0], ends[0] + 1];
}

/** What an overlay is made of: how the reader wants it, its values, its colours, and its usual ends. */
export interface OverlayParts extends Pick<Overlay, "fusion" | "plane" | "palette"> {
  readonly usual: readonly [number, number];
}

export function makeOverlay({ usual, ...parts }: OverlayParts, { factor, unit }: ShownScale): Overlay {
  return { ...parts, factor, unit, ends: parts.fusion.ends ?? usual };
}

/** Below this share of the colours an overlay of uptake fades; at nothing the picture below is as it is alone. */
const FADED = 0.25;

/**
 * Colours over grey or colours: below × (1 - a) + colour × a, rounded to the nearest. `a` is the opacity,
 * of a see-through overlay faded towards its low end, and nothing outside the second series.
 */
export function blend(samples: Uint8Array, components: 1 | 3, overlay: Overlay): Uint8Array {
  const { fusion, plane, palette, factor, ends } = overlay;
  const { values, scale, offset, outside, isInside } = plane;
  const [low, high] = ends;
  const painted = new Uint8Array(values.length * 3);
  for (let at = 0, to = 0; at < values.length; at += 1, to += 3) {
    const value = values[at] as number;
    const level = Math.min(1, Math.max(0, ((value * scale + offset) * factor - low) / (high - low)));
    const isHere = value !== outside || isInside(at);
    const share = !isHere ? 0 : fusion.opacity * (fusion.isSeeThrough ? Math.min(1, level / FADED) : 1);
    const colour = Math.floor(level * 255 + 0.5) * 3;
    for (let channel = 0; channel < 3; channel += 1) {
      const below = samples[components === 1 ? at : to + channel] as number;
      const above = palette[colour + channel] as number;
      painted[to + channel] = Math.floor(below + (above - below) * share + 0.5);
    }
  }
  return painted;
}

/** The overlay's values for the formulas of measuring, by weight where they are uptake. */
export function overlayValues(facts: ImageFacts, overlay: Overlay, factor: number, unit: string): Values {
  const { values, scale, offset, outside, isInside } = overlay.plane;
  const numbers = new Float64Array(values.length);
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] as number;
    numbers[at] = value !== outside || isInside(at) ? value * scale + offset : Number.NaN;
  }
  return { rows: facts.rows, columns: facts.columns, values: numbers, unit, factor, isPadding: () => false };
}
