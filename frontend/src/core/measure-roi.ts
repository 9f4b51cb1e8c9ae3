/** Which pixels lie within a shape and what their values say, as `imaging.measure_roi`. */

import { dot } from "./measure-geometry";
import type { Pair } from "./measure-plane";

const HISTOGRAM_BINS = 32;
const RIM = 1e-9;

/** `values` run row by row, after the modality step. */
export interface Values {
  readonly rows: number;
  readonly columns: number;
  readonly values: ArrayLike<number>;
  readonly unit: string;
  readonly factor: number;
  readonly isPadding: (index: number) => boolean;
}

export interface Ellipse {
  readonly center: Pair;
  readonly first: Pair;
  readonly second: Pair;
}

export interface Statistics {
  readonly count: number;
  readonly padding_count: number;
  readonly not_finite_count: number;
  readonly mean: number | null;
  readonly sd: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly median: number | null;
  readonly standard_error: number | null;
  readonly histogram: { readonly low: number; readonly bin_width: number; readonly counts: readonly number[] } | null;
}

/** The indices of the pixels whose centres lie within a polygon: even-odd, half-open. */
export function polygonPixels(points: readonly Pair[], rows: number, columns: number): number[] {
  const crossings = Array.from({ length: rows }, (): number[] => []);
  points.forEach((point, i) => {
    const next = points[(i + 1) % points.length] as Pair;
    const [[x0, y0], [x1, y1]] = point[1] <= next[1] ? [point, next] : [next, point];
    const beyond = Math.min(rows, Math.ceil(y1));
    for (let row = Math.max(0, Math.ceil(y0)); row < beyond; row += 1) {
      crossings[row]?.push(((x1 - x0) * (row - y0)) / (y1 - y0) + x0);
    }
  });
  const inside: number[] = [];
  crossings.forEach((xs, row) => {
    xs.sort((one, two) => one - two);
    for (let i = 0; i + 1 < xs.length; i += 2) {
      const beyond = Math.min(columns, Math.ceil(xs[i + 1] as number));
      for (let column = Math.max(0, Math.ceil(xs[i] as number)); column < beyond; column += 1) {
        inside.push(row * columns + column);
      }
    }
  });
  return inside;
}

/** The same for an ellipse on the plane; its rim is in. */
export function ellipsePixels({ center, first, second }: Ellipse, steps: Pair, rows: number, columns: number): number[] {
  const [one, two] = [dot(first, first), dot(second, second)];
  const inside: number[] = [];
  if (!(one > 0 && two > 0)) {
    return inside;
  }
  const [left, right] = reach(center[0], Math.hypot(first[0], second[0]), steps[0], columns);
  const [top, bottom] = reach(center[1], Math.hypot(first[1], second[1]), steps[1], rows);
  for (let row = top; row <= bottom; row += 1) {
    const y = row * steps[1] - center[1];
    for (let column = left; column <= right; column += 1) {
      const at: Pair = [column * steps[0] - center[0], y];
      if ((dot(at, first) / one) ** 2 + (dot(at, second) / two) ** 2 <= 1 + RIM) {
        inside.push(row * columns + column);
      }
    }
  }
  return inside;
}

/** The pixels of one axis that can lie within the ellipse, one more to each side. */
function reach(center: number, half: number, step: number, count: number): Pair {
  return [
    Math.max(0, Math.floor((center - half) / step) - 1),
    Math.min(count - 1, Math.ceil((center + half) / step) + 1),
  ];
}

/** `sd` is the population's. Padding and what is no number do not count and are told apart. */
export function statisticsOf(pixels: Values, indices: readonly number[]): Statistics {
  const taken = indices.filter((index) => !pixels.isPadding(index));
  const found = taken.map((index) => (pixels.values[index] ?? Number.NaN) * pixels.factor);
  const finite = Float64Array.from(found.filter((value) => Number.isFinite(value))).sort();
  const count = finite.length;
  const counts = {
    count,
    padding_count: indices.length - taken.length,
    not_finite_count: taken.length - count,
  };
  if (count === 0) {
    const nothing = { mean: null, sd: null, min: null, max: null, median: null };
    return { ...counts, ...nothing, standard_error: null, histogram: null };
  }
  const mean = finite.reduce((sum, value) => sum + value, 0) / count;
  const sd = Math.sqrt(finite.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count);
  const at = (index: number): number => finite[index] as number;
  const median = (at(Math.floor((count - 1) / 2)) + at(Math.floor(count / 2))) / 2;
  return {
    ...counts,
    mean,
    sd,
    min: at(0),
    max: at(count - 1),
    median,
    standard_error: sd / Math.sqrt(count),
    histogram: histogramOf(finite),
  };
}

/** Equal bins with their lower edges, the last with both, as numpy's; `values` are sorted. */
function histogramOf(values: Float64Array): NonNullable<Statistics["histogram"]> {
  const low = values[0] as number;
  const span = (values[values.length - 1] as number) - low;
  const bins = span > 0 ? HISTOGRAM_BINS : 1;
  const width = span / bins;
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    let bin = span > 0 ? Math.min(bins - 1, Math.floor(((value - low) / span) * bins)) : 0;
    if (bin > 0 && value < low + bin * width) {
      bin -= 1;
    } else if (bin < bins - 1 && value >= low + (bin + 1) * width) {
      bin += 1;
    }
    counts[bin] = (counts[bin] as number) + 1;
  }
  return { low, bin_width: width, counts };
}
