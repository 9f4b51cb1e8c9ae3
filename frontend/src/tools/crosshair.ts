/** Takes hold of the lines in which planes cross: their centre, one line, or a handle that turns them. */

import { crosshairOn, partAt, type CrosshairPart } from "../core/crosshair";
import type { Triple } from "../core/facts";
import { added, cross, dot, PLANE_NAMES, scaled, type Mpr, type PlaneName } from "../core/mpr";
import { lpsFromImage, planeOf, type ImagePlane } from "../core/planes";
import { applyMatrix, canvasFromImage, invertMatrix, type Matrix, type Point } from "../core/view";
import { extentOf, type Viewport } from "../render/viewport";
import { paneOf } from "../state/panes";
import type { PaneState, Store } from "../state/store";
import { putCenter, turnFrom } from "../state/volumes";
import { isPlainTool } from "./pointer";

const MOUSE_REACH_PX = 6;
const TOUCH_REACH_PX = 16;

interface Sight {
  readonly pane: PaneState;
  readonly mpr: Mpr;
  readonly plane: ImagePlane;
  readonly matrix: Matrix;
}

/** Hears before the tools do, and takes only what is its own. */
export class CrosshairHand {
  private drag: { readonly pointerId: number; readonly go: (event: PointerEvent) => void } | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly store: Store,
    private readonly paneId: string,
    private readonly viewport: () => Viewport,
  ) {
    host.addEventListener("pointerdown", (event) => this.press(event), { capture: true });
    host.addEventListener("pointermove", (event) => this.move(event), { capture: true });
    for (const end of ["pointerup", "pointercancel"] as const) {
      host.addEventListener(end, (event) => this.release(event), { capture: true });
    }
    host.addEventListener("pointerleave", () => this.mark(null));
  }

  private press(event: PointerEvent): void {
    const sight = this.sight();
    const part = event.button === 0 && this.drag === null && sight !== null ? this.partUnder(event, sight) : null;
    if (part === null || sight === null) {
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    this.host.focus({ preventScroll: true });
    this.host.setPointerCapture(event.pointerId);
    this.drag = { pointerId: event.pointerId, go: this.begin(part, sight, this.place(event)) };
  }

  private move(event: PointerEvent): void {
    if (this.drag?.pointerId === event.pointerId) {
      event.stopImmediatePropagation();
      this.drag.go(event);
    } else if (this.drag === null && event.buttons === 0) {
      const sight = this.sight();
      this.mark(sight === null ? null : this.partUnder(event, sight));
    }
  }

  private release(event: PointerEvent): void {
    if (this.drag?.pointerId === event.pointerId) {
      event.stopImmediatePropagation();
      this.drag = null;
    }
  }

  private begin(part: CrosshairPart, { pane, mpr, plane, matrix }: Sight, start: Point): (event: PointerEvent) => void {
    const back = invertMatrix(matrix);
    const lpsAt = (at: Point): Triple => lpsFromImage(plane, applyMatrix(back, at));
    const from = lpsAt(start);
    const way = (event: PointerEvent): Triple => added(lpsAt(this.place(event)), scaled(from, -1));
    switch (part.kind) {
      case "center":
        return (event) => this.store.change(putCenter(added(mpr.center, way(event))));
      case "move": {
        const across = acrossLine(mpr, part.name, plane.normal);
        return (event) => this.store.change(putCenter(added(mpr.center, scaled(across, dot(way(event), across)))));
      }
      case "turn": {
        const arm = added(from, scaled(mpr.center, -1));
        return (event) => {
          const now = added(arm, way(event));
          const angle = Math.atan2(dot(cross(arm, now), plane.normal), dot(arm, now));
          // Both lines, which stay at right angles; with Shift the one alone.
          const others = PLANE_NAMES.filter((name) => name !== pane.plane);
          this.store.change(turnFrom(mpr, pane.plane, event.shiftKey ? [part.name] : others, angle));
        };
      }
    }
  }

  private partUnder(event: PointerEvent, { pane, mpr, plane, matrix }: Sight): CrosshairPart | null {
    const reach = event.pointerType === "mouse" ? MOUSE_REACH_PX : TOUCH_REACH_PX;
    return partAt(crosshairOn(pane.plane, mpr, plane, matrix, this.viewport().size), this.place(event), reach);
  }

  /** Null where no lines are seen, and while one measures or draws: then the point is the tool's. */
  private sight(): Sight | null {
    const { state } = this.store;
    const pane = paneOf(state, this.paneId);
    const { shown, size } = this.viewport();
    const mpr = state.mpr.get(pane?.seriesId ?? "");
    const plane = shown?.facts.reformatted === undefined ? null : planeOf(shown.facts);
    const isFree = state.hasCrosshair && isPlainTool(state.tool) && state.tool !== "curve" && pane?.shows === "plane";
    if (!isFree || shown === null || plane === null || mpr === undefined) {
      return null;
    }
    return { pane, mpr, plane, matrix: canvasFromImage(shown.view, extentOf(shown.facts), size) };
  }

  private mark(part: CrosshairPart | null): void {
    if (part === null) {
      delete this.host.dataset["grip"];
    } else {
      this.host.dataset["grip"] = part.kind;
    }
  }

  private place(event: MouseEvent): Point {
    const box = this.host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

/** In the picture, at right angles to another plane's line; of length 1. */
function acrossLine({ axes }: Mpr, name: PlaneName, seen: Triple): Triple {
  const { normal } = axes[name];
  const inPlane = added(normal, scaled(seen, -dot(normal, seen)));
  return scaled(inPlane, 1 / Math.hypot(...inPlane));
}
