/** Draws findings as SVG over a picture: lines with a dark halo, texts beside them, handles to hold. */

import { handlesOf, outlineOf } from "../core/finding-shapes";
import { toCanvas } from "../core/finding-hit";
import { styleVariables } from "../core/finding-style";
import type { Finding } from "../core/findings";
import { placeLabels, type LabelWish, type PlacedLabel } from "../core/mark-labels";
import type { Pair } from "../core/measure-plane";
import { canvasFromImage, type Matrix, type Size, type View } from "../core/view";
import { extentOf, type Shown } from "./viewport";

/** A finding as it is to be seen. */
export interface DrawnMark {
  readonly finding: Finding;
  readonly lines: readonly string[];
  readonly colour: string;
  readonly isSelected: boolean;
  /** Not on the server, or in dispute: the line is dashed. */
  readonly isLoose: boolean;
}

/** What stands at the pointer: the mode that a press would begin. */
export interface PointerHint {
  readonly at: Pair;
  readonly text: string;
}

const SVG = "http://www.w3.org/2000/svg";
const TEXT_PX = 12;
const LINE_HEIGHT = 1.3;
const PADDING_PX = 3;
const CROSS_PX = 6;
const TIP_PX = 11;
const LEADER_PX = 14;
const HANDLE_RADIUS_PX = 6;
const COARSE_HANDLE_RADIUS_PX = 11;

export class MarksDrawing {
  private readonly groups = new Map<string, SVGGElement>();
  private choices = new Map<string, number>();
  private readonly radius: number;
  private textPx = TEXT_PX;

  constructor(isCoarse: boolean) {
    this.radius = isCoarse ? COARSE_HANDLE_RADIUS_PX : HANDLE_RADIUS_PX;
  }

  draw(root: SVGGElement, marks: readonly DrawnMark[], shown: Shown, view: View, size: Size, hint: PointerHint | null): void {
    if (marks.length > 0) {
      // Asked only when it is needed: the answer makes the browser style the page at once.
      this.textPx = Number.parseFloat(getComputedStyle(root).getPropertyValue("--mark-text")) || TEXT_PX;
    }
    const extent = extentOf(shown.facts);
    const matrix = canvasFromImage(view, extent, size);
    const labels = this.placeTexts(marks, matrix, extent.pixelAspect, size);
    const keys = new Set(marks.map(({ finding }) => finding.key));
    for (const [key, group] of this.groups) {
      if (!keys.has(key)) {
        group.remove();
        this.groups.delete(key);
      }
    }
    for (const [place, mark] of marks.entries()) {
      const group = this.groupOf(mark.finding.key, root);
      if (root.children[place] !== group) {
        root.insertBefore(group, root.children[place] ?? null);
      }
      group.replaceChildren(...this.partsOf(mark, matrix, extent.pixelAspect, labels.get(mark.finding.key)));
      group.setAttribute("class", `mark ${mark.isSelected ? "is-selected" : ""} ${mark.isLoose ? "is-loose" : ""}`);
      group.setAttribute("data-kind", mark.finding.kind);
      group.style.setProperty("--mark", mark.colour);
      for (const [name, value] of Object.entries(styleVariables(mark.finding.kind, mark.finding.style))) {
        group.style.setProperty(name, value);
      }
    }
    this.drawHint(root, hint);
  }

  private groupOf(key: string, root: SVGGElement): SVGGElement {
    const known = this.groups.get(key);
    if (known !== undefined) {
      return known;
    }
    const group = document.createElementNS(SVG, "g");
    group.setAttribute("data-key", key);
    this.groups.set(key, group);
    root.append(group);
    return group;
  }

  private placeTexts(marks: readonly DrawnMark[], matrix: Matrix, aspect: number, size: Size): Map<string, PlacedLabel> {
    const wishes = marks
      .filter(({ lines }) => lines.length > 0)
      .map(({ finding, lines }): LabelWish => {
        const textPx = this.textPxOf(finding);
        const width = Math.max(...lines.map((line) => widthOf(line) * textPx)) + 2 * PADDING_PX;
        const height = lines.length * textPx * LINE_HEIGHT + 2 * PADDING_PX;
        return { key: finding.key, size: { width, height }, strokes: strokesOnCanvas(finding, matrix, aspect) };
      });
    const placed = placeLabels(wishes, size, this.choices);
    this.choices = new Map([...placed].map(([key, { choice }]) => [key, choice]));
    return placed;
  }

  private textPxOf({ style }: Finding): number {
    return style?.fontSizePx ?? this.textPx;
  }

