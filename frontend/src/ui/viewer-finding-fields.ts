/** Words, layer, colour and line of the finding that is selected in the list. */

import { LINES, type LineStyle, type MarkStyle } from "../core/finding-style";
import type { Finding } from "../core/findings";
import { t } from "../core/text";
import type { FindingStore } from "../state/findings";
import { make } from "./dom";

const LONGEST = { label: 200, layer: 64, text: 2000 } as const;
export const LAYER_NAMES = "finding-layers";

export function findingFields(finding: Finding, findings: FindingStore, colour: string): HTMLElement {
  // Whatever came in meanwhile stays: only the field that was touched changes.
  const change = (part: Partial<Finding>): void => {
    const now = findings.finding(finding.key);
    if (now !== null) {
      findings.change({ ...now, ...part });
    }
  };
  const line = (name: string, value: string, longest: number, write: (value: string) => void): HTMLElement => {
    const field = make("input", { class: "entry", type: "text", value, maxlength: longest, autocomplete: "off" });
    field.addEventListener("change", () => write(field.value.trim()));
    field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
    return make("label", {}, make("span", {}, name), field);
  };
  const isWordy = finding.kind === "text" || finding.kind === "spine_label";
  const words =
    finding.family === "measurement"
      ? line(t("Label"), finding.label, LONGEST.label, (label) => change({ label }))
      : line(t("Text"), finding.text, LONGEST.text, (text) => (text !== "" || !isWordy) && change({ text }));
  const layer = line(t("Layer"), finding.layer, LONGEST.layer, (name) => change({ layer: name }));
  layer.querySelector("input")?.setAttribute("list", LAYER_NAMES);
  const swatch = make("input", { type: "color", value: colour });
  swatch.addEventListener("change", () => change({ colour: swatch.value }));
  const plain = make("button", { type: "button", class: "button", hidden: finding.colour === "" }, t("As the layer"));
  plain.addEventListener("click", () => change({ colour: "" }));
  return make(
    "div",
    { class: "finding-fields" },
    words,
    layer,
    make("label", {}, make("span", {}, t("Colour")), swatch, plain),
    ...lineFields(finding, (style) => change({ style: { ...findings.finding(finding.key)?.style, ...style } })),
  );
}

/** How the line is drawn, and how wide. */
function lineFields({ style }: Finding, change: (style: MarkStyle) => void): HTMLElement[] {
  const names: Readonly<Record<LineStyle, string>> = { solid: t("Solid"), dashed: t("Dashed"), dotted: t("Dotted") };
  const way = make("select", { class: "entry" }, ...LINES.map((name) => make("option", { value: name }, names[name])));
  way.value = style?.line ?? "solid";
  way.addEventListener("change", () => change({ line: way.value as LineStyle }));
  const width = make("input", { class: "entry", type: "number", min: 0.5, max: 20, step: 0.5, value: style?.lineWidthPx ?? "" });
  width.addEventListener("change", () => width.value !== "" && width.checkValidity() && change({ lineWidthPx: width.valueAsNumber }));
  return [
    make("label", {}, make("span", {}, t("Line")), way),
    make("label", {}, make("span", {}, t("Line, px")), width),
  ];
}
