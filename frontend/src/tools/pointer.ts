/**
 * Mouse, pen and fingers on the picture. Left button or one finger: the chosen tool; middle: pan;
 * right: zoom; wheel: scroll, with Ctrl zoom; two fingers: zoom and pan together; three: window. Who has
 * taken a pen draws with it: from then on a finger does not, and while the pen is down a palm does nothing.
 */

import { panView, zoomView, type Point } from "../core/view";
import { setView } from "../state/changes";
import type { PlainTool, ToolName } from "../state/store";
import type { Marking } from "./marking";
import { cursorTool } from "./cursor";
import { curveTool } from "./curve";
import { magnifierTool } from "./magnifier";
import { panTool } from "./pan";
import { scrollTool, WheelScroll } from "./scroll";
import { NO_DRAG, sightOf, type Drag, type Instrument, type Tool } from "./tool";
import { windowTool } from "./window";
import { zoomBy, zoomTool } from "./zoom";

const TOOLS: Readonly<Record<PlainTool, Tool>> = {
  window: windowTool,
  scroll: scrollTool,
  zoom: zoomTool,
  pan: panTool,
  cursor: cursorTool,
  magnifier: magnifierTool,
  curve: curveTool,
};
const MIDDLE_BUTTON = 1;
const RIGHT_BUTTON = 2;
const ZOOM_STEP = 1.1;
/** Whether a pen was seen on this page, over whichever pane. */
let hasPen = false;

export class Pointers {
  private readonly down = new Map<number, Point>();
  private start: Point = { x: 0, y: 0 };
  private startSpread = 1;
  private drag: Drag = NO_DRAG;
  private pinch: ((middle: Point, spread: number) => void) | null = null;
  private readonly wheel: WheelScroll;
  private isTaken = false;
  private isPenDown = false;

  constructor(
    private readonly host: HTMLElement,
    private readonly instrument: Instrument,
    private readonly marking: Marking | null = null,
  ) {
    this.wheel = new WheelScroll(instrument.store);
    host.addEventListener("pointerdown", (event) => this.press(event));
    host.addEventListener("pointermove", (event) => this.move(event));
    host.addEventListener("pointerup", (event) => this.release(event));
    host.addEventListener("pointercancel", (event) => this.lose(event));
    host.addEventListener("pointerleave", (event) => this.leave(event));
    host.addEventListener("dblclick", (event) => {
      if (this.marking?.open(this.place(event)) === true) {
        event.preventDefault();
      }
    });
    host.addEventListener("contextmenu", (event) => event.preventDefault());
    host.addEventListener("wheel", (event) => this.turnWheel(event), { passive: false });
  }

  private press(event: PointerEvent): void {
    if (event.button > RIGHT_BUTTON) {
      return;
    }
    event.preventDefault();
    hasPen ||= event.pointerType === "pen";
    if (event.pointerType === "touch" && this.isPenDown) {
      return;
    }
    this.host.focus({ preventScroll: true });
    this.host.setPointerCapture(event.pointerId);
    this.down.set(event.pointerId, this.place(event));
    if (this.isTaken) {
      this.isTaken = false;
      this.marking?.interrupt();
    }
    this.isPenDown = event.pointerType === "pen";
    const isFingerBesidePen = hasPen && event.pointerType === "touch";
    if (this.down.size === 1 && event.button === 0 && !isFingerBesidePen && this.marking?.press(this.place(event), event) === true) {
      this.isTaken = true;
      this.drag = NO_DRAG;
      return;
    }
    this.begin(event.button, isFingerBesidePen);
  }

  /** Starts the drag that fits the fingers and the button now down. */
  private begin(button: number, isFingerBesidePen: boolean): void {
    this.start = middleOf([...this.down.values()]);
    this.startSpread = spreadOf([...this.down.values()]);
    this.pinch = null;
    this.drag = NO_DRAG;
    if (this.down.size === 2) {
      this.pinch = this.beginPinch();
    } else if (this.down.size > 0) {
      const isDrawing = !isPlainTool(this.instrument.store.state.tool);
      const tool = isFingerBesidePen && isDrawing && this.down.size === 1 ? scrollTool : this.toolFor(button);
      this.drag = tool(this.instrument, this.start);
    }
  }

