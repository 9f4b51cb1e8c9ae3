/** Draws a volume's line: its points and its way on planes and slices, the place that is looked at. */

import { columnAt, lineRowAt, placeAt, type CurveGeometry } from "../core/curve";
import { lengthsOf, pointOf, type CurveRuler } from "../core/curve-measure";
import type { Triple } from "../core/facts";
import { formatNumber } from "../core/format";
import { added, scaled } from "../core/mpr";
import { heightOver, imageFromLps, planeOf, type ImagePlane } from "../core/planes";
import { t } from "../core/text";
import { applyMatrix, canvasFromImage, type Matrix, type Point, type Size, type View } from "../core/view";
import { extentOf, type Shown } from "../render/viewport";
import { curveOf, isCurvedOn, markerMm, type Curve } from "../state/curves";
import { paneOf } from "../state/panes";
import type { Store } from "../state/store";
import type { MarksLayer } from "./viewer-layers";

const SVG = "http://www.w3.org/2000/svg";
/** The line is no longer seen from so far away. */
const FAR_MM = 20;
const FAR_OF_SECTION_MM = 3;
const BANDS = 5;
const STEP_MM = 1;
const POINT_PX = 4;
const MARKER_PX = 8;

type Piece = readonly [tag: "path" | "circle" | "text", attributes: Readonly<Record<string, string>>, words?: string];

export class CurveLayer implements MarksLayer {
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
      group.replaceChildren(...pieces.map(elementOf));
    }
  }

  private pieces(shown: Shown, view: View, size: Size): Piece[] {
    const { state } = this.store;
    const pane = paneOf(state, this.paneId);
    const curve = curveOf(state, pane?.seriesId ?? "");
    const isWanted = state.tool === "curve" || isCurvedOn(state);
    if (pane === undefined || !isWanted || curve.wish.points.length === 0) {
      return [];
    }
    const matrix = canvasFromImage(view, extentOf(shown.facts), size);
    if (pane.shows === "curved") {
      return alongPieces(curve, matrix, size);
    }
    const plane = planeOf(shown.facts);
    return plane === null ? [] : planePieces(curve, plane, matrix, { isSection: pane.shows === "section", hasMarker: isCurvedOn(state) && pane.shows !== "section" });
  }
}

/** The line where its columns cross it, and the marker from top to bottom. */
function alongPieces(curve: Curve, matrix: Matrix, size: Size): Piece[] {
  const { picture } = curve;
  if (picture === null) {
    return [];
  }
  const { geometry } = picture;
  const stride = Math.max(1, Math.floor(geometry.columns / 400));
  const line: Point[] = [];
  for (let column = 0; column < geometry.columns; column += stride) {
    line.push(applyMatrix(matrix, { x: column, y: lineRowAt(geometry, column) }));
  }
  const at = columnAt(geometry, markerMm(curve));
  const ends = [-0.5, geometry.rows - 0.5].map((y) => applyMatrix(matrix, { x: at, y }));
  const cross = applyMatrix(matrix, { x: at, y: lineRowAt(geometry, at) });
  return [
    ["path", { class: "curve-line is-quiet", d: pathOf(line) }],
    ["path", { class: "curve-marker", d: pathOf(ends) }],
    ["circle", { class: "curve-marker", cx: plain(cross.x), cy: plain(cross.y), r: `${POINT_PX}` }],
    ...(curve.rulers ?? []).flatMap((ruler) => rulerPieces(geometry, ruler, matrix, size)),
  ];
}

