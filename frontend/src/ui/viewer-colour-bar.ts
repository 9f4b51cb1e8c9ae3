/** The colours beside the picture, from the window's lower to its upper end. */

import { formatLevel } from "../core/format";
import type { Shown } from "../render/viewport";
import { make, setText } from "./dom";

export class ColourBar {
  private readonly canvas = make("canvas", { width: 1, height: 256 });
  private readonly high = make("span");
  private readonly low = make("span");
  /** Of what lies over the picture. */
  private readonly unit = make("span", { hidden: true });
  private readonly top = make("div", { class: "colour-bar-top" }, this.unit, this.high);
  readonly root = make("div", { class: "colour-bar", "aria-hidden": "true", hidden: true }, this.top, this.canvas, this.low);
  private drawn: Uint8Array | null = null;

  show(shown: Shown | null): void {
    const fused = shown?.fused ?? null;
    setText(this.unit, fused?.unit ?? "");
    this.unit.hidden = fused === null;
    const palette = fused?.palette ?? shown?.palette ?? null;
    this.root.hidden = palette === null;
    if (shown === null || palette === null) {
      return;
    }
    const context = this.canvas.getContext("2d");
    if (this.drawn !== palette && context !== null) {
      this.drawn = palette;
      const image = context.createImageData(1, 256);
      for (let row = 0; row < 256; row += 1) {
        const from = 3 * (255 - row);
        image.data.set([...palette.subarray(from, from + 3), 255], 4 * row);
      }
      context.putImageData(image, 0, 0);
    }
    if (fused !== null) {
      const [low, high] = fused.ends;
      setText(this.high, formatLevel(high, high - low));
      setText(this.low, formatLevel(low, high - low));
      return;
    }
    const { center, width } = shown.voi;
    const ends = [center + width / 2, center - width / 2].map((value) => formatLevel(value, width));
    const [top, bottom] = shown.voi.table !== null ? ["", ""] : shown.invert ? [...ends].reverse() : ends;
    setText(this.high, top ?? "");
    setText(this.low, bottom ?? "");
  }
}
