/**
 * Decoded frames, bounded by bytes; the one longest unseen goes first. Those that were looked at last
 * are kept as they are, small ones before them packed: a long series then takes half the memory.
 */

import type { Pixels } from "../core/facts";
import { pack, unpack, type Packable } from "../core/pack";

/** What is kept ready to be drawn. */
const READY_BYTES = 8 << 20;
/** A larger frame would take too long to pack between two pictures; a smaller one is not worth it. */
const PACKED_BYTES = { least: 8 << 10, most: 2 << 20 };
/** Leaving a volume, its frames are packed some at a time. */
const MOST_AT_ONCE = 4;
/** Memory of frames that nobody has seen is used again for the next ones. */
const MOST_SPARE = 4;

interface Kept {
  pixels: Pixels | null;
  packed: Uint8Array<ArrayBuffer> | null;
  readonly make: () => Packable;
  /** Pixels that were given away: as long as somebody holds them, they are the frame. */
  given: WeakRef<Pixels> | null;
}

export class FrameCache {
  private readonly frames = new Map<string, Kept>();
  /** Keys of frames that could be packed and are not, longest unseen first. */
  private readonly ready = new Set<string>();
  private readonly spare: ArrayBuffer[] = [];
  private held: ReadonlySet<string> = new Set();
  private readyBytes = 0;
  private used = 0;

  constructor(
    readonly budgetBytes: number,
    private readonly mostReadyBytes = READY_BYTES,
  ) {}

  get usedBytes(): number {
    return this.used;
  }

  has(key: string): boolean {
    return this.frames.has(key);
  }

  /** The frame, marked as just seen. */
  get(key: string): Pixels | undefined {
    const kept = this.frames.get(key);
    if (kept === undefined) {
      return undefined;
    }
    this.frames.delete(key);
    this.frames.set(key, kept);
    const pixels = kept.pixels ?? this.unpacked(key, kept);
    kept.given ??= new WeakRef(pixels);
    if (this.ready.delete(key)) {
      this.ready.add(key);
    }
    return pixels;
  }

  put(key: string, pixels: Pixels): void {
    this.drop(key);
    this.frames.set(key, { pixels, packed: null, make: makerOf(pixels), given: null });
    this.used += pixels.byteLength;
    this.count(key, pixels);
    this.packOldest(key);
    this.makeRoom(key);
  }

  /** Frames that are looked at all the time, as those of a volume: they are not packed meanwhile. */
  hold(keys: ReadonlySet<string>): void {
    const before = this.held;
    this.held = keys;
    for (const key of keys) {
      if (this.ready.delete(key)) {
        this.readyBytes -= this.frames.get(key)?.pixels?.byteLength ?? 0;
      }
    }
    for (const key of before) {
      const pixels = this.frames.get(key)?.pixels;
      if (pixels != null && !this.ready.has(key)) {
        this.count(key, pixels);
      }
    }
    this.packOldest("");
  }

  drop(key: string): void {
    const kept = this.frames.get(key);
    if (kept !== undefined) {
      this.frames.delete(key);
      this.used -= (kept.pixels?.byteLength ?? 0) + (kept.packed?.byteLength ?? 0);
      if (this.ready.delete(key)) {
        this.readyBytes -= kept.pixels?.byteLength ?? 0;
      }
    }
  }

  /** Memory for a frame to come. */
  roomFor(bytes: number): ArrayBuffer {
    const place = this.spare.findIndex(({ byteLength }) => byteLength === bytes);
    return place < 0 ? new ArrayBuffer(bytes) : (this.spare.splice(place, 1)[0] as ArrayBuffer);
  }

  private unpacked(key: string, kept: Kept): Pixels {
    let pixels = kept.given?.deref();
    if (pixels === undefined) {
      const made = kept.make();
      unpack(kept.packed as Uint8Array, made);
      pixels = made;
      kept.given = new WeakRef(pixels);
    }
    kept.pixels = pixels;
    this.used += pixels.byteLength;
    if (this.held.has(key)) {
      this.used -= kept.packed?.byteLength ?? 0;
      kept.packed = null;
    }
    this.count(key, pixels);
    this.packOldest(key);
    this.makeRoom(key);
    return pixels;
  }

  private count(key: string, pixels: Pixels): void {
    if (isPackable(pixels) && !this.held.has(key)) {
      this.readyBytes += pixels.byteLength;
      this.ready.add(key);
    }
  }

  /** Packs what has not been looked at for long, but never the frame of `key`. */
  private packOldest(key: string): void {
    let packed = 0;
    for (const oldest of this.ready) {
      if (this.readyBytes <= this.mostReadyBytes || oldest === key || packed >= MOST_AT_ONCE) {
        return;
      }
      packed += 1;
      const kept = this.frames.get(oldest) as Kept;
      const pixels = kept.pixels as Packable;
      this.ready.delete(oldest);
      this.readyBytes -= pixels.byteLength;
      kept.packed ??= this.packed(pixels);
      if (kept.packed !== null) {
        kept.pixels = null;
        this.used -= pixels.byteLength;
        if (kept.given === null && this.spare.length < MOST_SPARE) {
          this.spare.push(pixels.buffer);
        }
      }
    }
  }

  private packed(pixels: Packable): Uint8Array<ArrayBuffer> | null {
    const packed = pack(pixels);
    this.used += packed?.byteLength ?? 0;
    return packed;
  }

  private makeRoom(key: string): void {
    for (const oldest of this.frames.keys()) {
      if (this.used <= this.budgetBytes || oldest === key) {
        return;
      }
      this.drop(oldest);
    }
  }
}

function isPackable(pixels: Pixels): pixels is Packable {
  const isSmall = pixels.byteLength >= PACKED_BYTES.least && pixels.byteLength <= PACKED_BYTES.most;
  return isSmall && (pixels instanceof Int16Array || pixels instanceof Uint16Array);
}

function makerOf(pixels: Pixels): () => Packable {
  const { length } = pixels;
  return pixels instanceof Int16Array ? () => new Int16Array(length) : () => new Uint16Array(length);
}
