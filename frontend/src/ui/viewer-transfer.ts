/** A transfer function over the histogram: points are dragged, added by a double click, removed by Delete. */

import { addPoint, movePoint, removePoint, type BodyOffer, type TransferPoint } from "../core/body-look";
import { formatLevel } from "../core/format";
import { t } from "../core/text";
import { make, setAttribute, setText } from "./dom";

const HEIGHT = 110;
const BINS = 256;
/** Opacities are drawn by their square root: what matters lies near 0. */
const up = (opacity: number): number => Math.sqrt(opacity);

type OnPoints = (points: readonly TransferPoint[], isMoving: boolean) => void;

export class TransferEditor {
  private readonly canvas = make("canvas", { width: BINS, height: HEIGHT, "aria-hidden": "true" });
  private readonly field = make("div", { class: "transfer-field" }, this.canvas);
  private readonly colour = make("input", { type: "color", "aria-label": t("Colour of the point") });
  private readonly told = make("output", { class: "transfer-told" });
  private readonly least = make("span");
  private readonly most = make("span");
  readonly root: HTMLElement;
  private readonly handles: HTMLButtonElement[] = [];
  private histogram: BodyOffer["histogram"] = { low: 0, high: 1, counts: [] };
  private points: readonly TransferPoint[] = [];
  private chosen = 0;

  constructor(private readonly onPoints: OnPoints) {
    this.root = make(
      "div",
      { class: "transfer", role: "group", "aria-label": t("Transfer function") },
      this.field,
      make("div", { class: "histogram-scale", "aria-hidden": "true" }, this.least, this.most),
      make("div", { class: "transfer-row" }, this.colour, this.told),
      make("p", { class: "window-note" }, t("A double click adds a point, Delete removes it.")),
    );
    this.colour.addEventListener("input", () => this.paint(true));
    this.colour.addEventListener("change", () => this.paint(false));
    this.field.addEventListener("dblclick", (event) => {
      const { value, opacity } = this.valueAt(event);
      const points = addPoint(this.points, value, opacity);
      this.chosen = Math.max(0, points.findIndex((point) => point.value === value));
      onPoints(points, false);
    });
  }

  offer(histogram: BodyOffer["histogram"]): void {
    this.histogram = histogram;
  }

  show(points: readonly TransferPoint[]): void {
    this.points = points;
    this.chosen = Math.min(this.chosen, Math.max(0, points.length - 1));
    while (this.handles.length > points.length) {
      this.handles.pop()?.remove();
    }
    while (this.handles.length < points.length) {
      this.addHandle(this.handles.length);
    }
    const [from, to] = this.range;
    setText(this.least, formatLevel(from, to - from));
    setText(this.most, formatLevel(to, to - from));
    points.forEach((point, n) => this.place(this.handles[n], point, n));
    const at = points[this.chosen];
    if (at !== undefined) {
      this.colour.value = `#${at.colour}`;
      setText(this.told, t("{value}: {percent} % in a millimetre", { value: formatLevel(at.value, to - from), percent: Math.round(at.opacity * 1000) / 10 }));
    }
    this.drawField();
  }

  /** All points and all values are in sight. */
  private get range(): readonly [number, number] {
    const { low, high } = this.histogram;
    const values = this.points.map(({ value }) => value);
    return [Math.min(low, ...values), Math.max(high, ...values, low + 1e-6)];
  }

  private place(handle: HTMLButtonElement | undefined, point: TransferPoint, n: number): void {
    const [from, to] = this.range;
    if (handle !== undefined) {
      handle.style.insetInlineStart = `${((point.value - from) / (to - from)) * 100}%`;
      handle.style.bottom = `${up(point.opacity) * 100}%`;
      handle.style.backgroundColor = `#${point.colour}`;
      setAttribute(handle, "aria-pressed", `${n === this.chosen}`);
      setAttribute(handle, "aria-label", t("Point {number} of {count}", { number: n + 1, count: this.points.length }));
    }
  }

  private drawField(): void {
    const context = this.canvas.getContext("2d");
    if (context === null) {
      return;
    }
    const [from, to] = this.range;
    const { low, high, counts } = this.histogram;
    const x = (value: number): number => ((value - from) / (to - from)) * BINS;
    context.clearRect(0, 0, BINS, HEIGHT);
    context.fillStyle = getComputedStyle(this.canvas).color;
    // Air and background would dwarf all else.
    const most = Math.log1p(Math.max(1, ...counts));
    counts.forEach((count, n) => {
      const [start, end] = [x(low + ((high - low) * n) / counts.length), x(low + ((high - low) * (n + 1)) / counts.length)];
      const height = (Math.log1p(count) / most) * HEIGHT;
      context.fillRect(start, HEIGHT - height, Math.max(1, end - start), height);
    });
    context.strokeStyle = getComputedStyle(this.field).color;
    context.lineWidth = 1.5;
    context.beginPath();
    this.points.forEach(({ value, opacity }, n) => {
      const y = HEIGHT - up(opacity) * HEIGHT;
      context[n === 0 ? "moveTo" : "lineTo"](x(value), y);
    });
    context.stroke();
  }

  private addHandle(n: number): void {
    const handle = make("button", { type: "button", class: "transfer-point" });
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      this.choose(n);
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) {
        const { value, opacity } = this.valueAt(event);
        this.onPoints(movePoint(this.points, n, value, opacity), true);
      }
    });
    handle.addEventListener("pointerup", () => this.onPoints([...this.points], false));
    handle.addEventListener("focus", () => this.choose(n));
    handle.addEventListener("dblclick", (event) => event.stopPropagation());
    handle.addEventListener("keydown", (event) => this.press(event, n));
    this.handles.push(handle);
    this.field.append(handle);
  }

  private choose(n: number): void {
    this.chosen = n;
    this.show(this.points);
  }

  private press(event: KeyboardEvent, n: number): void {
    const point = this.points[n];
    const [from, to] = this.range;
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key];
    if (point !== undefined && way !== undefined) {
      event.preventDefault();
      const [across = 0, over = 0] = way;
      this.onPoints(movePoint(this.points, n, point.value + (across * (to - from)) / 400, point.opacity + over * 0.02), false);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.onPoints(removePoint(this.points, n), false);
    }
  }

  private paint(isMoving: boolean): void {
    const colour = this.colour.value.slice(1);
    this.onPoints(this.points.map((point, n) => (n === this.chosen ? { ...point, colour } : point)), isMoving);
  }

  private valueAt(event: MouseEvent): { value: number; opacity: number } {
    const box = this.field.getBoundingClientRect();
    const [from, to] = this.range;
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const height = Math.min(1, Math.max(0, (box.bottom - event.clientY) / box.height));
    return { value: from + share * (to - from), opacity: height * height };
  }
}
