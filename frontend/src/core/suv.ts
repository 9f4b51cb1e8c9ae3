/** Kinds of standardised uptake values: what a reader may choose, and what the passport allows. */

import type { Series, Stack } from "./facts";

export const SUV_KINDS = ["bw", "lbm", "lbm_james", "bsa"] as const;
export type SuvKind = (typeof SUV_KINDS)[number];

/** As docs/passport.md names them; g/ml, and cm²/ml by body surface. */
const SIGNS: Readonly<Record<SuvKind, string>> = { bw: "SUVbw", lbm: "SUVlbm", lbm_james: "SUVlbm(James)", bsa: "SUVbsa" };

export function suvSign(kind: SuvKind): string {
  return SIGNS[kind];
}

export function isSuvKind(name: string): name is SuvKind {
  return SUV_KINDS.some((kind) => kind === name);
}

/** What the reader sees of a series' modality values: SUV of the chosen kind, by weight where that one is missing. */
export interface ShownScale {
  readonly factor: number;
  readonly unit: string;
  /** null: no uptake. */
  readonly kind: SuvKind | null;
}

export function shownScale({ modality }: Pick<Series, "modality">, stack: Pick<Stack, "suvFactors" | "images"> | null, wanted: SuvKind): ShownScale {
  const kind = stack?.suvFactors?.[wanted] !== undefined ? wanted : "bw";
  const factor = stack?.suvFactors?.[kind];
  if (modality === "PT" && factor !== undefined) {
    return { factor, unit: suvSign(kind), kind };
  }
  const facts = stack?.images[0];
  const named = facts?.rescaleType || facts?.units || "";
  const isHounsfield = modality === "CT" && (named === "" || named === "HU");
  return { factor: 1, unit: isHounsfield ? "HU" : UNITS[named] ?? "", kind: null };
}

const UNITS: Readonly<Record<string, string>> = { BQML: "Bq/ml", CNTS: "counts", PROPCNTS: "counts", GML: "g/ml", CM2ML: "cm²/ml" };

/** How uptake by weight becomes uptake of another kind; null when that is not known. */
export function kindByWeight(kinds: unknown, kind: SuvKind): number | null {
  const found = typeof kinds === "object" && kinds !== null ? (kinds as Record<string, unknown>)[kind] : undefined;
  return typeof found === "number" && Number.isFinite(found) ? found : null;
}
