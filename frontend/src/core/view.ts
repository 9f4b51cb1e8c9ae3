/**
 * Where the picture lies on the canvas. Image space: column, row, the first pixel's centre is 0.
 * Canvas space: CSS px from the top left. All of it is plain numbers, so it can be tested.
 */

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A picture's frame: its pixels and how tall a pixel is, its width being 1. */
export interface Extent extends Size {
  readonly pixelAspect: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * `center` is the image point in the middle of the canvas; `scale` CSS px for one column; the
 * rotation turns clockwise after the mirror.
 */
export interface View {
  readonly center: Point;
  readonly scale: number;
  readonly rotationDeg: number;
  readonly mirrored: boolean;
}

/** canvas = (a x + c y + e, b x + d y + f), as in the Canvas 2D interface. */
export interface Matrix {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  readonly e: number;
  readonly f: number;
}

export function fitView(extent: Extent, canvas: Size, like?: View): View {
  const rotationDeg = like?.rotationDeg ?? 0;
  const mirrored = like?.mirrored ?? false;
  const { cos, sin } = turn(rotationDeg);
  const height = extent.height * extent.pixelAspect;
  const spanX = Math.abs(cos) * extent.width + Math.abs(sin) * height;
  const spanY = Math.abs(sin) * extent.width + Math.abs(cos) * height;
  const scale = Math.min(canvas.width / spanX, canvas.height / spanY);
  return { center: middleOf(extent), scale: scale > 0 ? scale : 1, rotationDeg, mirrored };
}

function middleOf(extent: Extent): Point {
  return { x: (extent.width - 1) / 2, y: (extent.height - 1) / 2 };
}

export function canvasFromImage(view: View, extent: Extent, canvas: Size): Matrix {
  const { cos, sin } = turn(view.rotationDeg);
  const mirror = view.mirrored ? -1 : 1;
  const a = view.scale * cos * mirror;
  const b = view.scale * sin * mirror;
  const c = -view.scale * sin * extent.pixelAspect;
  const d = view.scale * cos * extent.pixelAspect;
  return {
    a,
    b,
    c,
    d,
    e: canvas.width / 2 - a * view.center.x - c * view.center.y,
    f: canvas.height / 2 - b * view.center.x - d * view.center.y,
  };
}

export function applyMatrix(matrix: Matrix, { x, y }: Point): Point {
  return { x: matrix.a * x + matrix.c * y + matrix.e, y: matrix.b * x + matrix.d * y + matrix.f };
}

export function invertMatrix({ a, b, c, d, e, f }: Matrix): Matrix {
  const determinant = a * d - b * c;
  return {
    a: d / determinant,
    b: -b / determinant,
    c: -c / determinant,
    d: a / determinant,
    e: (c * f - d * e) / determinant,
    f: (b * e - a * f) / determinant,
  };
}

/** Moves the picture with the hand: `dx`, `dy` in canvas px. */
export function panView(view: View, extent: Extent, dx: number, dy: number): View {
  const linear = canvasFromImage(view, extent, { width: 0, height: 0 });
  const back = invertMatrix({ ...linear, e: 0, f: 0 });
  const shift = applyMatrix(back, { x: dx, y: dy });
  return { ...view, center: { x: view.center.x - shift.x, y: view.center.y - shift.y } };
}

const SMALLEST_SCALE = 0.02;
const LARGEST_SCALE = 64;

/** Zooms by a factor while the canvas point stays on the same image point. */
export function zoomView(view: View, extent: Extent, canvas: Size, factor: number, at: Point): View {
  const scale = Math.min(LARGEST_SCALE, Math.max(SMALLEST_SCALE, view.scale * factor));
  const held = applyMatrix(invertMatrix(canvasFromImage(view, extent, canvas)), at);
  const zoomed = { ...view, scale };
  const moved = applyMatrix(canvasFromImage(zoomed, extent, canvas), held);
  return panView(zoomed, extent, at.x - moved.x, at.y - moved.y);
}

export function rotateView(view: View, byDeg: number): View {
  return { ...view, rotationDeg: wrapDeg(view.rotationDeg + byDeg) };
}

/** Mirrors what is on the screen, left to right or top to bottom, whatever its rotation. */
export function flipView(view: View, axis: "horizontal" | "vertical"): View {
  const base = axis === "horizontal" ? 0 : 180;
  return { ...view, mirrored: !view.mirrored, rotationDeg: wrapDeg(base - view.rotationDeg) };
}

function wrapDeg(angle: number): number {
  return ((angle % 360) + 360) % 360;
}

function turn(deg: number): { cos: number; sin: number } {
  const quarter = deg % 90 === 0 ? (((deg / 90) % 4) + 4) % 4 : null;
  if (quarter !== null) {
    return { cos: [1, 0, -1, 0][quarter] as number, sin: [0, 1, 0, -1][quarter] as number };
  }
  return { cos: Math.cos((deg * Math.PI) / 180), sin: Math.sin((deg * Math.PI) / 180) };
}
