/** A point in the patient as people say it. */

import type { Triple } from "../core/facts";
import { formatNumber } from "../core/format";

const LETTERS = [
  ["R", "L"],
  ["A", "P"],
  ["F", "H"],
] as const;

/** How far left, behind, towards the head, in mm. */
export function pointWords(lps: Triple): string {
  const parts = lps.map((value, axis) => `${LETTERS[axis]?.[value >= 0 ? 1 : 0] ?? ""} ${formatNumber(Math.abs(value), 1)}`);
  return `${parts.join("  ")} mm`;
}
