/** Where the texts of marks stand: beside what they speak of, never over it. CSS px throughout. */

import type { Pair } from "./measure-plane";
import type { Size } from "./view";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface LabelWish {
  readonly key: string;
  readonly size: Size;
  /** The mark's lines as they lie on the canvas. */
  readonly strokes: readonly (readonly Pair[])[];
}

export interface PlacedLabel {
  readonly box: Box;
  /** The point of the mark that a leader goes to. */
  readonly anchor: Pair;
  /** Which of the candidates it was, so that the next drawing keeps it. */
  readonly choice: number;
}

const DIRECTIONS: readonly Pair[] = [
  [1, 0],
  [0, 1],
  [0, -1],
  [-1, 0],
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
];
const DISTANCES_PX = [9, 24, 52, 100];
const EDGE_PX = 4;
const COVERS_LABEL = 400;
const COVERS_MARK = 300;
const COVERS_CORNER = 80;
const OUTSIDE = 500;
/** Where the pane has its own texts. */
const CORNER: Size = { width: 160, height: 64 };
const KEEPS_PLACE = -25;

export function placeLabels(
  wishes: readonly LabelWish[],
  pane: Size,
  before: ReadonlyMap<string, number>,
): Map<string, PlacedLabel> {
  const placed = new Map<string, PlacedLabel>();
  const marks = wishes.map(({ strokes }) => ({ strokes, frame: frameOf(strokes.flat()) }));
  const span = (i: number): number => (marks[i] as Mark).frame.width + (marks[i] as Mark).frame.height;
  // Small marks first: only what stands beside them is known to be theirs.
  const order = wishes.map((_, i) => i).sort((one, other) => span(one) - span(other));
  order.forEach((i) => {
    const wish = wishes[i] as LabelWish;
    const taken = [...placed.values()].map(({ box }) => box);
    // Beside its own frame a text never lies on its own lines.
    const others = marks.filter((_, j) => j !== i);
    placed.set(wish.key, placeOne(wish, (marks[i] as Mark).frame, pane, { others, taken, before: before.get(wish.key) }));
  });
  return placed;
}

interface Mark {
  readonly strokes: LabelWish["strokes"];
  readonly frame: Box;
}

interface Around {
  readonly others: readonly Mark[];
  readonly taken: readonly Box[];
  readonly before: number | undefined;
}

function placeOne(wish: LabelWish, frame: Box, pane: Size, around: Around): PlacedLabel {
  let [best, least]: [PlacedLabel | null, number] = [null, Infinity];
  DISTANCES_PX.forEach((distance, ring) => {
    DIRECTIONS.forEach((direction, i) => {
      const choice = ring * DIRECTIONS.length + i;
      const box = boxBeside(frame, wish.size, direction, distance);
      const cost = costOf(box, pane, around) + choice + (choice === around.before ? KEEPS_PLACE : 0);
      if (cost < least) {
        [best, least] = [{ box, anchor: nearestPoint(wish.strokes, box), choice }, cost];
      }
    });
  });
  return best ?? { box: boxBeside(frame, wish.size, [1, 0], DISTANCES_PX[0] as number), anchor: [frame.x, frame.y], choice: 0 };
}

function boxBeside(frame: Box, size: Size, [dx, dy]: Pair, distance: number): Box {
  const start = (from: number, span: number, own: number, side: number): number => {
    if (side === 0) {
      return from + span / 2 - own / 2;
    }
    return side > 0 ? from + span + distance : from - distance - own;
  };
  return {
    x: start(frame.x, frame.width, size.width, dx),
    y: start(frame.y, frame.height, size.height, dy),
    ...size,
  };
}

function costOf(box: Box, pane: Size, { others, taken }: Around): number {
  const isOutside =
    box.x < EDGE_PX ||
    box.y < EDGE_PX ||
    box.x + box.width > pane.width - EDGE_PX ||
    box.y + box.height > pane.height - EDGE_PX;
  const labels = taken.filter((other) => overlaps(box, other)).length;
  const marks = others.filter((mark) => overlaps(box, wider(mark.frame)) && mark.strokes.some((stroke) => crosses(stroke, box))).length;
  const isOnCorner =
    (box.x < CORNER.width || box.x + box.width > pane.width - CORNER.width) &&
    (box.y < CORNER.height || box.y + box.height > pane.height - CORNER.height);
  return (isOutside ? OUTSIDE : 0) + (isOnCorner ? COVERS_CORNER : 0) + labels * COVERS_LABEL + marks * COVERS_MARK;
}

/** A line has no width: its frame has. */
function wider({ x, y, width, height }: Box): Box {
  return { x: x - 1, y: y - 1, width: width + 2, height: height + 2 };
}

export function overlaps(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

export function frameOf(points: readonly Pair[]): Box {
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

/** Whether a line goes through a box (Liang and Barsky). */
export function crosses(stroke: readonly Pair[], box: Box): boolean {
  return stroke.some((point, i) => {
    const [ax, ay] = stroke[Math.max(0, i - 1)] as Pair;
    const [dx, dy] = [point[0] - ax, point[1] - ay];
    let [enter, leave] = [0, 1];
    for (const [step, room] of [
      [-dx, ax - box.x],
      [dx, box.x + box.width - ax],
      [-dy, ay - box.y],
      [dy, box.y + box.height - ay],
    ] as const) {
      if (step === 0 ? room < 0 : false) {
        return false;
      }
      if (step < 0) {
        enter = Math.max(enter, room / step);
      } else if (step > 0) {
        leave = Math.min(leave, room / step);
      }
    }
    return enter <= leave;
  });
}

function nearestPoint(strokes: readonly (readonly Pair[])[], box: Box): Pair {
  const off = ([x, y]: Pair): number => {
    const dx = Math.max(box.x - x, 0, x - box.x - box.width);
    const dy = Math.max(box.y - y, 0, y - box.y - box.height);
    return dx * dx + dy * dy;
  };
  return strokes.flat().reduce((one, other) => (off(other) < off(one) ? other : one));
}
