/** Objects of a study that are no pictures, as plain values; `io/stored-objects.ts` makes them. */

import type { MarkStyle } from "./finding-style";
import type { VoiFunction, Window } from "./facts";
import type { Point } from "./view";

/** An object as the list has it. */
export interface StoredObject {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly title: string;
  readonly modality: string;
  readonly seriesId: string;
  readonly seriesNumber: number | null;
  readonly objectUrl: string;
  /** Empty: it has no outlines. */
  readonly outlinesUrl: string;
}

export interface Fact {
  readonly name: string;
  readonly value: string;
}

/** An image that an object names; an empty `instanceId`: it is not here. Frames count from 0. */
export interface Named {
  readonly instanceId: string;
  readonly seriesId: string;
  readonly studyId: string;
  readonly words: string;
  readonly frames: readonly number[];
}

/** A piece of a report: name, value, what is below. */
export interface Branch {
  readonly name: string;
  readonly value: string;
  readonly images: readonly Named[];
  readonly children: readonly Branch[];
}

/** A segment or a region; `colour` is #rrggbb, never empty. */
export interface OutlinedPart {
  readonly number: number;
  readonly name: string;
  readonly words: string;
  readonly colour: string;
  readonly count: number;
}

export interface Curves {
  readonly label: string;
  readonly url: string;
}

export interface ObjectDocument {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly title: string;
  readonly facts: readonly Fact[];
  readonly notes: readonly string[];
  readonly fileUrl: string;
  readonly tree: Branch | null;
  readonly images: readonly Named[];
  readonly parts: readonly OutlinedPart[];
  readonly curves: readonly Curves[];
  readonly text: string;
  readonly documentUrl: string;
  /** Addresses of its pages as pictures. */
  readonly pages: readonly string[];
  readonly state: PresentationState | null;
}

/** A way in pixels of the image, the first pixel's centre at 0. */
export interface Shape {
  readonly part: number;
  readonly closed: boolean;
  readonly points: readonly Point[];
}

/** A measurement that a report holds: its outlines and words, on one frame. */
export interface StoredMark {
  readonly objectId: string;
  readonly instanceId: string;
  readonly frame: number;
  readonly shapes: readonly (readonly Point[])[];
  readonly isClosed: boolean;
  readonly words: string;
}

/** The outlines of a kind of measurement, by its points as `docs/measurements.md` has them. */
export function shapesOfKind(kind: string, points: readonly Point[]): readonly (readonly Point[])[] {
  if (kind === "circle" || kind === "ellipse") {
    return [roundPoints(kind.toUpperCase(), points)];
  }
  if (kind === "bidirectional" || kind === "cardiothoracic" || kind === "cobb") {
    return [points.slice(0, 2), points.slice(2, 4)];
  }
  const [first] = points;
  if (kind === "probe" && first !== undefined) {
    return [
      [{ x: first.x - 1, y: first.y }, { x: first.x + 1, y: first.y }],
      [{ x: first.x, y: first.y - 1 }, { x: first.x, y: first.y + 1 }],
    ];
  }
  return [points];
}

export function isClosedKind(kind: string): boolean {
  return ["circle", "ellipse", "polygon", "rectangle"].includes(kind);
}

export interface StateGraphic {
  readonly kind: string;
  readonly points: readonly Point[];
  /** In parts of the displayed area instead of pixels. */
  readonly isOfDisplay: boolean;
  readonly isFilled: boolean;
  readonly colour: string;
  readonly style: MarkStyle;
  /** The mark of this archive that it was written from; empty: another one's. */
  readonly markId: string;
}

export interface StateWords {
  readonly text: string;
  readonly at: Point;
  readonly isOfDisplay: boolean;
  readonly colour: string;
  readonly markId: string;
}

/** A part of a state that is of some of its images. */
export interface OfImages {
  /** Empty: of all images of the state. */
  readonly images: readonly Named[];
}

/** How grey comes out (C.11.8). */
export interface StateGrey extends OfImages {
  readonly window: Window;
  readonly function: VoiFunction;
  readonly explanation: string;
}

/** The displayed area (C.10.4): corners are pixels of the stored image, from 1. */
export interface StateArea extends OfImages {
  readonly first: Point;
  readonly last: Point;
}

export interface StateMarks {
  /** Empty: on all images of the state. */
  readonly images: readonly Named[];
  readonly graphics: readonly StateGraphic[];
  readonly words: readonly StateWords[];
}

/** What a presentation state does (PS3.3 A.33) to the images that it names. */
export interface PresentationState {
  readonly greys: readonly StateGrey[];
  readonly inverted: boolean;
  readonly rotationDeg: number;
  readonly flipped: boolean;
  readonly areas: readonly StateArea[];
  readonly shutter: StateShutter | null;
  readonly marks: readonly StateMarks[];
}

