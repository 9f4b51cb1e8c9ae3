/** How often each value is in the picture, with the window's ends as lines to drag or move by keys. */

import { countedValues } from "../core/automatic-window";
import type { Pixels, Window } from "../core/facts";
import { formatLevel } from "../core/format";
import { t } from "../core/text";
import type { Shown } from "../render/viewport";
import { make, setAttribute, setText } from "./dom";

const BINS = 128;
const HEIGHT = 96;
type End = "low" | "high";

export class Histogram {
  private readonly canvas = make("canvas", { width: BINS, height: HEIGHT, "aria-hidden": "true" });
  private readonly ends: Readonly<Record<End, HTMLElement>>;
  private readonly least = make("span");
  private readonly most = make("span");
  private readonly field: HTMLElement;
  readonly root: HTMLElement;
  private drawn: Pixels | null = null;
  private range: readonly [number, number] = [0, 1];
  private window: Window = { center: 0.5, width: 1 };

  constructor(private readonly onChange: (window: Window) => void) {
    const handle = (name: string): HTMLElement =>
      make("div", { class: "histogram-end", role: "slider", tabindex: "0", "aria-label": name });
    this.ends = { low: handle(t("Black below")), high: handle(t("White above")) };
    this.field = make("div", { class: "histogram-field" }, this.canvas, this.ends.low, this.ends.high);
    const scale = make("div", { class: "histogram-scale", "aria-hidden": "true" }, this.least, this.most);
    this.root = make("div", { class: "histogram", role: "group", "aria-label": t("Histogram") }, this.field, scale);
    this.wire("low");
    this.wire("high");
  }

  show(shown: Shown | null): void {
    const isGrey = shown !== null && shown.drawn === null && shown.facts.pixelFormat !== "rgb8" && shown.voi.table === null;
    this.root.hidden = !isGrey;
    if (!isGrey) {
      return;
    }
    if (this.drawn !== shown.pixels) {
      this.drawn = shown.pixels;
      this.drawBars(countedValues(shown.pixels, shown.facts));
    }
    const { center, width } = shown.voi;
    this.window = { center, width };
    this.place("low", center - width / 2);
    this.place("high", center + width / 2);
  }

  private drawBars(values: Float64Array): void {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) {
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    this.range = high > low ? [low, high] : [low - 0.5, low + 0.5];
    const [from, to] = this.range;
    const counts = new Float64Array(BINS);
    for (const value of values) {
      const bin = Math.min(BINS - 1, Math.floor(((value - from) / (to - from)) * BINS));
      counts[bin] = (counts[bin] as number) + 1;
    }
    const top = Math.sqrt(Math.max(...counts, 1));
    const context = this.canvas.getContext("2d");
    context?.clearRect(0, 0, BINS, HEIGHT);
    if (context != null) {
      context.fillStyle = getComputedStyle(this.canvas).color;
      counts.forEach((count, bin) => {
        const height = (Math.sqrt(count) / top) * HEIGHT;
        context.fillRect(bin, HEIGHT - height, 1, height);
      });
    }
    setText(this.least, formatLevel(from, to - from));
    setText(this.most, formatLevel(to, to - from));
  }

  private place(end: End, value: number): void {
    const [from, to] = this.range;
    const handle = this.ends[end];
    const share = Math.min(1, Math.max(0, (value - from) / (to - from)));
    handle.style.insetInlineStart = `${share * 100}%`;
    setAttribute(handle, "aria-valuemin", Math.round(from));
    setAttribute(handle, "aria-valuemax", Math.round(to));
    setAttribute(handle, "aria-valuenow", Number(value.toPrecision(6)));
  }

  private wire(end: End): void {
    const handle = this.ends[end];
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) {
        const box = this.field.getBoundingClientRect();
        const [from, to] = this.range;
        this.move(end, from + ((event.clientX - box.left) / box.width) * (to - from));
      }
    });
    handle.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }[event.key];
      if (way !== undefined) {
        event.preventDefault();
        event.stopPropagation();
        const [from, to] = this.range;
        const half = end === "low" ? -this.window.width / 2 : this.window.width / 2;
        this.move(end, this.window.center + half + (way * (to - from)) / 200);
      }
    });
  }

  private move(end: End, value: number): void {
    const { center, width } = this.window;
    const [from, to] = this.range;
    const least = Math.max((to - from) / 1000, 1e-9);
    const low = end === "low" ? Math.min(value, center + width / 2 - least) : center - width / 2;
    const high = end === "high" ? Math.max(value, low + least) : center + width / 2;
    this.onChange({ center: (low + high) / 2, width: high - low });
  }
}