/** A length with its three numbers: which of them is meant, who drew it knows. */
function rulerPieces(geometry: CurveGeometry, ruler: CurveRuler, matrix: Matrix, size: Size): Piece[] {
  const ends = [ruler.from, ruler.to].map((spot) => applyMatrix(matrix, pointOf(geometry, spot)));
  const low = ends.reduce((one, other) => (other.y > one.y ? other : one));
  const anchor = low.x > size.width / 2 ? "end" : "start";
  const { alongMm, acrossMm, straightMm } = lengthsOf(geometry, ruler);
  const [along, across, straight] = [alongMm, acrossMm, straightMm].map((mm) => formatNumber(mm, 1));
  const words = t("{along} mm along the line · {across} mm across · {straight} mm straight", { along: along ?? "", across: across ?? "", straight: straight ?? "" });
  return [
    ["path", { class: "curve-ruler", d: pathOf(ends) }],
    ...ends.map(({ x, y }): Piece => ["circle", { class: "curve-ruler", cx: plain(x), cy: plain(y), r: "2.5" }]),
    ["text", { class: "mark-text curve-ruler-text", x: plain(low.x), y: plain(low.y + 18), "text-anchor": anchor }, words],
  ];
}

function planePieces(curve: Curve, plane: ImagePlane, matrix: Matrix, { isSection, hasMarker }: { readonly isSection: boolean; readonly hasMarker: boolean }): Piece[] {
  const far = isSection ? FAR_OF_SECTION_MM : FAR_MM;
  const nearness = (lps: Triple): number => Math.max(0, 1 - Math.abs(heightOver(plane, lps)) / far);
  const placed = (lps: Triple): Point => applyMatrix(matrix, imageFromLps(plane, lps));
  const bands = new Map<number, string>();
  const way = wayOf(curve);
  way.forEach((from, index) => {
    const to = way[index + 1];
    const band = to === undefined ? 0 : Math.ceil(BANDS * Math.min(nearness(from), nearness(to)));
    if (to !== undefined && band > 0) {
      bands.set(band, (bands.get(band) ?? "") + pathOf([placed(from), placed(to)]));
    }
  });
  const pieces: Piece[] = [...bands].map(([band, d]) => ["path", { class: "curve-line", d, "stroke-opacity": plain(band / BANDS) }]);
  curve.wish.points.forEach((lps, index) => {
    const near = nearness(lps);
    if (near > 0) {
      const { x, y } = placed(lps);
      const name = index === curve.selected ? "curve-point is-selected" : "curve-point";
      pieces.push(["circle", { class: name, cx: plain(x), cy: plain(y), r: `${POINT_PX}`, opacity: plain(Math.max(0.25, near)) }]);
    }
  });
  return hasMarker ? [...pieces, ...markerPieces(curve, nearness, placed)] : pieces;
}

function markerPieces(curve: Curve, nearness: (lps: Triple) => number, placed: (lps: Triple) => Point): Piece[] {
  const lps = curve.picture === null ? null : placeAt(curve.picture.geometry, markerMm(curve)).lps;
  if (lps === null) {
    return [];
  }
  const { x, y } = placed(lps);
  return [["circle", { class: "curve-marker", cx: plain(x), cy: plain(y), r: `${MARKER_PX}`, opacity: plain(Math.max(0.35, nearness(lps))) }]];
}

/** The smooth line where it is known of these very points; else from point to point. */
function wayOf({ wish: { points }, picture }: Curve): readonly Triple[] {
  if (picture?.wish.points === points) {
    const { geometry } = picture;
    const stride = Math.max(1, Math.round(STEP_MM / geometry.spacingMm));
    return geometry.points.filter((_, column) => column % stride === 0 || column === geometry.columns - 1);
  }
  return points.flatMap((point, index) => {
    const next = points[index + 1];
    if (next === undefined) {
      return [point];
    }
    const way = added(next, scaled(point, -1));
    const count = Math.max(1, Math.ceil(Math.hypot(...way) / STEP_MM));
    return Array.from({ length: count }, (_, part) => added(point, scaled(way, part / count)));
  });
}

function pathOf(points: readonly Point[]): string {
  return points.map(({ x, y }, index) => `${index === 0 ? "M" : "L"}${plain(x)} ${plain(y)}`).join("");
}

function plain(value: number): string {
  return value.toFixed(2);
}

function elementOf([tag, attributes, words = ""]: Piece): SVGElement {
  const element = document.createElementNS(SVG, tag);
  Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  element.textContent = words;
  return element;
}
