/** How the line, words and area of a mark look where they differ from what the reader has set for all. */

import type { FindingKind } from "./findings";

export const LINES = ["solid", "dashed", "dotted"] as const;
export type LineStyle = (typeof LINES)[number];

/** What is not said is as the reader has it. */
export interface MarkStyle {
  readonly line?: LineStyle;
  readonly lineWidthPx?: number;
  readonly fontSizePx?: number;
  readonly fillOpacity?: number;
}

const AREAS: ReadonlySet<FindingKind> = new Set(["rectangle", "ellipse", "circle", "polygon"]);

export function isSameStyle(one: MarkStyle = {}, other: MarkStyle = {}): boolean {
  return (
    one.line === other.line &&
    one.lineWidthPx === other.lineWidthPx &&
    one.fontSizePx === other.fontSizePx &&
    one.fillOpacity === other.fillOpacity
  );
}

/** Lengths of dashes and gaps of a line with round ends, as SVG writes them; null for a solid one. */
export function dashOf({ line, lineWidthPx }: MarkStyle): string | null {
  const width = lineWidthPx ?? 1.5;
  return { solid: null, dashed: `${6 * width} ${4 * width}`, dotted: `0 ${2.5 * width}` }[line ?? "solid"];
}

/** Values of the style sheet's variables for one mark; null: as everywhere. */
export function styleVariables(kind: FindingKind, style: MarkStyle = {}): Readonly<Record<string, string | null>> {
  const { lineWidthPx, fontSizePx, fillOpacity } = style;
  return {
    "--mark-line": lineWidthPx === undefined ? null : `${lineWidthPx}`,
    "--mark-dash": dashOf(style),
    "--mark-text": fontSizePx === undefined ? null : `${fontSizePx}px`,
    "--mark-fill": fillOpacity === undefined || !AREAS.has(kind) ? null : `${fillOpacity}`,
  };
}
