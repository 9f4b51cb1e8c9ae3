/** Display shutters, the same as `imaging.shutters` in Python (PS3.3 C.7.6.11). */

import type { Shutter } from "./facts";

const WHITE_P_VALUE = 0xffff;
const NEARLY = 1e-9;

/** 1 for each pixel that stays visible; a circle's radius counts pixels along a row. */
export function visibleMask(shutter: Shutter, rows: number, columns: number, pixelAspect: number): Uint8Array {
  const mask = new Uint8Array(rows * columns).fill(1);
  const inPolygon = shutter.polygon === null ? null : polygonMask(shutter.polygon, rows, columns);
  for (let row = 1, i = 0; row <= rows; row += 1) {
    for (let column = 1; column <= columns; column += 1, i += 1) {
      const isHidden =
        !isInRectangle(shutter.rectangle, row, column) ||
        !isInCircle(shutter.circle, row, column, pixelAspect) ||
        inPolygon?.[i] === 0;
      if (isHidden) {
        mask[i] = 0;
      }
    }
  }
  return mask;
}

function isInRectangle(rectangle: readonly number[] | null, row: number, column: number): boolean {
  if (rectangle === null) {
    return true;
  }
  const [upper, lower, left, right] = rectangle as [number, number, number, number];
  return row >= upper && row <= lower && column >= left && column <= right;
}

function isInCircle(circle: readonly number[] | null, row: number, column: number, aspect: number): boolean {
  if (circle === null) {
    return true;
  }
  const [atRow, atColumn, radius] = circle as [number, number, number];
  return ((row - atRow) * aspect) ** 2 + (column - atColumn) ** 2 <= radius ** 2;
}

type Edge = readonly [y0: number, x0: number, y1: number, x1: number];

/** Fills a polygon with its edges: each row between its crossings, counted both ways. */
function polygonMask(polygon: readonly number[], rows: number, columns: number): Uint8Array {
  const mask = new Uint8Array(rows * columns);
  const edges: Edge[] = [];
  for (let at = 0; at + 1 < polygon.length; at += 2) {
    const next = (at + 2) % polygon.length;
    edges.push([polygon[at], polygon[at + 1], polygon[next], polygon[next + 1]] as unknown as Edge);
  }
  for (let y = 1; y <= rows; y += 1) {
    const line = mask.subarray((y - 1) * columns, y * columns);
    const crossings = (isCrossed: (low: number, high: number) => boolean): number[] =>
      edges
        .filter(([y0, , y1]) => y0 !== y1 && isCrossed(Math.min(y0, y1), Math.max(y0, y1)))
        .map(([y0, x0, y1, x1]) => x0 + ((y - y0) * (x1 - x0)) / (y1 - y0))
        .sort((one, other) => one - other);
    fillBetween(line, crossings((low, high) => low <= y && y < high));
    fillBetween(line, crossings((low, high) => low < y && y <= high));
    edges
      .filter(([y0, , y1]) => y0 === y && y1 === y)
      .forEach(([, x0, , x1]) => fillBetween(line, [Math.min(x0, x1), Math.max(x0, x1)]));
  }
  return mask;
}

function fillBetween(line: Uint8Array, xs: readonly number[]): void {
  for (let at = 0; at + 1 < xs.length; at += 2) {
    const [left, right] = [xs[at] as number, xs[at + 1] as number];
    line.fill(1, Math.max(Math.ceil(left - NEARLY), 1) - 1, Math.max(Math.floor(right + NEARLY), 0));
  }
}

/** Neutralises, in place, what the mask hides: one or three samples a pixel. A colour needs three. */
export function applyShutter(samples: Uint8Array, components: 1 | 3, shutter: Shutter, mask: Uint8Array): void {
  const level = Math.floor((shutter.presentationValue / WHITE_P_VALUE) * 255 + 0.5);
  const colour = components === 3 ? shutter.presentationColor : null;
  for (let i = 0; i < mask.length; i += 1) {
    if (mask[i] === 0 && colour !== null) {
      samples.set(colour, i * components);
    } else if (mask[i] === 0) {
      samples.fill(level, i * components, (i + 1) * components);
    }
  }
}

/** Grey levels as RGB. */
export function greyToRgb(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3);
  for (let i = 0; i < grey.length; i += 1) {
    rgb.fill(grey[i] as number, i * 3, i * 3 + 3);
  }
  return rgb;
}
