/** The stack's slider at the stage's edge, with marks for what has come. */

import { t } from "../core/text";
import { goTo } from "../state/changes";
import type { Store } from "../state/store";
import { make, setAttribute } from "./dom";

/** More than a screen has; a video of an hour has a hundred times as many frames, and no canvas is so high. */
const ROWS_LIMIT = 1000;

export class StackSlider {
  private readonly marks = make("canvas", { class: "slider-marks", width: 4, height: 1, "aria-hidden": "true" });
  private readonly input = make("input", { type: "range", class: "slider-input", min: 1, max: 1, step: 1, value: 1 });
  readonly root = make("div", { class: "slider" }, this.marks, this.input);
  private drawn = "";

  constructor(store: Store) {
    setAttribute(this.input, "aria-label", t("Image"));
    this.input.addEventListener("input", () => store.change(goTo(Number(this.input.value) - 1)));
    // The keys of the whole page scroll the stack; the slider's own would do it twice.
    this.input.addEventListener("keydown", (event) => event.preventDefault());
  }

  show(index: number, loaded: readonly boolean[]): void {
    this.root.hidden = loaded.length < 2;
    this.input.max = `${Math.max(1, loaded.length)}`;
    this.input.value = `${index + 1}`;
    setAttribute(this.input, "aria-valuetext", t("Image {index} of {count}", { index: index + 1, count: loaded.length }));
    this.drawMarks(loaded);
  }

  private drawMarks(loaded: readonly boolean[]): void {
    const rows = new Uint8Array(Math.min(loaded.length, ROWS_LIMIT));
    loaded.forEach((one, i) => one && (rows[Math.floor((i * rows.length) / loaded.length)] = 1));
    const now = rows.join("");
    if (now === this.drawn || loaded.length === 0) {
      return;
    }
    this.drawn = now;
    this.marks.height = rows.length;
    const context = this.marks.getContext("2d");
    if (context === null) {
      return;
    }
    context.clearRect(0, 0, 4, rows.length);
    context.fillStyle = getComputedStyle(this.marks).color;
    rows.forEach((one, i) => one && context.fillRect(0, i, 4, 1));
  }
}
