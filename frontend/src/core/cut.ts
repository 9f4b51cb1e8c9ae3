/**
 * Planes and slabs cut from a volume's slices, pixel for pixel as the server cuts them
 * (`reconstruction/kernels.py`; both are held to `tests/golden/planes.json`). The slices are those that
 * pictures are drawn from, none is copied. Places are (i, j, w): column, row and place along the stack.
 */

import type { Pixels, Triple } from "./facts";
import type { PlaneGrid, Slab } from "./mpr";
import { highestOf, lowestOf, makePixels, type PlaneValues } from "./plane-values";
import { applyAffine, finestMm, turnBy, type VolumePlan } from "./volume-plan";

/** Rounding of a position that lies on the very edge must not lose it. */
const EDGE = 1e-6;

/** For each slice of the plan its stored values, or undefined while they are on their way. */
export type Slices = readonly (Pixels | undefined)[];

export interface CutPicture {
  readonly pixels: Int16Array | Int32Array | Float32Array;
  /** Whether pixels may change when more slices arrive. */
  isPartial: boolean;
}

/** How many layers of a slab are looked at: none thicker than the finest voxel spacing. */
export function countLayers({ mode, thicknessMm }: Slab, plan: VolumePlan): number {
  return mode === "thin" || thicknessMm <= 0 ? 1 : Math.max(1, Math.ceil(thicknessMm / finestMm(plan) - 1e-6));
}

/** A grid of fewer, larger pixels over the same rectangle, or a little more of it. */
export function coarser(grid: PlaneGrid, factor: number): PlaneGrid {
  const shift = (grid.spacingMm * (factor - 1)) / 2;
  const origin = grid.origin.map((at, axis) => at + shift * ((grid.right[axis] as number) + (grid.down[axis] as number)));
  return {
    ...grid,
    origin: origin as unknown as Triple,
    spacingMm: grid.spacingMm * factor,
    rows: Math.ceil(grid.rows / factor),
    columns: Math.ceil(grid.columns / factor),
  };
}

/** Gives each pixel of a coarser picture to those that it stands for. */
export function enlarge<T extends CutPicture["pixels"]>(coarse: T, from: PlaneGrid, to: PlaneGrid, factor: number, into: T): T {
  for (let row = 0; row < to.rows; row += 1) {
    const at = row * to.columns;
    if (row % factor !== 0) {
      into.copyWithin(at, at - to.columns, at);
      continue;
    }
    const source = (row / factor) * from.columns;
    for (let column = 0, index = source, left = factor; column < to.columns; column += 1) {
      into[at + column] = coarse[index] as number;
      left -= 1;
      if (left === 0) {
        left = factor;
        index += 1;
      }
    }
  }
  return into;
}

/** A plane or slab under way: rows are cut in pieces, from the top. */
export class Cut {
  readonly picture: CutPicture;
  private next = 0;
  private readonly start: Triple;
  private readonly across: Triple;
  private readonly along: Triple;
  private readonly deep: Triple;
  private readonly depths: readonly number[];
  /** What stands for places outside the volume, and for its lowest value. */
  readonly outside: number;
  private readonly kept: Float64Array;
  private readonly found: Int32Array;
  private readonly isLow: boolean;
  private readonly reachMm: number;
  private readonly hasAll: boolean;

  /** `layers`: fewer of them make a draft. */
  constructor(
    private readonly plan: VolumePlan,
    private readonly values: PlaneValues,
    private readonly slices: Slices,
    private readonly grid: PlaneGrid,
    private readonly slab: Slab,
    layers: number = countLayers(slab, plan),
  ) {
    this.picture = { pixels: makePixels(values, grid.rows * grid.columns), isPartial: false };
    const affine = plan.ijwFromLps;
    this.start = applyAffine(affine, grid.origin);
    this.across = times(turnBy(affine, grid.right), grid.spacingMm);
    this.along = times(turnBy(affine, grid.down), grid.spacingMm);
    this.deep = turnBy(affine, grid.normal);
    this.depths = layers === 1 ? [0] : Array.from({ length: layers }, (_, i) => ((i + 0.5) / layers - 0.5) * slab.thicknessMm);
    this.outside = outsideOf(values, slices);
    this.kept = new Float64Array(grid.columns);
    this.found = new Int32Array(grid.columns);
    // A negative slope turns high and low round.
    this.isLow = (slab.mode === "minip") !== values.slope < 0;
    this.reachMm = plan.spacingMm[2] / 2;
    this.hasAll = slices.every((pixels) => pixels !== undefined);
  }