  private toolFor(button: number): Tool {
    if (this.down.size >= 3) {
      return windowTool;
    }
    const { preferences, tool } = this.instrument.store.state;
    if (button === MIDDLE_BUTTON) {
      return TOOLS[preferences.mouse.middle];
    }
    return button === RIGHT_BUTTON ? TOOLS[preferences.mouse.right] : plainTool(tool);
  }

  private beginPinch(): ((middle: Point, spread: number) => void) | null {
    const { store, viewport } = this.instrument;
    const sight = sightOf(this.instrument);
    if (sight === null) {
      return null;
    }
    const { extent, view } = sight;
    const [from, spreadBefore] = [this.start, this.startSpread];
    return (middle, spread) => {
      const zoomed = zoomView(view, extent, viewport.size, spread / spreadBefore, from);
      store.change(setView(panView(zoomed, extent, middle.x - from.x, middle.y - from.y)));
    };
  }

  private move(event: PointerEvent): void {
    if (!this.down.has(event.pointerId)) {
      this.glide(event);
      return;
    }
    this.down.set(event.pointerId, this.place(event));
    if (this.isTaken) {
      this.marking?.move(this.place(event), event);
      return;
    }
    const points = [...this.down.values()];
    const middle = middleOf(points);
    if (this.pinch !== null) {
      this.pinch(middle, spreadOf(points));
    } else {
      this.drag(middle.x - this.start.x, middle.y - this.start.y);
    }
  }

  private release(event: PointerEvent): void {
    if (this.down.size === 1 && this.down.has(event.pointerId)) {
      this.marking?.release(this.place(event), event);
      this.isTaken = false;
    }
    // What the other fingers do until they are lifted as well is not meant as a new drag.
    if (this.down.delete(event.pointerId)) {
      this.pinch = null;
      this.drag = NO_DRAG;
      this.isPenDown = this.isPenDown && this.down.size > 0;
    }
  }

  private lose(event: PointerEvent): void {
    this.marking?.interrupt();
    this.isTaken = false;
    this.release(event);
  }

  /** No button is down; only over the pane that tools act on. */
  private glide(event: PointerEvent): void {
    if (this.marking !== null && this.host.contains(this.instrument.viewport.canvas)) {
      this.host.style.cursor = this.marking.glide(this.place(event), event);
    }
  }

  private leave(event: PointerEvent): void {
    if (!this.down.has(event.pointerId)) {
      this.marking?.glide(null, event);
    }
  }

  private turnWheel(event: WheelEvent): void {
    event.preventDefault();
    // Ctrl calls what the wheel does not do by itself.
    const isZooming = (this.instrument.store.state.preferences.mouse.wheel === "zoom") !== event.ctrlKey;
    if (isZooming) {
      zoomBy(this.instrument, event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP, this.place(event));
    } else {
      this.wheel.turn(event);
    }
  }

  private place(event: MouseEvent): Point {
    const box = this.host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

/** Whether a tool only looks: it draws nothing and moves no mark. */
export function isPlainTool(name: ToolName): boolean {
  return name in TOOLS;
}

/** Tools for findings have taken what is theirs: what is left does nothing. */
function plainTool(name: ToolName): Tool {
  return isPlainTool(name) ? TOOLS[name as PlainTool] : () => NO_DRAG;
}

function middleOf(points: readonly Point[]): Point {
  const count = Math.max(1, points.length);
  const sum = points.reduce((all, { x, y }) => ({ x: all.x + x, y: all.y + y }), { x: 0, y: 0 });
  return { x: sum.x / count, y: sum.y / count };
}

function spreadOf([one, other]: readonly Point[]): number {
  return one === undefined || other === undefined ? 1 : Math.max(1, Math.hypot(other.x - one.x, other.y - one.y));
}
