/** What a second series holds under a shape, beside the picture's own values; and uptake as another kind of SUV. */

import type { Result } from "./measure";
import { kindByWeight, suvSign, type SuvKind } from "./suv";

type Numbers = Readonly<Record<string, unknown>>;

/** Statistics under the shape that are not the shape's own. */
const OF_SHAPE: ReadonlySet<string> = new Set(["area_mm2", "area_by_count_mm2", "perimeter_mm", "histogram"]);
const VALUES = ["mean", "sd", "min", "max", "median", "standard_error"] as const;
export const BY_WEIGHT = "SUVbw";

/** The second series' statistics, as the server or this page worked them out; null: there is none. */
export function otherOf(result: Result): Numbers | null {
  const other = (result.statistics as Numbers)["other"];
  return typeof other === "object" && other !== null ? (other as Numbers) : null;
}

/** A result with what the same points measure on a second series. */
export function withOther(result: Result, other: Result, about: Numbers): Result {
  const kept = Object.entries(other.statistics).filter(([name]) => !OF_SHAPE.has(name));
  const found = { ...Object.fromEntries(kept), ...about };
  return { ...result, statistics: { ...result.statistics, other: found } as unknown as Result["statistics"] };
}

/** How uptake by weight becomes uptake of each kind, from a series' factors. */
export function relativeKinds(factors: Readonly<Record<string, number>> | undefined): Readonly<Record<string, number>> {
  const byWeight = factors?.["bw"];
  return byWeight === undefined ? {} : Object.fromEntries(Object.entries(factors ?? {}).map(([kind, factor]) => [kind, factor / byWeight]));
}

/** A result by weight as the reader wants it; what has no such kind stays by weight, and says so. */
export function asKind(result: Result, kind: SuvKind): Result {
  const kinds = (result.statistics as Numbers)["suv_kinds"];
  const by = kindByWeight(kinds, kind);
  const other = otherOf(result);
  const turned = other === null ? null : turn(other, kind);
  const statistics = { ...turn(result.statistics as Numbers, kind), ...(turned === null ? {} : { other: turned }) };
  const isValue = result.unit === BY_WEIGHT && by !== null && result.value !== null;
  const value = isValue ? { value: (result.value ?? 0) * by, unit: suvSign(kind) } : {};
  return { ...result, ...value, statistics: statistics as unknown as Result["statistics"] };
}

function turn(statistics: Numbers, kind: SuvKind): Numbers {
  const by = kindByWeight(statistics["suv_kinds"], kind);
  if (statistics["unit"] !== BY_WEIGHT || by === null || kind === "bw") {
    return statistics;
  }
  const values = VALUES.map((name) => [name, scaled(statistics[name], by)] as const);
  return { ...statistics, ...Object.fromEntries(values), histogram: null, unit: suvSign(kind) };
}

function scaled(value: unknown, by: number): unknown {
  return typeof value === "number" ? value * by : value;
}
