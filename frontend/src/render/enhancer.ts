/**
 * Filtered samples for the picture that is wanted now: one at a time in a worker, the newest wish
 * first, the last ones kept. What is not ready is never replaced by something that looks like it.
 */

import { hasOwnColours, ownColours, renderGrey } from "../core/display";
import type { Filter } from "../core/enhance";
import type { Order } from "./enhance-worker";
import type { Shown } from "./viewport";

const KEPT_BYTES = 64 << 20;

export class Enhancer {
  private readonly ready = new Map<string, Uint8Array>();
  private readonly numbers = new WeakMap<object, number>();
  private count = 0;
  private worker: Worker | null = null;
  private busyWith = "";
  private wish: { key: string; order: Order } | null = null;
  private kept = 0;
  hasFailed = false;

  constructor(private readonly onReady: () => void) {}

  /** The filtered samples, or null while they are being made (then `onReady` is called). */
  samplesOf(shown: Shown, filters: readonly Filter[]): Uint8Array | null {
    const key = this.keyOf(shown, filters);
    const made = this.ready.get(key);
    if (made === undefined && !this.hasFailed && key !== this.busyWith && key !== this.wish?.key) {
      this.wish = { key, order: orderOf(shown, filters) };
      this.next();
    }
    return made ?? null;
  }

  /** Nothing more is made; what is under way is dropped. */
  dispose(): void {
    this.worker?.terminate();
    this.worker = null;
    this.wish = null;
    this.ready.clear();
  }

  private next(): void {
    if (this.busyWith !== "" || this.wish === null) {
      return;
    }
    const { key, order } = this.wish;
    this.busyWith = key;
    this.wish = null;
    this.worker ??= this.start();
    this.worker?.postMessage(order, [order.samples.buffer]);
  }

  private start(): Worker | null {
    try {
      const worker = new Worker(new URL("./enhance-worker.ts", import.meta.url), { type: "module" });
      worker.addEventListener("message", ({ data }: MessageEvent<Uint8Array>) => this.keep(data));
      worker.addEventListener("error", () => this.fail());
      return worker;
    } catch {
      this.fail();
      return null;
    }
  }

  private keep(samples: Uint8Array): void {
    this.ready.set(this.busyWith, samples);
    this.kept += samples.byteLength;
    for (const [key, old] of this.ready) {
      if (this.kept <= KEPT_BYTES || key === this.busyWith) {
        break;
      }
      this.ready.delete(key);
      this.kept -= old.byteLength;
    }
    this.busyWith = "";
    this.next();
    this.onReady();
  }

  private fail(): void {
    this.hasFailed = true;
    this.busyWith = "";
    this.wish = null;
    this.onReady();
  }

  private keyOf({ facts, pixels, voi }: Shown, filters: readonly Filter[]): string {
    const window = [voi.center, voi.width, voi.function, voi.table === null ? 0 : this.numberOf(voi.table)];
    const steps = filters.map(({ name, strength }) => `${name}:${strength}`);
    return [this.numberOf(facts), this.numberOf(pixels), ...window, ...steps].join("|");
  }

  private numberOf(thing: object): number {
    const known = this.numbers.get(thing) ?? (this.count += 1);
    this.numbers.set(thing, known);
    return known;
  }
}

function orderOf({ facts, pixels, voi }: Shown, filters: readonly Filter[]): Order {
  const samples = hasOwnColours(facts) ? ownColours(pixels, facts, voi).slice() : renderGrey(pixels, facts, voi, false);
  return { samples, width: facts.columns, height: facts.rows, filters };
}