  get isDone(): boolean {
    return this.next >= this.grid.rows;
  }

  /** Rows that are cut already. */
  get rowsDone(): number {
    return this.next;
  }

  get samplesOfRow(): number {
    return this.grid.columns * this.depths.length;
  }

  /** Cuts some more rows. */
  go(rows: number): void {
    const end = Math.min(this.grid.rows, this.next + rows);
    for (; this.next < end; this.next += 1) {
      this.cutRow(this.next);
    }
  }

  private cutRow(row: number): void {
    const { kept, found, start, along, deep } = this;
    kept.fill(Number.NaN);
    found.fill(0);
    for (const depth of this.depths) {
      const at = (axis: 0 | 1 | 2): number => start[axis] + row * along[axis] + depth * deep[axis];
      this.addLayer(at(0), at(1), at(2));
    }
    this.finish(row);
  }

  /** One layer of a row. Samples that have all their eight neighbours are the many: they go the short way. */
  private addLayer(i0: number, j0: number, w0: number): void {
    const { slices, grid, kept, found, plan, isLow } = this;
    const [di, dj, dw] = this.across;
    const isEven = plan.sliceMm.length === 0;
    const all = isEven ? this.inside(i0, j0, w0, 0.5 + 2 * EDGE) : ([0, grid.columns] as const);
    const quick = isEven ? this.inside(i0, j0, w0, -EDGE) : ([0, 0] as const);
    const isMean = this.slab.mode === "mean";
    const stride = plan.columns;
    const { perSlice } = this.values;
    for (let column = all[0]; column < all[1]; column += 1) {
      const i = i0 + column * di;
      const j = j0 + column * dj;
      const w = w0 + column * dw;
      let value: number;
      if (perSlice === null && column >= quick[0] && column < quick[1]) {
        const [i1, j1, k1] = [Math.floor(i), Math.floor(j), Math.floor(w)];
        const near = slices[k1];
        const far = slices[k1 + 1];
        if (near === undefined || far === undefined) {
          this.picture.isPartial = true;
          continue;
        }
        const x = i - i1;
        const y = j - j1;
        const at = j1 * stride + i1;
        const a = near[at] as number;
        const b = near[at + stride] as number;
        const c = far[at] as number;
        const d = far[at + stride] as number;
        const top = a + ((near[at + 1] as number) - a) * x;
        const bottom = b + ((near[at + stride + 1] as number) - b) * x;
        const farTop = c + ((far[at + 1] as number) - c) * x;
        const farBottom = d + ((far[at + stride + 1] as number) - d) * x;
        const front = top + (bottom - top) * y;
        value = front + (farTop + (farBottom - farTop) * y - front) * (w - k1);
      } else {
        value = this.valueAt(i, j, isEven ? w : this.sliceAt(w));
        if (value !== value) {
          continue;
        }
      }
      const before = kept[column] as number;
      found[column] = (found[column] as number) + 1;
      if (before !== before) {
        kept[column] = value;
      } else if (isMean) {
        kept[column] = before + value;
      } else if (isLow ? value < before : value > before) {
        kept[column] = value;
      }
    }
  }

  private finish(row: number): void {
    const { kept, found, values, outside } = this;
    const { pixels } = this.picture;
    const isMean = this.slab.mode === "mean";
    const at = row * this.grid.columns;
    for (let column = 0; column < kept.length; column += 1) {
      const sum = kept[column] as number;
      if (sum !== sum) {
        pixels[at + column] = outside;
        // What stands for "outside" is the lowest value of all slices.
        this.picture.isPartial ||= !this.hasAll;
        continue;
      }
      const count = found[column] as number;
      const value = (isMean && count > 1 ? sum / count : sum) * values.slope + values.intercept;
      // Rounded as the server does, which keeps four bytes of a number before it rounds.
      pixels[at + column] = values.isRounded ? Math.floor(Math.fround(Math.fround(value) + 0.5)) : value;
    }
  }

