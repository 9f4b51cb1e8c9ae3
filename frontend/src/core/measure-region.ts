/** Ultrasound regions whose axes are not both lengths, as `imaging.measure_region` in Python. */

import type { UltrasoundRegion } from "./facts";
import type { Pair } from "./measure-plane";

/** What one pixel is along an axis: `step` of `unit`. */
export interface Axis {
  readonly unit: string;
  readonly step: number;
}

/** Along a row, along a column. */
export type Axes = readonly [Axis, Axis];

/** Physical units of a region (PS3.3 C.8.5.5.1.15): the unit that people read, and the factor to it. */
const UNITS: Readonly<Record<number, readonly [string, number]>> = {
  3: ["mm", 10],
  4: ["ms", 1000],
  5: ["Hz", 1],
  7: ["cm/s", 1],
};
const EXTENT_PX = Math.sqrt(2 / 12);

export function axesOfRegion({ units, deltas }: UltrasoundRegion): Axes | null {
  const axis = (at: 0 | 1): Axis | null => {
    const [unit, factor] = UNITS[units[at] ?? 0] ?? ["", 0];
    // A negative delta tells the direction only.
    const step = Math.abs(deltas[at] ?? 0) * factor;
    return Number.isFinite(step) && step > 0 ? { unit, step } : null;
  };
  const [across, down] = [axis(0), axis(1)];
  return across === null || down === null ? null : [across, down];
}

interface Extents {
  readonly value: number;
  readonly unit: string;
  readonly uncertainty: number;
  readonly statistics: Readonly<Record<string, number | string>>;
}

/** How far two points lie apart along each axis; the value is that of the longer way in pixels. */
export function extents([from, to]: readonly [Pair, Pair], axes: Axes): Extents {
  const spans: Pair = [Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1])];
  const main = spans[0] >= spans[1] ? 0 : 1;
  const [across, down] = [spans[0] * axes[0].step, spans[1] * axes[1].step];
  return {
    value: main === 0 ? across : down,
    unit: axes[main].unit,
    uncertainty: axes[main].step * EXTENT_PX,
    statistics: {
      horizontal: across,
      horizontal_unit: axes[0].unit,
      vertical: down,
      vertical_unit: axes[1].unit,
    },
  };
}
