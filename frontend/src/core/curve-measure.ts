/**
 * Lengths on a picture along a line. A millimetre of such a picture is one of the patient's only along the
 * line (its arc length) and across it in one column; what lies between two columns bends with the line. So
 * three numbers are told: along, across, and straight through the patient.
 */

import { arcAt, columnAt, lineRowAt, lpsFromCurve, type CurveGeometry } from "./curve";
import type { Point } from "./view";

/** A place on the picture that outlives a finer picture of the same line. */
export interface CurveSpot {
  readonly arcMm: number;
  /** From the line, downwards on the picture. */
  readonly offsetMm: number;
}

export interface CurveRuler {
  readonly from: CurveSpot;
  readonly to: CurveSpot;
}

export interface CurveLengths {
  /** Of the line between both columns. */
  readonly alongMm: number;
  /** By how much farther the one end is from the line than the other, on the picture's side of it. */
  readonly acrossMm: number;
  /** Between both ends in the patient. */
  readonly straightMm: number;
}

export function spotAt(geometry: CurveGeometry, { x, y }: Point): CurveSpot {
  const column = Math.min(geometry.columns - 1, Math.max(0, x));
  return { arcMm: arcAt(geometry, column), offsetMm: (y - lineRowAt(geometry, column)) * geometry.spacingMm };
}

/** Column and row, with fraction. */
export function pointOf(geometry: CurveGeometry, { arcMm, offsetMm }: CurveSpot): Point {
  const x = columnAt(geometry, arcMm);
  return { x, y: lineRowAt(geometry, x) + offsetMm / geometry.spacingMm };
}

export function lengthsOf(geometry: CurveGeometry, { from, to }: CurveRuler): CurveLengths {
  const [a, b] = [from, to].map((spot) => {
    const { x, y } = pointOf(geometry, spot);
    return lpsFromCurve(geometry, x, y);
  }) as [ReturnType<typeof lpsFromCurve>, ReturnType<typeof lpsFromCurve>];
  return {
    alongMm: Math.abs(to.arcMm - from.arcMm),
    acrossMm: Math.abs(to.offsetMm - from.offsetMm),
    straightMm: Math.hypot(b[0] - a[0], b[1] - a[1], b[2] - a[2]),
  };
}