  /** The trilinear value at a place; NaN outside, and where a slice is still on its way. */
  private valueAt(i: number, j: number, k: number): number {
    const { plan, slices } = this;
    const [lastI, lastJ, lastK] = [plan.columns - 1, plan.rows - 1, slices.length - 1];
    const edge = 0.5 + EDGE;
    const isInside = i >= -edge && i <= lastI + edge && j >= -edge && j <= lastJ + edge && k >= -edge && k <= lastK + edge;
    if (!isInside) {
      return Number.NaN;
    }
    const [x, y, z] = [Math.min(lastI, Math.max(0, i)), Math.min(lastJ, Math.max(0, j)), Math.min(lastK, Math.max(0, k))];
    const k0 = Math.floor(z);
    const front = this.valueInSlice(k0, x, y);
    if (z === k0) {
      return front;
    }
    const back = this.valueInSlice(k0 + 1, x, y);
    return front + (back - front) * (z - k0);
  }

  private valueInSlice(k: number, x: number, y: number): number {
    const pixels = this.slices[k];
    if (pixels === undefined) {
      this.picture.isPartial = true;
      return Number.NaN;
    }
    const { columns, rows } = this.plan;
    const [i0, j0] = [Math.floor(x), Math.floor(y)];
    const [i1, j1] = [Math.min(i0 + 1, columns - 1), Math.min(j0 + 1, rows - 1)];
    const at = (i: number, j: number): number => pixels[j * columns + i] as number;
    const top = at(i0, j0) * (1 - (x - i0)) + at(i1, j0) * (x - i0);
    const bottom = at(i0, j1) * (1 - (x - i0)) + at(i1, j1) * (x - i0);
    const value = top * (1 - (y - j0)) + bottom * (y - j0);
    const { perSlice } = this.values;
    return perSlice === null ? value : value * (perSlice.slopes[k] as number) + (perSlice.intercepts[k] as number);
  }

  /** The fractional slice at a distance along the normal; NaN where none is near. */
  private sliceAt(place: number): number {
    const { sliceMm, holes } = this.plan;
    const last = sliceMm.length - 1;
    const mm = (k: number): number => sliceMm[k] as number;
    if (place < mm(0)) {
      return mm(0) - place <= this.reachMm ? 0 : Number.NaN;
    }
    if (place >= mm(last)) {
      return place - mm(last) <= this.reachMm ? last : Number.NaN;
    }
    let [low, high] = [0, last];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      [low, high] = mm(middle) <= place ? [middle, high] : [low, middle];
    }
    const [before, after] = [place - mm(low), mm(low + 1) - place];
    if (holes[low] === true) {
      return Math.min(before, after) > this.reachMm ? Number.NaN : before <= after ? low : low + 1;
    }
    return low + before / (before + after);
  }

  /** The columns of a row that lie in the volume, `edge` voxels beyond the outermost centres. */
  private inside(i: number, j: number, k: number, edge: number): readonly [number, number] {
    const { plan, slices, across } = this;
    let span: readonly [number, number] = [0, this.grid.columns];
    span = within(span, i + edge, across[0], plan.columns - 1 + 2 * edge);
    span = within(span, j + edge, across[1], plan.rows - 1 + 2 * edge);
    return within(span, k + edge, across[2], slices.length - 1 + 2 * edge);
  }
}

/** Narrows a range of columns to those whose place, `place + column · step`, is in 0…`most`. */
function within([first, last]: readonly [number, number], place: number, step: number, most: number): readonly [number, number] {
  if (step === 0) {
    return place >= 0 && place <= most ? [first, last] : [first, first];
  }
  const [one, other] = [-place / step, (most - place) / step];
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  if (!(high >= first && low <= last)) {
    return [first, first];
  }
  return [Math.max(first, Math.ceil(Math.max(low, first))), Math.min(last, Math.floor(Math.min(high, last)) + 1)];
}

function times([x, y, z]: Triple, by: number): Triple {
  return [x * by, y * by, z * by];
}

/** What stands for "outside": the volume's lowest value, as far as it has come. */
function outsideOf(values: PlaneValues, slices: Slices): number {
  const { slope, intercept, perSlice } = values;
  let low = Number.POSITIVE_INFINITY;
  slices.forEach((pixels, k) => {
    if (pixels !== undefined) {
      const [by, plus] = perSlice === null ? [slope, intercept] : [perSlice.slopes[k] as number, perSlice.intercepts[k] as number];
      low = Math.min(low, (by < 0 ? highestOf(pixels) : lowestOf(pixels)) * by + plus);
    }
  });
  return Number.isFinite(low) ? low : 0;
}
