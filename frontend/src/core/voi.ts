/** From the reader's choice and the file's own windows to the one window that draws an image. */

import type { Percentiles } from "./automatic-window";
import type { Voi } from "./display";
import type { ImageFacts, Window } from "./facts";
import { firstOf, type StateGrey } from "./stored-objects";

/** `filed`: as the file wants to be seen — its table, else its first window, else from the pixels. */
export type WindowChoice =
  | { readonly kind: "filed" }
  | { readonly kind: "window"; readonly index: number }
  | { readonly kind: "table"; readonly index: number }
  /** `of`: the image whose pixels decide; without it the first that was shown. */
  | { readonly kind: "auto"; readonly of?: string }
  | { readonly kind: "relative"; readonly name: string; readonly percentiles: Percentiles }
  | { readonly kind: "preset"; readonly name: string; readonly window: Window }
  | { readonly kind: "manual"; readonly window: Window }
  /** By a presentation state: each image its own; those that it does not name are seen as before. */
  | { readonly kind: "stated"; readonly greys: readonly StateGrey[]; readonly otherwise: WindowChoice };

export const AS_FILED: WindowChoice = { kind: "filed" };

export interface ResolvedVoi extends Voi {
  /** How the window came about, for the corner text: "auto", a preset's or the file's own name. */
  readonly label: string;
}

/** The window of one image; `auto` is asked only when nothing else says how to show it. */
export function resolveVoi(facts: ImageFacts, choice: WindowChoice, auto: () => Window): ResolvedVoi {
  const plain = { function: facts.voiFunction, table: null };
  if (choice.kind === "manual") {
    return { ...plain, ...choice.window, label: "" };
  }
  if (choice.kind === "stated") {
    const grey = firstOf(choice.greys, facts.instanceId, facts.frame);
    return grey === undefined
      ? resolveVoi(facts, choice.otherwise, auto)
      : { ...grey.window, function: grey.function, table: null, label: grey.explanation };
  }
  if (choice.kind === "preset") {
    return { ...choice.window, function: "LINEAR", table: null, label: choice.name };
  }
  if (choice.kind === "relative") {
    return { ...auto(), function: "LINEAR_EXACT", table: null, label: choice.name };
  }
  const table = choice.kind === "table" || choice.kind === "filed" ? pick(facts.voiLuts, choice) : undefined;
  if (table !== undefined) {
    const width = table.entries.length;
    return { center: table.first + width / 2, width, function: "LINEAR", table, label: table.explanation || "LUT" };
  }
  const filed = choice.kind === "auto" ? undefined : pick(facts.windows, choice);
  if (filed !== undefined) {
    return { ...plain, center: filed.center, width: filed.width, label: filed.explanation.trim() };
  }
  return { ...auto(), function: "LINEAR_EXACT", table: null, label: "auto" };
}

/** What the choice names, or the first when this image has no such one. */
function pick<T>(offered: readonly T[], choice: WindowChoice): T | undefined {
  const index = choice.kind === "window" || choice.kind === "table" ? choice.index : 0;
  return offered[index] ?? offered[0];
}
