/** The threshold's preview: a colour over the pixels of a picture that lie in the range. */

import type { ImageFacts, Pixels } from "../core/facts";
import { paintFound, pixelsInRange, type TissueRange } from "../core/tissue";
import { canvasFromImage, type Size, type View } from "../core/view";
import { extentOf, type Shown } from "../render/viewport";
import type { MarksLayer } from "./viewer-layers";

const SVG = "http://www.w3.org/2000/svg";
const ALPHA = 120;
const COLOUR = [255, 92, 92] as const;

export class TissueLayer implements MarksLayer {
  private readonly image = document.createElementNS(SVG, "image");
  private drawn: { readonly facts: ImageFacts; readonly pixels: Pixels; readonly range: TissueRange } | null = null;

  /** `rangeFor`: what is previewed on a picture now; null: nothing. */
  constructor(private readonly rangeFor: (shown: Shown) => TissueRange | null) {
    this.image.setAttribute("class", "tissue-preview");
    this.image.setAttribute("preserveAspectRatio", "none");
    // The first pixel's centre is 0: it begins half a pixel before.
    this.image.setAttribute("x", "-0.5");
    this.image.setAttribute("y", "-0.5");
  }

  draw(group: SVGGElement, shown: Shown, view: View, size: Size): void {
    const range = shown.facts.pixelFormat === "rgb8" || shown.drawn !== null ? null : this.rangeFor(shown);
    if (range === null) {
      this.image.remove();
      this.drawn = null;
      return;
    }
    const { facts, pixels } = shown;
    const { drawn } = this;
    if (drawn === null || drawn.facts !== facts || drawn.pixels !== pixels || drawn.range.lowest !== range.lowest || drawn.range.highest !== range.highest) {
      this.drawn = { facts, pixels, range };
      this.image.setAttribute("href", pictureOf(pixels, facts, range));
      this.image.setAttribute("width", `${facts.columns}`);
      this.image.setAttribute("height", `${facts.rows}`);
    }
    const { a, b, c, d, e, f } = canvasFromImage(view, extentOf(facts), size);
    this.image.setAttribute("transform", `matrix(${a} ${b} ${c} ${d} ${e} ${f})`);
    if (this.image.parentNode !== group) {
      group.append(this.image);
    }
  }
}

function pictureOf(pixels: Pixels, facts: ImageFacts, range: TissueRange): string {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [facts.columns, facts.rows];
  const painted = paintFound(pixelsInRange(pixels, facts, range), COLOUR, ALPHA);
  canvas.getContext("2d")?.putImageData(new ImageData(painted, facts.columns, facts.rows), 0, 0);
  return canvas.toDataURL();
}
