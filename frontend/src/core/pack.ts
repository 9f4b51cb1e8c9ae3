/**
 * Frames of 16 bits, made smaller without loss while nobody looks at them: the differences of
 * neighbours, of which nearly all fit a byte. A difference of -127 to 127 is one byte, 1 to 255;
 * any other value is a 0 and its two bytes, low one first.
 */

export type Packable = Int16Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;

const ZERO = 128;
/** What is not made smaller by a quarter stays as it is. */
const WORTH = 0.75;

let room = new Uint8Array(0);

/** The packed bytes, or null when that would save little. */
export function pack(pixels: Packable): Uint8Array<ArrayBuffer> | null {
  const most = Math.floor(pixels.byteLength * WORTH);
  if (room.length < most) {
    room = new Uint8Array(most);
  }
  const out = room;
  let before = 0;
  let at = 0;
  for (let i = 0; i < pixels.length; i += 1) {
    const value = pixels[i] as number;
    const step = value - before + ZERO;
    before = value;
    if (step > 0 && step < 2 * ZERO) {
      out[at] = step;
      at += 1;
    } else {
      out[at] = 0;
      out[at + 1] = value;
      out[at + 2] = value >> 8;
      at += 3;
    }
    if (at + 3 > most) {
      return null;
    }
  }
  return out.slice(0, at);
}

/** Fills `pixels`, of the kind and length that were packed. */
export function unpack(packed: Uint8Array, pixels: Packable): void {
  const isSigned = pixels instanceof Int16Array;
  let before = 0;
  let at = 0;
  for (let i = 0; i < pixels.length; i += 1) {
    const step = packed[at] as number;
    if (step === 0) {
      const word = (packed[at + 1] as number) | ((packed[at + 2] as number) << 8);
      before = isSigned ? (word << 16) >> 16 : word;
      at += 3;
    } else {
      before += step - ZERO;
      at += 1;
    }
    pixels[i] = before;
  }
}
