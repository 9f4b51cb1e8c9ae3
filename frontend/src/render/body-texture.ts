/** A volume's voxels for the graphics card: half floats, in fewer of them when memory is short. */

import type { Slices } from "../core/cut";
import type { PlaneValues } from "../core/plane-values";
import type { VolumePlan } from "../core/volume-plan";

/** What one volume may take of the graphics card's memory. */
const BUDGET_BYTES = 256 << 20;
const HALF_BYTES = 2;
/** Half floats are whole numbers up to here. */
const EXACT_LIMIT = 2048;
const HIGHEST_HALF = 60_000;

export interface BodyTexture {
  readonly texture: WebGLTexture;
  /** Voxels of the texture for each of the volume's, in each direction. */
  readonly factor: number;
  /** The volume's voxels that the texture stands for: columns, rows, slices. */
  readonly spread: readonly [number, number, number];
  /** Modality value = texture's value × this. */
  readonly unscale: number;
}

/** By how much a volume is made smaller in each direction; 0: it does not fit at all. */
export function reductionFor(shape: readonly [number, number, number], longest: number): number {
  for (const factor of [1, 2, 4]) {
    const sizes = shape.map((size) => Math.ceil(size / factor));
    const bytes = sizes.reduce((all, size) => all * size, HALF_BYTES);
    if (bytes <= BUDGET_BYTES && sizes.every((size) => size <= longest)) {
      return factor;
    }
  }
  return 0;
}

/** Uploads slice after slice; the page breathes between them. Null when the card cannot take it. */
export async function makeBodyTexture(
  gl: WebGL2RenderingContext,
  plan: VolumePlan,
  values: PlaneValues,
  slices: Slices,
  isWanted: () => boolean,
): Promise<BodyTexture | null> {
  const shape = [plan.columns, plan.rows, plan.keys.length] as const;
  const factor = reductionFor(shape, gl.getParameter(gl.MAX_3D_TEXTURE_SIZE) as number);
  const texture = factor === 0 ? null : gl.createTexture();
  if (texture === null) {
    return null;
  }
  const [columns, rows, count] = shape.map((size) => Math.ceil(size / factor)) as [number, number, number];
  gl.bindTexture(gl.TEXTURE_3D, texture);
  gl.texStorage3D(gl.TEXTURE_3D, 1, gl.R16F, columns, rows, count);
  for (const [name, value] of [
    [gl.TEXTURE_MIN_FILTER, gl.LINEAR],
    [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
    [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
    [gl.TEXTURE_WRAP_R, gl.CLAMP_TO_EDGE],
  ] as const) {
    gl.texParameteri(gl.TEXTURE_3D, name, value);
  }
  const scale = scaleFor(values, slices);
  const kept = new Float32Array(columns * rows);
  const halves = new Uint16Array(columns * rows);
  for (let k = 0; k < count; k += 1) {
    if (!isWanted() || gl.isContextLost()) {
      gl.deleteTexture(texture);
      return null;
    }
    meanSlice(plan, values, slices, k, factor, kept);
    kept.forEach((value, n) => {
      halves[n] = halfOf(value * scale);
    });
    gl.bindTexture(gl.TEXTURE_3D, texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, k, columns, rows, 1, gl.RED, gl.HALF_FLOAT, halves);
    if (k % 8 === 7) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }
  const spread = [columns * factor, rows * factor, count * factor] as const;
  return { texture, factor, spread, unscale: 1 / scale };
}

/** Values beyond what half floats tell exactly are made smaller, unless whole numbers of CT fit nearly. */
function scaleFor(values: PlaneValues, slices: Slices): number {
  let most = 1;
  for (const [k, pixels] of slices.entries()) {
    const [slope, intercept] = gradeOf(values, k);
    for (let n = 0; n < (pixels?.length ?? 0); n += 97) {
      most = Math.max(most, Math.abs((pixels?.[n] as number) * slope + intercept));
    }
  }
  return most <= 2 * EXACT_LIMIT ? 1 : EXACT_LIMIT / most;
}

/** From stored to modality values. */
function gradeOf({ perSlice, slope, intercept, rescaleSlope, rescaleIntercept }: PlaneValues, k: number): readonly [number, number] {
  return perSlice === null
    ? [slope * rescaleSlope, intercept * rescaleSlope + rescaleIntercept]
    : [perSlice.slopes[k] ?? 1, perSlice.intercepts[k] ?? 0];
}

/** One slice of the texture: means of as many voxels as the volume is reduced by. */
function meanSlice(plan: VolumePlan, values: PlaneValues, slices: Slices, at: number, factor: number, into: Float32Array): void {
  const columns = Math.ceil(plan.columns / factor);
  const rows = Math.ceil(plan.rows / factor);
  into.fill(0);
  let layers = 0;
  for (let k = at * factor; k < Math.min((at + 1) * factor, slices.length); k += 1) {
    const pixels = slices[k];
    const [slope, intercept] = gradeOf(values, k);
    layers += 1;
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        let [sum, count] = [0, 0];
        for (let j = row * factor; j < Math.min((row + 1) * factor, plan.rows); j += 1) {
          for (let i = column * factor; i < Math.min((column + 1) * factor, plan.columns); i += 1) {
            sum += pixels?.[j * plan.columns + i] ?? 0;
            count += 1;
          }
        }
        const n = row * columns + column;
        into[n] = (into[n] as number) + (sum / count) * slope + intercept;
      }
    }
  }
  if (layers > 1) {
    into.forEach((value, n) => {
      into[n] = value / layers;
    });
  }
}

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** The nearest half float (IEEE 754 binary16), as bits; what is too large becomes the largest. */
export function halfOf(value: number): number {
  floats[0] = Math.min(HIGHEST_HALF, Math.max(-HIGHEST_HALF, value));
  const [whole = 0] = bits;
  const sign = (whole >>> 16) & 0x8000;
  const exponent = ((whole >>> 23) & 0xff) - 112;
  const mantissa = whole & 0x7fffff;
  if (exponent <= 0) {
    if (exponent < -10) {
      return sign;
    }
    const shift = 14 - exponent;
    return sign | (((mantissa | 0x800000) + (1 << (shift - 1))) >>> shift);
  }
  return sign | ((exponent << 10) + ((mantissa + 0x1000) >>> 13));
}