export interface StateShutter {
  readonly rectangle: readonly number[];
  readonly circle: readonly number[];
  readonly polygon: readonly number[];
}

/** Colours for what names none: far apart, and all to be seen on grey. */
const COLOURS = ["#ff6b6b", "#4dabf7", "#ffd43b", "#69db7c", "#da77f2", "#ffa94d", "#38d9a9", "#f783ac"] as const;

export function colourFor(number: number): string {
  return COLOURS[Math.abs(number) % COLOURS.length] ?? COLOURS[0];
}

export function pathOf({ points, closed }: Shape): string {
  const way = points.map(({ x, y }, at) => `${at === 0 ? "M" : "L"}${x} ${y}`).join("");
  return closed ? `${way}Z` : way;
}

/** Whether marks belong on a frame of an image; neither an image that is not here nor a reformatted picture has a key. */
export function belongsTo(images: readonly Named[], instanceId: string, frame: number): boolean {
  return instanceId !== "" && images.some((one) => one.instanceId === instanceId && (one.frames.length === 0 || one.frames.includes(frame)));
}

/** The part of a state that is of a frame; what names no images is of all. */
export function firstOf<T extends OfImages>(parts: readonly T[], instanceId: string, frame: number): T | undefined {
  return parts.find(({ images }) => images.length === 0 || belongsTo(images, instanceId, frame));
}

/** A point in parts of the displayed area as a point of the image: C.10.5, after rotation and flip. */
export function fromDisplay({ x, y }: Point, state: PresentationState, area: StateArea | undefined, columns: number, rows: number): Point {
  const { first, last } = area ?? { first: { x: 1, y: 1 }, last: { x: columns, y: rows } };
  const isUpright = state.rotationDeg % 180 === 0;
  const [along, down] = isUpright ? [x, y] : [y, x];
  // The area reaches to the outer edges of its corner pixels.
  const place = (from: number, to: number, part: number): number => {
    const [start, end] = from <= to ? [from - 1.5, to - 0.5] : [from - 0.5, to - 1.5];
    return start + part * (end - start);
  };
  return { x: place(first.x, last.x, along), y: place(first.y, last.y, down) };
}

/**
 * An ellipse by the ends of its axes, or a circle by its centre and a point of its rim, as a closed
 * way of many points: right under every rotation, mirror and pixel.
 */
export function roundPoints(kind: string, points: readonly Point[]): readonly Point[] {
  const [a, b, c, d] = points;
  if (a === undefined || b === undefined) {
    return points;
  }
  let middle = a;
  let one = { x: b.x - a.x, y: b.y - a.y };
  let other = { x: -one.y, y: one.x };
  if (kind === "ELLIPSE") {
    if (c === undefined || d === undefined) {
      return points;
    }
    middle = { x: (a.x + b.x + c.x + d.x) / 4, y: (a.y + b.y + c.y + d.y) / 4 };
    one = { x: (b.x - a.x) / 2, y: (b.y - a.y) / 2 };
    other = { x: (d.x - c.x) / 2, y: (d.y - c.y) / 2 };
  }
  return Array.from({ length: ROUND_STEPS }, (_, step) => {
    const angle = (2 * Math.PI * step) / ROUND_STEPS;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return { x: middle.x + one.x * cos + other.x * sin, y: middle.y + one.y * cos + other.y * sin };
  });
}

const ROUND_STEPS = 90;

/** What a shutter hides, as a path for the even-odd rule: the picture around, the opening cut out. */
export function shutterPath(shutter: StateShutter, columns: number, rows: number): string {
  const frame = `M-0.5 -0.5H${columns - 0.5}V${rows - 0.5}H-0.5Z`;
  const [upper, lower, left, right] = shutter.rectangle;
  const holes: string[] = [];
  if (upper !== undefined && lower !== undefined && left !== undefined && right !== undefined) {
    holes.push(`M${left - 1.5} ${upper - 1.5}H${right - 0.5}V${lower - 0.5}H${left - 1.5}Z`);
  }
  const [row, column, radius] = shutter.circle;
  if (row !== undefined && column !== undefined && radius !== undefined) {
    const center = { x: column - 1, y: row - 1 };
    const rim = roundPoints("CIRCLE", [center, { x: center.x + radius, y: center.y }]);
    holes.push(pathOf({ part: 0, closed: true, points: rim }));
  }
  if (shutter.polygon.length >= 6) {
    const corners = shutter.polygon.flatMap((value, at) =>
      at % 2 === 1 ? [{ x: value - 1, y: (shutter.polygon[at - 1] ?? 0) - 1 }] : [],
    );
    holes.push(pathOf({ part: 0, closed: true, points: corners }));
  }
  // Several shapes hide together what each hides: one frame with one hole for each.
  return holes.map((hole) => `${frame}${hole}`).join("\n");
}
