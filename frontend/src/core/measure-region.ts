/** Ultrasound regions whose axes are not both lengths, as `imaging.measure_region` in Python. */

import type { UltrasoundRegion } from "./facts";
import type { Pair } from "./measure-plane";

/** What one pixel is along an axis: `step` of `unit`. */
export interface Axis {
  readonly unit: string;
  readonly step: number;
}

/** Along a row, along a column; null for what has no known unit. */
export type Axes = readonly [Axis | null, Axis | null];

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
  return across === null && down === null ? null : [across, down];
}

interface Extents {
  readonly value: number;
  readonly unit: string;
  readonly uncertainty: number;
  readonly statistics: Readonly<Record<string, number | string>>;
}

/** How far two points lie apart along each known axis; the value is that of the longer way in pixels. */
export function extents([from, to]: readonly [Pair, Pair], axes: Axes): Extents {
  const names = ["horizontal", "vertical"] as const;
  const known = axes.flatMap((axis, i) => {
    const spanPx = Math.abs((to[i] as number) - (from[i] as number));
    return axis === null ? [] : [{ axis, spanPx, name: names[i] as (typeof names)[number] }];
  });
  const main = known.reduce((one, other) => (other.spanPx > one.spanPx ? other : one));
  const statistics = known.flatMap(({ axis, spanPx, name }) => [
    [name, spanPx * axis.step] as const,
    [`${name}_unit`, axis.unit] as const,
  ]);
  return {
    value: main.spanPx * main.axis.step,
    unit: main.axis.unit,
    uncertainty: main.axis.step * EXTENT_PX,
    statistics: Object.fromEntries(statistics),
  };
}
