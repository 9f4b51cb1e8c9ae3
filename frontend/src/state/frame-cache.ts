/** Decoded frames, bounded by bytes; the one longest unseen goes first. */

import type { Pixels } from "../core/facts";

export class FrameCache {
  private readonly frames = new Map<string, Pixels>();
  private used = 0;

  constructor(readonly budgetBytes: number) {}

  get usedBytes(): number {
    return this.used;
  }

  has(key: string): boolean {
    return this.frames.has(key);
  }

  /** The frame, marked as just seen. */
  get(key: string): Pixels | undefined {
    const pixels = this.frames.get(key);
    if (pixels !== undefined) {
      this.frames.delete(key);
      this.frames.set(key, pixels);
    }
    return pixels;
  }

  put(key: string, pixels: Pixels): void {
    this.drop(key);
    this.frames.set(key, pixels);
    this.used += pixels.byteLength;
    for (const oldest of this.frames.keys()) {
      if (this.used <= this.budgetBytes || oldest === key) {
        break;
      }
      this.drop(oldest);
    }
  }

  drop(key: string): void {
    const pixels = this.frames.get(key);
    if (pixels !== undefined) {
      this.frames.delete(key);
      this.used -= pixels.byteLength;
    }
  }
}
