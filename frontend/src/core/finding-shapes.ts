/**
 * How findings are drawn and held: outlines and handles in pixels of the image. `aspect` is the
 * height of a pixel by its width, so that circles are round and axes square on the plane.
 */

import type { Finding, FindingKind } from "./findings";
import type { Pair } from "./measure-plane";

export interface Outline {
  /** Lines through points; a closed one ends where it began. */
  readonly strokes: readonly (readonly Pair[])[];
  /** Lines that only lead the eye, drawn dashed. */
  readonly guides: readonly (readonly Pair[])[];
  /** Points that are marked by a cross. */
  readonly crosses: readonly Pair[];
  /** The tip of an arrow and where it comes from. */
  readonly arrow: readonly [Pair, Pair] | null;
}

const NOTHING: Outline = { strokes: [], guides: [], crosses: [], arrow: null };
const RIM_STEPS = 96;

type Shape = Pick<Finding, "kind" | "points">;

export function outlineOf({ kind, points }: Shape, aspect: number): Outline {
  const [a, b, c, d] = points;
  if (a === undefined) {
    return NOTHING;
  }
  switch (kind) {
    case "probe":
    case "point":
    case "spine_label":
      return { ...NOTHING, crosses: [a] };
    case "text":
      return b === undefined ? { ...NOTHING, crosses: [a] } : { ...NOTHING, strokes: [[a, b]] };
    case "arrow":
      return b === undefined ? { ...NOTHING, crosses: [a] } : { ...NOTHING, strokes: [[a, b]], arrow: [a, b] };
    case "cobb":
    case "bidirectional":
    case "cardiothoracic":
      return { ...NOTHING, strokes: pairsOf(points), guides: kind === "cobb" ? cobbGuide(a, b, c, d) : [] };
    case "rectangle":
      return { ...NOTHING, strokes: [closed(rectangleCorners(points))] };
    case "ellipse":
    case "circle":
      return { ...NOTHING, strokes: b === undefined ? [[a]] : [rimOf(kind, points, aspect)] };
    case "polygon":
      return { ...NOTHING, strokes: [closed(points)] };
    default:
      return { ...NOTHING, strokes: [points] };
  }
}

function pairsOf(points: readonly Pair[]): Pair[][] {
  const pairs: Pair[][] = [];
  for (let i = 0; i < points.length; i += 2) {
    pairs.push(points.slice(i, i + 2));
  }
  return pairs;
}

/** Joins the middles of both lines, so that the eye sees that they belong together. */
function cobbGuide(a: Pair, b?: Pair, c?: Pair, d?: Pair): Pair[][] {
  return b === undefined || c === undefined || d === undefined ? [] : [[middle(a, b), middle(c, d)]];
}

export function middle(one: Pair, other: Pair): Pair {
  return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
}

function closed(points: readonly Pair[]): Pair[] {
  return points.length === 0 ? [] : [...points, points[0] as Pair];
}

export function rectangleCorners(points: readonly Pair[]): readonly Pair[] {
  const [a, b, c, d] = points;
  if (a === undefined || b === undefined) {
    return points;
  }
  return c === undefined || d === undefined ? [a, [b[0], a[1]], b, [a[0], b[1]]] : [a, b, c, d];
}

/** Centre and the two half axes, in pixels. */
function axesOf(kind: FindingKind, points: readonly Pair[], aspect: number): [Pair, Pair, Pair] {
  const [a, b, c, d] = points as [Pair, Pair, Pair?, Pair?];
  if (kind === "circle") {
    const [x, y] = [b[0] - a[0], b[1] - a[1]];
    return [a, [x, y], [-y * aspect, x / aspect]];
  }
  const half = (one: Pair, two: Pair): Pair => [(two[0] - one[0]) / 2, (two[1] - one[1]) / 2];
  if (c === undefined || d === undefined) {
    const [x, y] = half(a, b);
    return [middle(a, b), [x, 0], [0, y]];
  }
  return [middle(middle(a, b), middle(c, d)), half(a, b), half(c, d)];
}

function rimOf(kind: FindingKind, points: readonly Pair[], aspect: number): Pair[] {
  const [center, first, second] = axesOf(kind, points, aspect);
  return Array.from({ length: RIM_STEPS + 1 }, (_, i): Pair => {
    const turn = (2 * Math.PI * i) / RIM_STEPS;
    const [x, y] = [Math.cos(turn), Math.sin(turn)];
    return [center[0] + x * first[0] + y * second[0], center[1] + x * first[1] + y * second[1]];
  });
}

/** Where a hand may hold the finding, in the order of `moveHandle`. */
export function handlesOf({ kind, points }: Shape): readonly Pair[] {
  if (kind === "rectangle") {
    return rectangleCorners(points);
  }
  const [a, b] = points;
  if (kind === "ellipse" && points.length === 2 && a !== undefined && b !== undefined) {
    const [x, y] = middle(a, b);
    return [[a[0], y], [b[0], y], [x, a[1]], [x, b[1]]];
  }
  return points;
}

/** The points after handle `index` was drawn to a place; what the kind asks for is kept. */
export function moveHandle({ kind, points }: Shape, index: number, to: Pair, aspect: number): Pair[] {
  if (kind === "rectangle") {
    return moveCorner(points, index, to, aspect);
  }
  if (kind === "ellipse") {
    return points.length === 2 ? moveSide(points, index, to) : moveAxisEnd(points, index, to, aspect);
  }
  if (kind === "bidirectional") {
    return moveBidirectional(points, index, to, aspect);
  }
  if (kind === "circle" && index === 0) {
    const [a] = points as [Pair];
    return shifted(points, [to[0] - a[0], to[1] - a[1]]);
  }
  return points.map((point, i) => (i === index ? to : point));
}

