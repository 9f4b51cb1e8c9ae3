/** Outlines of segmentations and structures, and what a presentation state draws, over a picture. */

import { dashOf, type MarkStyle } from "../core/finding-style";
import { belongsTo, firstOf, fromDisplay, pathOf, roundPoints, shutterPath, type PresentationState, type Shape, type StateGraphic } from "../core/stored-objects";
import { applyMatrix, canvasFromImage, type Matrix, type Point, type Size, type View } from "../core/view";
import { extentOf, type Shown } from "../render/viewport";
import type { MarksLayer } from "./viewer-layers";

const SVG = "http://www.w3.org/2000/svg";
const POINT_PX = 4;
const FILL = 0.3;

export interface ColouredShape extends Shape {
  readonly colour: string;
}

export interface ColouredWords {
  readonly text: string;
  readonly at: Point;
  readonly colour: string;
}

/** What lies on an image now; the same object as long as nothing has changed. */
export interface Overlay {
  readonly shapes: readonly ColouredShape[];
  readonly words: readonly ColouredWords[];
  readonly state: PresentationState | null;
  /** Marks of the state that are on the page as findings: they are drawn once, as these. */
  readonly live: ReadonlySet<string>;
}

export class ObjectLayer implements MarksLayer {
  private readonly placed = document.createElementNS(SVG, "g");
  private readonly words = document.createElementNS(SVG, "g");
  private drawn: Overlay | null = null;
  private of = "";

  constructor(private readonly overlayOf: (shown: Shown) => Overlay) {
    this.placed.setAttribute("class", "object-outlines");
    this.words.setAttribute("class", "object-words");
  }

  draw(group: SVGGElement, shown: Shown, view: View, size: Size): void {
    if (group.firstChild === null) {
      group.append(this.placed, this.words);
    }
    const overlay = this.overlayOf(shown);
    const matrix = canvasFromImage(view, extentOf(shown.facts), size);
    if (overlay !== this.drawn || this.of !== shown.facts.key) {
      this.drawn = overlay;
      this.of = shown.facts.key;
      this.placed.replaceChildren(...overlay.shapes.map(outline), ...stateShapes(overlay, shown));
    }
    const { a, b, c, d, e, f } = matrix;
    this.placed.setAttribute("transform", `matrix(${a} ${b} ${c} ${d} ${e} ${f})`);
    const words = [...overlay.words, ...stateWords(overlay, shown)];
    this.words.replaceChildren(...words.map((one) => wordsOf(one, matrix)));
  }
}

function element(name: string, attributes: Readonly<Record<string, string>>): SVGElement {
  const made = document.createElementNS(SVG, name);
  Object.entries(attributes).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function outline(shape: ColouredShape): SVGElement {
  return element("path", { d: pathOf(shape), stroke: shape.colour, fill: "none" });
}

function stateShapes({ state, live }: Overlay, { facts }: Shown): SVGElement[] {
  if (state === null) {
    return [];
  }
  const { columns, rows, instanceId, frame } = facts;
  const marks = state.marks.filter(({ images }) => images.length === 0 || belongsTo(images, instanceId, frame));
  const area = firstOf(state.areas, instanceId, frame);
  const place = (graphic: StateGraphic) => (point: Point): Point =>
    graphic.isOfDisplay ? fromDisplay(point, state, area, columns, rows) : point;
  const isSeen = ({ markId }: StateGraphic): boolean => !live.has(markId);
  const graphics = marks.flatMap(({ graphics: all }) => all.filter(isSeen).map((graphic) => graphicOf(graphic, graphic.points.map(place(graphic)))));
  if (state.shutter === null) {
    return graphics;
  }
  const hidden = shutterPath(state.shutter, columns, rows).split("\n");
  return [...hidden.map((path) => element("path", { class: "object-shutter", d: path, "fill-rule": "evenodd" })), ...graphics];
}

function graphicOf(graphic: StateGraphic, points: readonly Point[]): SVGElement {
  const { kind, colour, isFilled, style } = graphic;
  const dash = dashOf(style);
  const stroke = { stroke: colour, ...(dash === null ? {} : { "stroke-dasharray": dash, "stroke-linecap": "round" }) };
  if (kind === "POINT") {
    const { x, y } = points[0] ?? { x: 0, y: 0 };
    const size = POINT_PX / 8;
    return line({ d: `M${x - size} ${y}H${x + size}M${x} ${y - size}V${y + size}`, ...stroke, fill: "none" }, style);
  }
  const isRound = kind === "CIRCLE" || kind === "ELLIPSE";
  const way = pathOf({ part: 0, closed: isRound, points: isRound ? roundPoints(kind, points) : points });
  return line({ d: way, ...stroke, fill: isFilled ? colour : "none", "fill-opacity": `${style.fillOpacity ?? FILL}` }, style);
}

/** Widths and dashes are those of the screen, however large the picture is. */
function line(attributes: Readonly<Record<string, string>>, { lineWidthPx }: MarkStyle): SVGElement {
  const made = element("path", attributes);
  made.style.strokeWidth = lineWidthPx === undefined ? "" : `${lineWidthPx}`;
  return made;
}

function stateWords({ state, live }: Overlay, { facts }: Shown): ColouredWords[] {
  if (state === null) {
    return [];
  }
  const { columns, rows, instanceId, frame } = facts;
  const area = firstOf(state.areas, instanceId, frame);
  return state.marks
    .filter(({ images }) => images.length === 0 || belongsTo(images, instanceId, frame))
    .flatMap(({ words }) => words)
    .filter(({ markId }) => !live.has(markId))
    .map(({ text, at, isOfDisplay, colour }) => ({ text, at: isOfDisplay ? fromDisplay(at, state, area, columns, rows) : at, colour }));
}

function wordsOf({ text, at, colour }: ColouredWords, matrix: Matrix): SVGElement {
  const { x, y } = applyMatrix(matrix, at);
  const made = element("text", { x: `${x}`, y: `${y}`, fill: colour });
  text.split("\n").forEach((line, number) => {
    const span = element("tspan", { x: `${x}`, dy: number === 0 ? "0" : "1.2em" });
    span.textContent = line;
    made.append(span);
  });
  return made;
}
