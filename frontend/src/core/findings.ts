/** What readers draw on pictures: measurements and annotations, as plain values. */

import type { Triple } from "./facts";
import { isSameStyle, type MarkStyle } from "./finding-style";
import type { Pair } from "./measure-plane";

export type Family = "measurement" | "annotation";

/** Kinds as the server names them. The page shows all of them, and draws those of `DRAWN_KINDS`. */
export type FindingKind =
  | "length"
  | "polyline"
  | "angle"
  | "cobb"
  | "bidirectional"
  | "cardiothoracic"
  | "rectangle"
  | "ellipse"
  | "circle"
  | "polygon"
  | "probe"
  | "arrow"
  | "text"
  | "spine_label"
  | "calibration"
  | "point"
  | "freehand";

/** What a tool draws. */
export const DRAWN_KINDS = [
  "length",
  "angle",
  "cobb",
  "bidirectional",
  "rectangle",
  "ellipse",
  "circle",
  "polygon",
  "probe",
  "polyline",
  "arrow",
  "text",
  "spine_label",
  "cardiothoracic",
  "calibration",
] as const satisfies readonly FindingKind[];

export type DrawnKind = (typeof DRAWN_KINDS)[number];

export function isDrawnKind(name: string): name is DrawnKind {
  return DRAWN_KINDS.some((kind) => kind === name);
}

/** The grid of a reformatted plane; `docs/measurements.md` tells it. */
export interface MarkPlane {
  readonly frameOfReferenceUid: string;
  /** Centre of pixel (0, 0), lps in mm. */
  readonly origin: Triple;
  readonly rowDirection: Triple;
  readonly columnDirection: Triple;
  /** Between rows, between columns, in mm. */
  readonly spacing: Pair;
  /** Of the slab; 0: thin. */
  readonly thicknessMm: number;
  readonly mode: string;
  readonly timePoint: number;
}

/** Where a finding lies: on a frame of an image (frames count from 0), or on a plane through a series. */
export interface Place {
  readonly seriesId: string;
  readonly instanceId: string;
  readonly sopInstanceUid: string;
  readonly frame: number;
  /** null: on an image. */
  readonly plane: MarkPlane | null;
}

/** Points are (column, row); the centre of the first pixel is (0, 0). */
export interface Finding extends Place {
  /** A second series whose values under the shape are told, too; none unless said. */
  readonly otherId?: string;
  /** The page's own name for it: it outlives deletion and undo. */
  readonly key: string;
  readonly family: Family;
  readonly kind: FindingKind;
  readonly points: readonly Pair[];
  readonly label: string;
  readonly layer: string;
  /** Of annotations: what is written. */
  readonly text: string;
  /** Of calibration lines: how long they are in truth. */
  readonly knownMm: number | null;
  /** As #rrggbb; empty: that of its layer. */
  readonly colour: string;
  /** How its line, words and area look, where they differ from all others. */
  readonly style?: MarkStyle;
  readonly isVisible: boolean;
}

const ANNOTATIONS: ReadonlySet<FindingKind> = new Set([
  "arrow",
  "text",
  "spine_label",
  "calibration",
  "point",
  "freehand",
]);

export const SPINE_LAYER = "spine";

export function familyOf(kind: FindingKind): Family {
  return ANNOTATIONS.has(kind) ? "annotation" : "measurement";
}

/** Kinds whose points run on until the reader ends them. */
export function isOpenEnded(kind: FindingKind): boolean {
  return kind === "polyline" || kind === "polygon" || kind === "freehand";
}

/** Kinds whose numbers are taken from the pixels below. */
export function hasStatistics(kind: FindingKind): boolean {
  return ["rectangle", "ellipse", "circle", "polygon", "probe"].includes(kind);
}

export function isOn(finding: Place, instanceId: string, frame: number): boolean {
  return finding.plane === null && finding.instanceId === instanceId && finding.frame === frame;
}

/** Whether two hold the same content: what the server keeps of what a reader may change. */
export function isSameContent(one: Finding, other: Finding): boolean {
  return (
    one.label === other.label &&
    one.layer === other.layer &&
    one.text === other.text &&
    one.knownMm === other.knownMm &&
    one.colour === other.colour &&
    isSameStyle(one.style, other.style) &&
    one.isVisible === other.isVisible &&
    isSamePoints(one.points, other.points)
  );
}

export function isSamePoints(one: readonly Pair[], other: readonly Pair[]): boolean {
  return (
    one.length === other.length && one.every((point, i) => point[0] === other[i]?.[0] && point[1] === other[i]?.[1])
  );
}

const VERTEBRAE: readonly (readonly [string, number])[] = [
  ["C", 7],
  ["T", 12],
  ["L", 5],
  ["S", 5],
];

/** C1 to S5. */
export const SPINE: readonly string[] = VERTEBRAE.flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, i) => `${letter}${i + 1}`),
);

/** The vertebra below, or above with a negative step; a name of no vertebra stays. */
export function nextVertebra(name: string, step = 1): string {
  const at = SPINE.indexOf(name.toUpperCase());
  return at < 0 ? name : (SPINE[Math.min(Math.max(at + step, 0), SPINE.length - 1)] as string);
}
