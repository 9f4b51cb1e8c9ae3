/** The hand on a picture along a line: moves the marker, jumps to a place, measures lengths. */

import { columnAt, lpsFromCurve } from "../core/curve";
import { spotAt, type CurveSpot } from "../core/curve-measure";
import { t } from "../core/text";
import { applyMatrix, canvasFromImage, invertMatrix, type Point } from "../core/view";
import { extentOf, type Viewport } from "../render/viewport";
import { clearRulers, curveOf, drawRuler, goAlongCurve, markerMm, type CurvedPicture } from "../state/curves";
import { paneOf } from "../state/panes";
import type { Store } from "../state/store";
import { putCenter } from "../state/volumes";
import { isPlainTool } from "../tools/pointer";

const REACH_PX = 8;
const TOUCH_REACH_PX = 18;

const LEAST_PX = 3;

/** Where a length begins. */
interface Start {
  readonly spot: CurveSpot;
  readonly at: Point;
  readonly isDrawn: boolean;
}

interface Sight {
  readonly seriesId: string;
  readonly picture: CurvedPicture;
  readonly imageAt: (at: Point) => Point;
  /** How far a canvas point is from the marker's line, in CSS px. */
  readonly farOf: (at: Point) => number;
}

/** Hears before the tools do, and takes only what is its own. */
export class CurvedHand {
  private pointerId = -1;
  private start: Start | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly store: Store,
    private readonly paneId: string,
    private readonly viewport: () => Viewport,
    private readonly say: (words: string) => void,
  ) {
    host.addEventListener("pointerdown", (event) => this.press(event), { capture: true });
    host.addEventListener("pointermove", (event) => this.move(event), { capture: true });
    for (const end of ["pointerup", "pointercancel"] as const) {
      host.addEventListener(end, (event) => this.release(event), { capture: true });
    }
    host.addEventListener("dblclick", (event) => this.jump(event), { capture: true });
  }

  private press(event: PointerEvent): void {
    const sight = event.button === 0 ? this.sight() : null;
    if (sight === null || this.pointerId >= 0) {
      return;
    }
    const { tool } = this.store.state;
    if (!isPlainTool(tool)) {
      stop(event);
      if (tool === "length") {
        this.measure(event, sight);
      } else if (tool !== "select") {
        this.say(t("Along a line only lengths are measured: measure all else on the plane across it."));
      }
      return;
    }
    const reach = event.pointerType === "mouse" ? REACH_PX : TOUCH_REACH_PX;
    if (tool === "curve" || sight.farOf(this.place(event)) <= reach) {
      stop(event);
      this.host.focus({ preventScroll: true });
      this.host.setPointerCapture(event.pointerId);
      this.pointerId = event.pointerId;
      this.go(event, sight);
    }
  }

  /** A length begins; where nothing is drawn, those that are there go. */
  private measure(event: PointerEvent, { picture, imageAt }: Sight): void {
    this.host.focus({ preventScroll: true });
    this.host.setPointerCapture(event.pointerId);
    this.pointerId = event.pointerId;
    this.start = { spot: spotAt(picture.geometry, imageAt(this.place(event))), at: this.place(event), isDrawn: false };
  }

  private stretch(event: PointerEvent, { seriesId, picture, imageAt }: Sight, start: Start): void {
    const at = this.place(event);
    if (start.isDrawn || Math.hypot(at.x - start.at.x, at.y - start.at.y) >= LEAST_PX) {
      this.store.change(drawRuler(seriesId, { from: start.spot, to: spotAt(picture.geometry, imageAt(at)) }, !start.isDrawn));
      this.start = { ...start, isDrawn: true };
    }
  }

  private move(event: PointerEvent): void {
    const sight = this.sight();
    if (event.pointerId === this.pointerId) {
      event.stopImmediatePropagation();
      if (sight !== null && this.start !== null) {
        this.stretch(event, sight, this.start);
      } else if (sight !== null) {
        this.go(event, sight);
      }
    } else if (event.buttons === 0) {
      const isNear = sight !== null && isPlainTool(this.store.state.tool) && sight.farOf(this.place(event)) <= REACH_PX;
      this.mark(isNear);
    }
  }

  private release(event: PointerEvent): void {
    if (event.pointerId === this.pointerId) {
      event.stopImmediatePropagation();
      this.pointerId = -1;
      if (this.start?.isDrawn === false) {
        this.store.change(clearRulers(this.sight()?.seriesId ?? ""));
      }
      this.start = null;
    }
  }

  private go(event: PointerEvent, { seriesId, imageAt }: Sight): void {
    this.store.change(goAlongCurve(seriesId, imageAt(this.place(event)).x));
  }

  /** The planes cross where one points. */
  private jump(event: MouseEvent): void {
    const sight = this.sight();
    if (sight === null) {
      return;
    }
    stop(event);
    const { x, y } = sight.imageAt(this.place(event));
    this.store.change(putCenter(lpsFromCurve(sight.picture.geometry, x, y)));
  }

  private sight(): Sight | null {
    const { state } = this.store;
    const pane = paneOf(state, this.paneId);
    const { shown, size } = this.viewport();
    const curve = curveOf(state, pane?.seriesId ?? "");
    const { picture } = curve;
    if (pane?.shows !== "curved" || shown === null || picture === null) {
      return null;
    }
    const matrix = canvasFromImage(shown.view, extentOf(shown.facts), size);
    const back = invertMatrix(matrix);
    const markerX = columnAt(picture.geometry, markerMm(curve));
    const imageAt = (at: Point): Point => applyMatrix(back, at);
    const pxPerColumn = Math.hypot(matrix.a, matrix.b);
    return { seriesId: pane.seriesId, picture, imageAt, farOf: (at) => Math.abs(imageAt(at).x - markerX) * pxPerColumn };
  }

  private mark(isNear: boolean): void {
    if (isNear) {
      this.host.dataset["grip"] = "along";
    } else if (this.host.dataset["grip"] === "along") {
      delete this.host.dataset["grip"];
    }
  }

  private place(event: MouseEvent): Point {
    const box = this.host.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

function stop(event: Event): void {
  event.preventDefault();
  event.stopImmediatePropagation();
}
