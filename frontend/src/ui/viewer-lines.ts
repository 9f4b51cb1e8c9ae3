/** Marks that say where a pane's picture lies among the others: reference lines and the 3D cursor. */

import { crossing, heightOver, imageFromLps, nearestSlice, planeOf, shareSpace, type ImagePlane } from "../core/planes";
import { applyMatrix, canvasFromImage, type Matrix, type Point, type Size, type View } from "../core/view";
import { extentOf, type Shown } from "../render/viewport";
import { planeIn, planesOf } from "../state/links";
import { activePane, paneOf, stackIn } from "../state/panes";
import type { Cursor, Store } from "../state/store";
import type { MarksLayer } from "./viewer-layers";

const SVG = "http://www.w3.org/2000/svg";
const GAP_PX = 7;
const ARM_PX = 22;
/** A cursor so far from the slice is still on it: half a slice, and this at least. */
const NEAR_MM = 0.5;

export class PlaceLayer implements MarksLayer {
  private drawn = "";

  constructor(
    private readonly store: Store,
    private readonly paneId: string,
  ) {}

  draw(group: SVGGElement, shown: Shown, view: View, size: Size): void {
    const plane = planeOf(shown.facts);
    const matrix = canvasFromImage(view, extentOf(shown.facts), size);
    const paths = plane === null ? [] : [...this.linePaths(plane, matrix), ...this.cursorPaths(shown, plane, matrix)];
    const now = paths.map(([name, path]) => `${name} ${path}`).join("\n");
    if (now !== this.drawn) {
      this.drawn = now;
      group.replaceChildren(...paths.map(([name, path]) => pathOf(name, path)));
    }
  }

  private linePaths(plane: ImagePlane, matrix: Matrix): [string, string][] {
    const { state } = this.store;
    const own = paneOf(state, this.paneId);
    const active = activePane(state);
    if (own?.shows === "plane" && active.shows === "plane" && own.seriesId === active.seriesId) {
      // They cross in the lines that can be taken hold of.
      return [];
    }
    const cutting = planeIn(state, activePane(state));
    if (!state.links.lines || this.paneId === state.activePaneId || cutting === null || !shareSpace(plane, cutting)) {
      return [];
    }
    const line = crossing(plane, cutting);
    return line === null ? [] : [["reference-line", stroke(applyMatrix(matrix, line.from), applyMatrix(matrix, line.to))]];
  }

  private cursorPaths(shown: Shown, plane: ImagePlane, matrix: Matrix): [string, string][] {
    const { cursor } = this.store.state;
    if (cursor === null || cursor.frameOfReferenceUid !== plane.frameOfReferenceUid || !this.isOnSlice(shown, plane, cursor)) {
      return [];
    }
    const { x, y } = applyMatrix(matrix, imageFromLps(plane, cursor.lps));
    const arms = [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ] as const;
    const path = arms
      .map(([dx, dy]) => stroke({ x: x + dx * GAP_PX, y: y + dy * GAP_PX }, { x: x + dx * ARM_PX, y: y + dy * ARM_PX }))
      .join("");
    return [["cursor-cross", path]];
  }

  /** In the slice that is on the screen, or nearer to it than to any other of its stack. */
  private isOnSlice({ facts }: Shown, plane: ImagePlane, cursor: Cursor): boolean {
    if (Math.abs(heightOver(plane, cursor.lps)) <= Math.max(NEAR_MM, plane.thicknessMm / 2)) {
      return true;
    }
    const { state } = this.store;
    const pane = paneOf(state, this.paneId);
    const stack = pane === undefined ? null : stackIn(state, pane);
    const found = stack === null ? null : nearestSlice(planesOf(stack), cursor.lps, plane);
    return found !== null && found.isInside && stack?.images[found.index] === facts;
  }
}

function stroke(from: Point, to: Point): string {
  const at = ({ x, y }: Point): string => `${x.toFixed(2)} ${y.toFixed(2)}`;
  return `M${at(from)}L${at(to)}`;
}

function pathOf(name: string, path: string): SVGPathElement {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", name);
  element.setAttribute("d", path);
  return element;
}
