/** Hands and keys on what is turned, a body or a surface: mouse, pen, fingers, wheel, keyboard. */

import { dragBall, nudge, pan, SIDES, zoom, type BodyCamera, type Side } from "../core/body-view";
import type { Point, Size } from "../core/view";

export interface Turned {
  /** null: there is nothing to turn yet. */
  readonly camera: () => BodyCamera | null;
  readonly size: () => Size;
  readonly setCamera: (camera: BodyCamera) => void;
  readonly turnTo: (side: Side) => void;
  readonly reset: () => void;
  /** A hand takes hold of it, or lets go. */
  readonly hold?: (isHeld: boolean) => void;
  /** What a drag from here does instead of turning; null: it turns. */
  readonly dragInstead?: (event: PointerEvent, from: Point) => ((to: Point) => void) | null;
  /** Turns by itself, or no longer. */
  readonly play?: () => void;
}

const STEP_RAD = Math.PI / 36;
export const LARGE_STEP_RAD = Math.PI / 6;
const ZOOM_STEP = 1.1;
const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [1, 0],
  ArrowRight: [-1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** One finger or the left button turns; two fingers, Shift or the middle button move; the right one zooms. */
export function wireHands(field: HTMLElement, turned: Turned): void {
  const down = new Map<number, Point>();
  let drag: ((to: Point) => void) | null = null;
  let pinch: ((middle: Point, spread: number) => void) | null = null;
  const begin = (event: PointerEvent | null): void => {
    const start = turned.camera();
    const [from, other] = [...down.values()];
    [drag, pinch] = [null, null];
    if (start === null || from === undefined) {
      return;
    }
    const instead = event === null || other !== undefined ? null : (turned.dragInstead?.(event, from) ?? null);
    if (instead !== null) {
      drag = instead;
    } else if (other !== undefined) {
      const [middle, spread] = [middleOf(from, other), Math.max(1, spreadOf(from, other))];
      pinch = (to, wide) => turned.setCamera(pan(zoom(start, turned.size(), wide / spread, middle), to.x - middle.x, to.y - middle.y));
    } else if (event?.button === 1 || event?.shiftKey === true) {
      drag = (to) => turned.setCamera(pan(start, to.x - from.x, to.y - from.y));
    } else if (event?.button === 2) {
      drag = (to) => turned.setCamera(zoom(start, turned.size(), Math.exp((from.y - to.y) / 150)));
    } else {
      drag = (to) => turned.setCamera(dragBall(start, turned.size(), from, to));
    }
  };
  field.addEventListener("pointerdown", (event) => {
    if (event.button > 2) {
      return;
    }
    event.preventDefault();
    field.focus({ preventScroll: true });
    field.setPointerCapture(event.pointerId);
    down.set(event.pointerId, placeOf(field, event));
    turned.hold?.(true);
    begin(event);
  });
  field.addEventListener("pointermove", (event) => {
    if (!down.has(event.pointerId)) {
      return;
    }
    down.set(event.pointerId, placeOf(field, event));
    const [one, other] = [...down.values()];
    if (pinch !== null && one !== undefined && other !== undefined) {
      pinch(middleOf(one, other), spreadOf(one, other));
    } else if (one !== undefined) {
      drag?.(one);
    }
  });
  for (const end of ["pointerup", "pointercancel"] as const) {
    field.addEventListener(end, (event) => {
      if (down.delete(event.pointerId)) {
        begin(null);
        if (down.size === 0) {
          turned.hold?.(false);
        }
      }
    });
  }
  field.addEventListener("contextmenu", (event) => event.preventDefault());
  field.addEventListener("keydown", (event) => press(turned, event));
  const turnWheel = (event: WheelEvent): void => {
    event.preventDefault();
    const camera = turned.camera();
    if (camera !== null) {
      turned.setCamera(zoom(camera, turned.size(), event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, placeOf(field, event)));
    }
  };
  field.addEventListener("wheel", turnWheel, { passive: false });
}

/** Keys of this view go before those of the page while it has the focus. */
function press(turned: Turned, event: KeyboardEvent): void {
  const camera = turned.camera();
  if (camera === null || event.altKey || event.ctrlKey || event.metaKey) {
    return;
  }
  const side = SIDES[Number(event.key) - 1];
  const arrow = ARROWS[event.key];
  if (side !== undefined) {
    turned.turnTo(side);
  } else if (arrow !== undefined) {
    const by = event.shiftKey ? LARGE_STEP_RAD : STEP_RAD;
    turned.setCamera(nudge(camera, arrow[0] * by, -arrow[1] * by));
  } else if (event.key === "+" || event.key === "=") {
    turned.setCamera(zoom(camera, turned.size(), ZOOM_STEP));
  } else if (event.key === "-") {
    turned.setCamera(zoom(camera, turned.size(), 1 / ZOOM_STEP));
  } else if (event.key === " " && turned.play !== undefined) {
    turned.play();
  } else if (event.key === "x") {
    turned.reset();
  } else {
    return;
  }
  event.preventDefault();
  event.stopPropagation();
}

function placeOf(field: HTMLElement, event: MouseEvent): Point {
  const box = field.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

function middleOf(one: Point, other: Point): Point {
  return { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 };
}

function spreadOf(one: Point, other: Point): number {
  return Math.hypot(one.x - other.x, one.y - other.y);
}
