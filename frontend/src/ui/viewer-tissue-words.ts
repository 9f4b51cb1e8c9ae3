/** Names of tissues, as panels and surfaces show them. */

import { formatNumber } from "../core/format";
import { t } from "../core/text";

export function tissueName(code: string): string {
  switch (code) {
    case "bone":
      return t("Bone");
    case "dense_bone":
      return t("Dense bone");
    case "soft_tissue":
      return t("Soft tissue");
    case "fat":
      return t("Fat");
    case "muscle":
      return t("Muscle");
    case "lung":
      return t("Lung");
    case "air":
      return t("Air");
    case "vessel":
      return t("Vessel");
    case "tumour":
      return t("Tumour");
    default:
      return t("Tissue");
  }
}

/** A range of values in words; null: as high as there are. */
export function rangeWords(lowest: number | null, highest: number | null): string {
  return highest === null ? t("from {value}", { value: formatNumber(lowest ?? 0) }) : `${formatNumber(lowest ?? 0)} – ${formatNumber(highest)}`;
}
