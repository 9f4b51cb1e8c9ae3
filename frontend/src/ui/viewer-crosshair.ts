/** Draws the lines in which the other planes of a volume cross the one on the screen, each in its colour. */

import { crosshairOn, GAP_PX, type PlaneLine } from "../core/crosshair";
import { planeOf } from "../core/planes";
import { canvasFromImage, type Point, type Size, type View } from "../core/view";
import { extentOf, type Shown } from "../render/viewport";
import { paneOf } from "../state/panes";
import type { Store } from "../state/store";
import type { MarksLayer } from "./viewer-layers";

const SVG = "http://www.w3.org/2000/svg";
const HANDLE_PX = 4.5;

interface Piece {
  readonly tag: "path" | "circle";
  readonly attributes: Readonly<Record<string, string>>;
}

export class CrosshairLayer implements MarksLayer {
  private drawn = "";

  constructor(
    private readonly store: Store,
    private readonly paneId: string,
  ) {}

  draw(group: SVGGElement, shown: Shown, view: View, size: Size): void {
    const pieces = this.pieces(shown, view, size);
    const now = JSON.stringify(pieces);
    if (now !== this.drawn) {
      this.drawn = now;
      group.replaceChildren(...pieces.map((piece) => elementOf(piece)));
    }
  }

  private pieces(shown: Shown, view: View, size: Size): Piece[] {
    const { state } = this.store;
    const pane = paneOf(state, this.paneId);
    const mpr = state.mpr.get(pane?.seriesId ?? "");
    const plane = shown.facts.reformatted === undefined ? null : planeOf(shown.facts);
    if (!state.hasCrosshair || pane?.shows !== "plane" || mpr === undefined || plane === null) {
      return [];
    }
    const { center, lines } = crosshairOn(pane.plane, mpr, plane, canvasFromImage(view, extentOf(shown.facts), size), size);
    const far = 2 * (size.width + size.height);
    return lines.flatMap((line) => piecesOf(line, center, far));
  }
}

function piecesOf({ name, along, edge, handles }: PlaneLine, center: Point, far: number): Piece[] {
  const at = (way: number, aside: Point = { x: 0, y: 0 }): string =>
    `${(center.x + way * along.x + aside.x).toFixed(2)} ${(center.y + way * along.y + aside.y).toFixed(2)}`;
  const line = `M${at(GAP_PX)}L${at(far)}M${at(-GAP_PX)}L${at(-far)}`;
  const pieces: Piece[] = [{ tag: "path", attributes: { class: `plane-line ${name}`, d: line } }];
  if (edge !== null) {
    const other = { x: -edge.x, y: -edge.y };
    pieces.push({ tag: "path", attributes: { class: `plane-edge ${name}`, d: `M${at(far, edge)}L${at(-far, edge)}M${at(far, other)}L${at(-far, other)}` } });
  }
  for (const { x, y } of handles) {
    pieces.push({ tag: "circle", attributes: { class: `plane-handle ${name}`, cx: x.toFixed(2), cy: y.toFixed(2), r: `${HANDLE_PX}` } });
  }
  return pieces;
}

function elementOf({ tag, attributes }: Piece): SVGElement {
  const element = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  return element;
}
