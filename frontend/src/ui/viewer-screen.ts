/** How large a pixel of this screen is: measured once with a bank card, kept in this browser. */

import { t } from "../core/text";
import { make, setText } from "./dom";

const STORED = "noctis-screen-px-per-mm";
/** The short side of a bank card (ISO/IEC 7810 ID-1). */
const CARD_MM = 53.98;
const NARROWEST_PX = 100;
const WIDEST_PX = 262;

/** CSS px in a millimetre of this screen; null until it has been measured. */
export function screenPxPerMm(): number | null {
  const stored = Number(localStorage.getItem(STORED) ?? "");
  // Kept in pixels of the device: the browser's own zoom changes the others.
  return stored > 0 ? stored / (window.devicePixelRatio || 1) : null;
}

export function screenPart(): HTMLElement {
  const known = screenPxPerMm();
  const start = known === null ? 204 : Math.round(known * CARD_MM);
  const bar = make("div", { class: "screen-bar" });
  const note = make("p", { class: "settings-note", role: "status" });
  const range = make("input", { type: "range", id: "settings-screen", min: NARROWEST_PX, max: WIDEST_PX, step: 0.5, value: start, "aria-label": t("Length of the bar") });
  const words = (): string => (screenPxPerMm() === null ? t("This screen has not been measured.") : t("This screen has been measured."));
  const draw = (): void => {
    bar.style.width = `${range.value}px`;
  };
  range.addEventListener("input", draw);
  range.addEventListener("change", () => {
    localStorage.setItem(STORED, `${(Number(range.value) / CARD_MM) * (window.devicePixelRatio || 1)}`);
    setText(note, words());
  });
  setText(note, words());
  draw();
  const how = make("p", { class: "settings-note" }, t("For true size: make the bar as long as the short side of a bank card (54 mm)."));
  return make("div", {}, how, bar, range, note);
}
