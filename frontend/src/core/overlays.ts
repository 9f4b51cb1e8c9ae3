/** Overlay planes 60xx, the same as `imaging.overlays` in Python (PS3.3 C.9.2). */

/** One plane of one frame: packed bits, the first lowest; its origin counts from 1, perhaps outside. */
export interface OverlayPlane {
  readonly rows: number;
  readonly columns: number;
  readonly originRow: number;
  readonly originColumn: number;
  readonly isRegion: boolean;
  /** Its bits hide pixels (PS3.3 C.7.6.15); it is not drawn. */
  readonly isShutter: boolean;
  readonly bits: Uint8Array;
}

export const OVERLAY_COLOUR = [255, 190, 0] as const;
const GRAPHICS = 2;
const REGION = 1;
/** Beside the code of what is drawn: the pixel itself is hidden. */
const HIDDEN = 4;
const HEAD_BYTES = 16;

/** The records of the overlays' address; one that is not whole ends the list. */
export function readOverlays(body: ArrayBuffer): OverlayPlane[] {
  const view = new DataView(body);
  const planes: OverlayPlane[] = [];
  let at = 0;
  while (at + HEAD_BYTES <= body.byteLength) {
    const [rows, columns] = [view.getUint16(at + 2, true), view.getUint16(at + 4, true)];
    const length = view.getUint32(at + 12, true);
    const start = at + HEAD_BYTES;
    if (start + length > body.byteLength || length * 8 < rows * columns) {
      break;
    }
    planes.push({
      rows,
      columns,
      originRow: view.getInt16(at + 8, true),
      originColumn: view.getInt16(at + 10, true),
      isRegion: (view.getUint16(at + 6, true) & 1) === 1,
      isShutter: (view.getUint16(at + 6, true) & 2) === 2,
      bits: new Uint8Array(body, start, length),
    });
    at = start + length;
  }
  return planes;
}

/** What lies over each pixel: 0 nothing, 1 a region, 2 graphics, and 4 more where a shutter hides it; null: nothing. */
export function composeOverlays(planes: readonly OverlayPlane[], rows: number, columns: number): Uint8Array | null {
  const over = new Uint8Array(rows * columns);
  let isAny = false;
  for (const plane of planes) {
    const code = plane.isShutter ? HIDDEN : plane.isRegion ? REGION : GRAPHICS;
    const [top, left] = [plane.originRow - 1, plane.originColumn - 1];
    const [firstRow, lastRow] = [Math.max(0, -top), Math.min(plane.rows, rows - top)];
    const [firstColumn, lastColumn] = [Math.max(0, -left), Math.min(plane.columns, columns - left)];
    for (let row = firstRow; row < lastRow; row += 1) {
      for (let column = firstColumn; column < lastColumn; column += 1) {
        const bit = row * plane.columns + column;
        if ((((plane.bits[bit >> 3] ?? 0) >> (bit & 7)) & 1) === 1) {
          const at = (row + top) * columns + column + left;
          over[at] = withCode(over[at] as number, code);
          isAny = true;
        }
      }
    }
  }
  return isAny ? over : null;
}

/** Graphics win over regions; what is hidden stays so. */
function withCode(was: number, code: number): number {
  return code === HIDDEN ? was | HIDDEN : (was & HIDDEN) | Math.max(was & ~HIDDEN, code);
}

const withoutGraphics = new WeakMap<Uint8Array, Uint8Array>();

/** What a bitmap shutter hides alone, for when the reader hides the overlays; the same for the same. */
export function shutterOnly(over: Uint8Array): Uint8Array {
  const known = withoutGraphics.get(over) ?? over.map((code) => code & HIDDEN);
  withoutGraphics.set(over, known);
  return known;
}

/** Takes out of the mask of visible pixels what bits of an overlay hide. */
export function hideUnder(mask: Uint8Array, over: Uint8Array): void {
  for (let i = 0; i < mask.length; i += 1) {
    if (((over[i] as number) & HIDDEN) !== 0) {
      mask[i] = 0;
    }
  }
}

/** The picture as RGB with overlays on it: graphics solid, regions half through. */
export function drawOverlays(samples: Uint8Array, components: 1 | 3, over: Uint8Array): Uint8Array {
  const drawn = new Uint8Array(over.length * 3);
  for (let i = 0; i < over.length; i += 1) {
    const code = (over[i] as number) & ~HIDDEN;
    for (let channel = 0; channel < 3; channel += 1) {
      const below = samples[components === 1 ? i : i * 3 + channel] as number;
      const colour = OVERLAY_COLOUR[channel] as number;
      drawn[i * 3 + channel] = code === GRAPHICS ? colour : code === REGION ? (below + colour + 1) >> 1 : below;
    }
  }
  return drawn;
}