export function shifted(points: readonly Pair[], by: Pair): Pair[] {
  return points.map(([x, y]) => [x + by[0], y + by[1]]);
}

function moveCorner(points: readonly Pair[], index: number, to: Pair, aspect: number): Pair[] {
  if (points.length === 2) {
    const [a, b] = points as [Pair, Pair];
    const takesX = index === 0 || index === 3;
    const takesY = index === 0 || index === 1;
    const first: Pair = [takesX ? to[0] : a[0], takesY ? to[1] : a[1]];
    const second: Pair = [takesX ? b[0] : to[0], takesY ? b[1] : to[1]];
    return [first, second];
  }
  const corners = [0, 1, 2, 3].map((i) => points[(index + i) % 4] as Pair);
  const held = corners[2] as Pair;
  const side = along(corners[3] as Pair, held, to, aspect);
  const other = along(corners[1] as Pair, held, to, aspect);
  const moved = [to, other, held, side];
  return [0, 1, 2, 3].map((i) => moved[(i - index + 4) % 4] as Pair);
}

/** The foot of `to` on the line from `held` through `through`. */
function along(through: Pair, held: Pair, to: Pair, aspect: number): Pair {
  const [dx, dy] = [through[0] - held[0], through[1] - held[1]];
  const square = dx * dx + dy * dy * aspect * aspect;
  const part = square === 0 ? 0 : ((to[0] - held[0]) * dx + (to[1] - held[1]) * dy * aspect * aspect) / square;
  return [held[0] + part * dx, held[1] + part * dy];
}

function moveSide(points: readonly Pair[], index: number, to: Pair): Pair[] {
  const [a, b] = points as [Pair, Pair];
  switch (index) {
    case 0:
      return [[to[0], a[1]], b];
    case 1:
      return [a, [to[0], b[1]]];
    case 2:
      return [[a[0], to[1]], b];
    default:
      return [a, [b[0], to[1]]];
  }
}

/** Turns and stretches one axis about the centre; the other stays perpendicular and as long. */
function moveAxisEnd(points: readonly Pair[], index: number, to: Pair, aspect: number): Pair[] {
  const [center] = axesOf("ellipse", points, aspect);
  const isFirst = index < 2;
  const sign = index % 2 === 1 ? 1 : -1;
  const [x, y] = [(to[0] - center[0]) * sign, (to[1] - center[1]) * sign];
  const length = Math.hypot(x, y * aspect);
  if (length === 0) {
    return [...points];
  }
  const other = isFirst ? points.slice(2) : points.slice(0, 2);
  const [p, q] = other as [Pair, Pair];
  const half = Math.hypot(q[0] - p[0], (q[1] - p[1]) * aspect) / 2 / length;
  const across: Pair = isFirst ? [-y * aspect * half, (x * half) / aspect] : [y * aspect * half, (-x * half) / aspect];
  const ends = ([dx, dy]: Pair): [Pair, Pair] => [
    [center[0] - dx, center[1] - dy],
    [center[0] + dx, center[1] + dy],
  ];
  return isFirst ? [...ends([x, y]), ...ends(across)] : [...ends(across), ...ends([x, y])];
}

/** The short axis of a bidirectional: where it crosses the long one (0 to 1) and both arms. */
interface Across {
  readonly at: number;
  readonly one: number;
  readonly other: number;
}

function moveBidirectional(points: readonly Pair[], index: number, to: Pair, aspect: number): Pair[] {
  const [a, b, c, d] = points as [Pair, Pair, Pair?, Pair?];
  if (c === undefined || d === undefined) {
    return points.map((point, i) => (i === index ? to : point));
  }
  const across = readAcross(a, b, c, d, aspect);
  if (index < 2) {
    return crossed(index === 0 ? to : a, index === 0 ? b : to, across, aspect);
  }
  const foot = footOn(a, b, to, aspect);
  const isOne = index === 2;
  return crossed(a, b, { at: foot.at, one: isOne ? foot.off : across.one, other: isOne ? across.other : foot.off }, aspect);
}

function readAcross(a: Pair, b: Pair, c: Pair, d: Pair, aspect: number): Across {
  const [one, other] = [footOn(a, b, c, aspect), footOn(a, b, d, aspect)];
  return { at: (one.at + other.at) / 2, one: one.off, other: other.off };
}

/** How far along (0 to 1) and how far beside a line a point lies, in widths of a pixel. */
function footOn(a: Pair, b: Pair, point: Pair, aspect: number): { at: number; off: number } {
  const [dx, dy] = [b[0] - a[0], (b[1] - a[1]) * aspect];
  const [x, y] = [point[0] - a[0], (point[1] - a[1]) * aspect];
  const square = dx * dx + dy * dy;
  if (square === 0) {
    return { at: 0.5, off: 0 };
  }
  const at = Math.min(1, Math.max(0, (x * dx + y * dy) / square));
  return { at, off: (dx * y - dy * x) / Math.sqrt(square) };
}

function crossed(a: Pair, b: Pair, { at, one, other }: Across, aspect: number): Pair[] {
  const [dx, dy] = [b[0] - a[0], (b[1] - a[1]) * aspect];
  const length = Math.hypot(dx, dy) || 1;
  const [x, y] = [a[0] + at * (b[0] - a[0]), a[1] + at * (b[1] - a[1])];
  const beside = (off: number): Pair => [x - (dy / length) * off, y + ((dx / length) * off) / aspect];
  return [a, b, beside(one), beside(other)];
}

/** A short axis through a point beside the long one, as far to the other side. */
export function withShortAxis(a: Pair, b: Pair, through: Pair, aspect: number): Pair[] {
  const { at, off } = footOn(a, b, through, aspect);
  return crossed(a, b, { at, one: off, other: -off }, aspect);
}
