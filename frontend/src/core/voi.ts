/** From the reader's choice and the file's own windows to the one window that draws an image. */

import type { Voi } from "./display";
import type { ImageFacts, Window } from "./facts";
import { windowName } from "./format";

export type WindowChoice =
  | { readonly kind: "file"; readonly index: number }
  | { readonly kind: "table"; readonly index: number }
  | { readonly kind: "auto" }
  | { readonly kind: "preset"; readonly name: string; readonly window: Window }
  | { readonly kind: "manual"; readonly window: Window };

export const AS_FILED: WindowChoice = { kind: "file", index: 0 };

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
  if (choice.kind === "preset") {
    return { ...plain, ...choice.window, function: "LINEAR", label: choice.name };
  }
  const filed = choice.kind === "file" ? (facts.windows[choice.index] ?? facts.windows[0]) : undefined;
  if (filed !== undefined) {
    const name = facts.windows.length > 1 || filed.explanation !== "" ? windowName(filed, choice.kind === "file" ? choice.index : 0) : "";
    return { ...plain, center: filed.center, width: filed.width, label: name };
  }
  const table = choice.kind === "auto" ? undefined : tableFor(facts, choice);
  if (table !== undefined) {
    const width = table.entries.length;
    return { center: table.first + width / 2, width, function: "LINEAR", table, label: table.explanation || "LUT" };
  }
  return { ...auto(), function: "LINEAR", table: null, label: "auto" };
}

function tableFor(facts: ImageFacts, choice: WindowChoice): ImageFacts["voiLuts"][number] | undefined {
  return choice.kind === "table" ? facts.voiLuts[choice.index] : facts.voiLuts[0];
}
