/** Findings as files and as DICOM objects beside the pictures. */

import { t } from "../core/text";
import { FindingError, type ExportForm, type FindingApi } from "../io/finding-api";
import { make } from "./dom";

export function exportRow(api: FindingApi, mayMark: boolean, say: (words: string) => void): HTMLElement {
  const link = (name: string, address: string): HTMLElement => make("a", { class: "button", href: address, download: "" }, name);
  const button = (name: string, form: ExportForm): HTMLElement => {
    const made = make("button", { type: "button", class: "button" }, name);
    made.addEventListener("click", () => {
      made.disabled = true;
      void store(api, form, say).finally(() => (made.disabled = false));
    });
    return made;
  };
  const objects: readonly (readonly [string, ExportForm])[] = [
    [t("Structured report"), "report"],
    [t("Presentation state"), "presentation"],
    [t("Key objects"), "key_objects"],
  ];
  return make(
    "details",
    { class: "findings-exports" },
    make("summary", {}, t("Export")),
    make(
      "div",
      { class: "findings-export-row" },
      link("CSV", api.fileUrl("csv")),
      link("JSON", api.fileUrl("json")),
      ...(mayMark ? objects.map(([name, form]) => button(name, form)) : []),
    ),
  );
}

async function store(api: FindingApi, form: ExportForm, say: (words: string) => void): Promise<void> {
  try {
    const { stored, leftOut, reasons } = await api.storeObjects(form);
    const kept = stored === 0 ? t("There was nothing to store.") : t("Stored beside the pictures: {count}", { count: stored });
    say(leftOut === 0 ? kept : [`${kept}.`, `${t("Left out: {count}", { count: leftOut })}.`, ...reasons].join(" "));
  } catch (error) {
    say(error instanceof FindingError && error.message !== "" ? error.message : t("The server did not answer."));
  }
}
