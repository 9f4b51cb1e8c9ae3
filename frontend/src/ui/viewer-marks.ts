/** What the picture says of itself while it is not the original. */

import type { FilterName } from "../core/enhance";
import { formatNumber } from "../core/format";
import { t } from "../core/text";
import type { Shown } from "../render/viewport";

export function enhancementLines({ filters, colourMap, enhancing }: Shown): string[] {
  const lines = filters.map(({ name, strength }) => `${filterMark(name)} ${formatNumber(strength, 1)}`);
  if (colourMap !== null) {
    lines.push(t("Colours: {name}", { name: colourMap.label }));
  }
  if (lines.length > 0) {
    lines.unshift(t("Not the original"));
  }
  if (enhancing === "failed") {
    lines.push(t("Enhancement is not available here"));
  } else if (enhancing === "pending") {
    lines.push(t("Enhancement follows"));
  }
  return lines;
}

function filterMark(name: FilterName): string {
  switch (name) {
    case "denoise":
      return t("Denoised");
    case "clahe":
      return t("Local contrast");
    case "sharpen":
      return t("Sharpened");
    case "edges":
      return t("Edges enhanced");
  }
}

export function filterName(name: FilterName): string {
  switch (name) {
    case "denoise":
      return t("Denoise");
    case "clahe":
      return t("Local contrast (CLAHE)");
    case "sharpen":
      return t("Sharpen");
    case "edges":
      return t("Enhance edges");
  }
}
