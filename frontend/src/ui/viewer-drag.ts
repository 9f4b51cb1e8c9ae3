/** Series go into panes by hand: dragged from the strip, or by the pane's number on the keyboard. */

import { activatePane, openIn } from "../state/panes";
import type { Store } from "../state/store";
import { make } from "./dom";
import type { FuseDrop } from "./viewer-fuse-drop";
import type { Panes } from "./viewer-panes";

const FAR_ENOUGH_PX = 6;
const SERIES = "[data-series]";

interface Carried {
  readonly seriesId: string;
  readonly from: { readonly x: number; readonly y: number };
  readonly pointerId: number;
  ghost: HTMLElement | null;
}

export class SeriesDrag {
  private carried: Carried | null = null;

  constructor(
    private readonly strip: HTMLElement,
    private readonly panes: Panes,
    private readonly store: Store,
    private readonly over: FuseDrop,
  ) {
    strip.addEventListener("pointerdown", (event) => this.press(event));
    // A quick hand has left the strip before its first move is told, so the whole page listens.
    document.addEventListener("pointermove", (event) => this.move(event));
    document.addEventListener("pointerup", (event) => this.release(event));
    document.addEventListener("pointercancel", () => this.end());
    strip.addEventListener("click", (event) => this.swallowClick(event), { capture: true });
    strip.addEventListener("keydown", (event) => this.obey(event));
    strip.addEventListener("focusin", () => this.tellNumbers(true));
    strip.addEventListener("focusout", () => this.tellNumbers(false));
  }

  private press(event: PointerEvent): void {
    const item = seriesItem(event.target);
    if (item !== null && event.button === 0) {
      const from = { x: event.clientX, y: event.clientY };
      this.carried = { seriesId: item.dataset["series"] ?? "", from, pointerId: event.pointerId, ghost: null };
    }
  }

  private move(event: PointerEvent): void {
    const { carried } = this;
    if (carried === null || event.pointerId !== carried.pointerId) {
      return;
    }
    if (carried.ghost === null) {
      if (Math.hypot(event.clientX - carried.from.x, event.clientY - carried.from.y) < FAR_ENOUGH_PX) {
        return;
      }
      carried.ghost = ghostOf(this.strip, carried.seriesId);
      document.body.append(carried.ghost);
      this.panes.root.classList.add("is-choosing");
    }
    carried.ghost.style.transform = `translate(${event.clientX}px, ${event.clientY}px)`;
    const pane = this.panes.at(event.clientX, event.clientY);
    this.panes.markTarget(pane);
    this.over.offer(pane, carried.seriesId);
  }

  private release(event: PointerEvent): void {
    const { carried } = this;
    if (carried?.ghost == null) {
      this.carried = null;
      return;
    }
    const pane = this.panes.at(event.clientX, event.clientY);
    if (pane !== undefined && this.over.holds(event.clientX, event.clientY)) {
      this.over.put(carried.seriesId, pane.id);
    } else if (pane !== undefined) {
      this.put(carried.seriesId, pane.id);
    }
    // The click that the release makes must not open the series once more; it comes before this timer.
    setTimeout(() => this.end());
  }

  private end(): void {
    this.carried?.ghost?.remove();
    this.carried = null;
    this.over.end();
    this.panes.markTarget(undefined);
    this.panes.root.classList.remove("is-choosing");
  }

  private swallowClick(event: MouseEvent): void {
    if (this.carried?.ghost != null) {
      event.stopPropagation();
      event.preventDefault();
    }
  }

  private put(seriesId: string, paneId: string): void {
    this.store.change((state) => activatePane(paneId)(openIn(paneId, seriesId)(state)));
  }

  /**
   * Arrows go from series to series, a digit puts the one in focus into the pane of that number, with Shift
   * over its pictures.
   */
  private obey(event: KeyboardEvent): void {
    const item = seriesItem(event.target);
    if (item === null || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1] ?? (/^[1-9]$/.test(event.key) ? event.key : undefined);
    const pane = digit === undefined ? undefined : this.store.state.panes[Number(digit) - 1];
    if (pane !== undefined && event.shiftKey) {
      this.over.put(item.dataset["series"] ?? "", pane.id);
    } else if (pane !== undefined) {
      this.put(item.dataset["series"] ?? "", pane.id);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const items = [...this.strip.querySelectorAll<HTMLElement>(SERIES)];
      items[items.indexOf(item) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private tellNumbers(isInStrip: boolean): void {
    const isByKeys = isInStrip && this.strip.querySelector(":focus-visible") !== null;
    this.panes.root.classList.toggle("is-choosing", isByKeys || this.carried?.ghost != null);
  }
}

function seriesItem(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>(SERIES) : null;
}

function ghostOf(strip: HTMLElement, seriesId: string): HTMLElement {
  const item = [...strip.querySelectorAll<HTMLElement>(SERIES)].find((one) => one.dataset["series"] === seriesId);
  const ghost = make("div", { class: "strip-ghost", "aria-hidden": "true" });
  const picture = item?.querySelector(".strip-picture")?.cloneNode(true);
  if (picture !== undefined) {
    ghost.append(picture);
  }
  return ghost;
}