  private partsOf(mark: DrawnMark, matrix: Matrix, aspect: number, label: PlacedLabel | undefined): SVGElement[] {
    const { finding } = mark;
    const { strokes, guides, crosses, arrow } = outlineOf(finding, aspect);
    const place = (point: Pair): Pair => toCanvas(matrix, point);
    const path = [...strokes.map((stroke) => pathOf(stroke.map(place))), ...crosses.map((at) => crossOf(place(at)))].join("");
    const parts = [element("path", "mark-halo", { d: path }), element("path", "mark-line", { d: path })];
    if (guides.length > 0) {
      parts.push(element("path", "mark-guide", { d: guides.map((guide) => pathOf(guide.map(place))).join("") }));
    }
    if (arrow !== null) {
      parts.push(element("path", "mark-tip", { d: tipOf(place(arrow[0]), place(arrow[1])) }));
    }
    if (mark.isSelected) {
      const handles = handlesOf(finding).map(place);
      parts.push(...handles.map(([cx, cy]) => element("circle", "mark-handle", { cx, cy, r: this.radius })));
    }
    if (label !== undefined) {
      parts.push(...textOf(mark.lines, label, this.textPxOf(finding)));
    }
    return parts;
  }

  private drawHint(root: SVGGElement, hint: PointerHint | null): void {
    const before = root.querySelector(":scope > .mark-hint");
    if (hint === null) {
      before?.remove();
      return;
    }
    const text = before ?? root.appendChild(element("text", "mark-hint", {}));
    text.setAttribute("x", `${hint.at[0] + 16}`);
    text.setAttribute("y", `${hint.at[1] + 26}`);
    if (text.textContent !== hint.text) {
      text.textContent = hint.text;
    }
  }
}

function strokesOnCanvas(finding: Finding, matrix: Matrix, aspect: number): Pair[][] {
  const { strokes, guides, crosses } = outlineOf(finding, aspect);
  const marked = crosses.map((at): Pair[] => {
    const [x, y] = toCanvas(matrix, at);
    return [[x - CROSS_PX, y - CROSS_PX], [x + CROSS_PX, y + CROSS_PX]];
  });
  return [...[...strokes, ...guides].map((stroke) => stroke.map((point) => toCanvas(matrix, point))), ...marked];
}

function element(name: string, className: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name) as SVGElement;
  made.setAttribute("class", className);
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, `${value}`);
  }
  return made;
}

function pathOf(points: readonly Pair[]): string {
  return points.map(([x, y], i) => `${i === 0 ? "M" : "L"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
}

function crossOf([x, y]: Pair): string {
  const [left, right, top, bottom] = [x - CROSS_PX, x + CROSS_PX, y - CROSS_PX, y + CROSS_PX];
  return pathOf([[left, y], [right, y]]) + pathOf([[x, top], [x, bottom]]);
}

/** The head of an arrow, its tip at the first point. */
function tipOf([x, y]: Pair, from: Pair): string {
  const turn = Math.atan2(from[1] - y, from[0] - x);
  const side = (by: number): Pair => [x + TIP_PX * Math.cos(turn + by), y + TIP_PX * Math.sin(turn + by)];
  return `${pathOf([[x, y], side(0.42), side(-0.42)])}Z`;
}

function textOf(lines: readonly string[], { box, anchor }: PlacedLabel, textPx: number): SVGElement[] {
  const text = element("text", "mark-text", {});
  lines.forEach((line, i) => {
    const y = box.y + PADDING_PX + (i + 1) * textPx * LINE_HEIGHT - textPx / 3;
    const span = element("tspan", "", { x: box.x + PADDING_PX, y });
    span.textContent = line;
    text.append(span);
  });
  const end: Pair = [clamp(anchor[0], box.x, box.x + box.width), clamp(anchor[1], box.y, box.y + box.height)];
  const isFar = Math.hypot(end[0] - anchor[0], end[1] - anchor[1]) > LEADER_PX;
  return isFar ? [element("path", "mark-leader", { d: pathOf([anchor, end]) }), text] : [text];
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

const widths = new Map<string, number>();
const MOST_WIDTHS = 2000;
const RULER_PX = 100;
let ruler: CanvasRenderingContext2D | null = null;

/** For letters of 1 px. */
function widthOf(text: string): number {
  const known = widths.get(text);
  if (known !== undefined) {
    return known;
  }
  if (widths.size > MOST_WIDTHS) {
    widths.clear();
  }
  ruler ??= document.createElement("canvas").getContext("2d");
  if (ruler !== null) {
    ruler.font = `500 ${RULER_PX}px Inter, system-ui, sans-serif`;
  }
  const width = (ruler?.measureText(text).width ?? (text.length * RULER_PX) / 2) / RULER_PX;
  widths.set(text, width);
  return width;
}
