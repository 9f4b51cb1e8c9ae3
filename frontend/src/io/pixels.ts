/** Payload bytes, little-endian as sent, to numbers. */

import type { ImageFacts, Pixels } from "../core/facts";

const READERS: Partial<Record<ImageFacts["pixelFormat"], (buffer: ArrayBuffer) => Pixels>> = {
  u8: (buffer) => new Uint8Array(buffer),
  i8: (buffer) => new Int8Array(buffer),
  u16: (buffer) => new Uint16Array(buffer),
  i16: (buffer) => new Int16Array(buffer),
  u32: (buffer) => new Uint32Array(buffer),
  i32: (buffer) => new Int32Array(buffer),
  f32: (buffer) => new Float32Array(buffer),
  f64: (buffer) => new Float64Array(buffer),
  rgb8: (buffer) => new Uint8Array(buffer),
};

/** The frame's numbers, or null when the payload is not what the facts announce. */
export function readPixels(payload: Uint8Array<ArrayBuffer>, facts: ImageFacts): Pixels | null {
  const read = READERS[facts.pixelFormat];
  if (read === undefined) {
    return null;
  }
  const isWhole = payload.byteOffset === 0 && payload.byteLength === payload.buffer.byteLength;
  const buffer = isWhole ? payload.buffer : payload.slice().buffer;
  const samples = facts.pixelFormat === "rgb8" ? 3 : 1;
  try {
    const pixels = read(buffer);
    return pixels.length === facts.rows * facts.columns * samples ? pixels : null;
  } catch {
    return null;
  }
}
