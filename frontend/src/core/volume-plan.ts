/**
 * A series as a body in space, as the server plans it: which frames, in which order, and where they
 * lie (docs/volumes.md). Nothing of it is guessed here.
 */

import type { Triple } from "./facts";

export interface VolumePlan {
  readonly seriesId: string;
  /** Keys of the stack's images, lowest first along the normal. */
  readonly keys: readonly string[];
  readonly rows: number;
  readonly columns: number;
  /** Rows of the affine from column, row and place along the stack: the slice's number, or mm with a z table. */
  readonly lpsFromIjw: Affine;
  readonly ijwFromLps: Affine;
  /** Distance of each slice from the first in mm; empty for an even stack. */
  readonly sliceMm: readonly number[];
  /** For each pair of neighbours whether slices are missing between them; empty for an even stack. */
  readonly holes: readonly boolean[];
  /** Between columns, rows and slices (median). */
  readonly spacingMm: Triple;
  readonly timePoint: number;
  readonly timePoints: number;
  readonly frameOfReferenceUid: string;
  /** What the passport found: code and words. */
  readonly notes: readonly { readonly code: string; readonly words: string }[];
  /** The image that decides on windows. */
  readonly middleKey: string;
  /** Whether lookup tables make the values: only the server has them. */
  readonly needsTables: boolean;
}

/** Three rows of four. */
export type Affine = readonly (readonly [number, number, number, number])[];

export function applyAffine(affine: Affine, [x, y, z]: Triple): Triple {
  return affine.map(([a, b, c, d]) => a * x + b * y + c * z + d) as unknown as Triple;
}

/** The linear part alone: for directions. */
export function turnBy(affine: Affine, [x, y, z]: Triple): Triple {
  return affine.map(([a, b, c]) => a * x + b * y + c * z) as unknown as Triple;
}

/** The inverse; null when there is none. */
export function invertAffine(affine: Affine): Affine | null {
  const [r0, r1, r2] = affine;
  if (r0 === undefined || r1 === undefined || r2 === undefined) {
    return null;
  }
  const [a, b, c, x] = r0;
  const [d, e, f, y] = r1;
  const [g, h, i, z] = r2;
  const [A, B, C] = [e * i - f * h, c * h - b * i, b * f - c * e];
  const [D, E, F] = [f * g - d * i, a * i - c * g, c * d - a * f];
  const [G, H, I] = [d * h - e * g, b * g - a * h, a * e - b * d];
  const determinant = a * A + b * D + c * G;
  if (!(Math.abs(determinant) > 1e-12)) {
    return null;
  }
  const row = (p: number, q: number, r: number): readonly [number, number, number, number] => {
    const [u, v, w] = [p / determinant, q / determinant, r / determinant];
    return [u, v, w, -(u * x + v * y + w * z)];
  };
  return [row(A, B, C), row(D, E, F), row(G, H, I)];
}

export function finestMm({ spacingMm }: Pick<VolumePlan, "spacingMm">): number {
  return Math.min(...spacingMm.filter((spacing) => spacing > 0));
}

/** Where the outermost voxels end along the third axis: half a voxel beyond the first and the last. */
export function depthOf({ sliceMm, keys, spacingMm }: VolumePlan): readonly [number, number] {
  const reach = sliceMm.length === 0 ? 0.5 : spacingMm[2] / 2;
  const last = sliceMm.length === 0 ? keys.length - 1 : (sliceMm[sliceMm.length - 1] as number);
  return [-reach, last + reach];
}

/** The edges of a voxel, lps in mm. */
export function voxelAxesOf({ lpsFromIjw, sliceMm, spacingMm }: VolumePlan): readonly Triple[] {
  const deep = sliceMm.length === 0 ? 1 : spacingMm[2];
  return [turnBy(lpsFromIjw, [1, 0, 0]), turnBy(lpsFromIjw, [0, 1, 0]), turnBy(lpsFromIjw, [0, 0, deep])];
}

/** The eight corners of the body, lps. */
export function cornersOf(plan: VolumePlan): Triple[] {
  const [near, far] = depthOf(plan);
  const [right, bottom] = [plan.columns - 0.5, plan.rows - 0.5];
  return [near, far].flatMap((w) =>
    [-0.5, bottom].flatMap((j) => [-0.5, right].map((i) => applyAffine(plan.lpsFromIjw, [i, j, w]))),
  );
}

/** The centre of the voxel in the middle. */
export function middleOfVolume(plan: VolumePlan): Triple {
  const k = Math.floor(plan.keys.length / 2);
  const w = plan.sliceMm.length === 0 ? k : (plan.sliceMm[k] as number);
  return applyAffine(plan.lpsFromIjw, [Math.floor(plan.columns / 2), Math.floor(plan.rows / 2), w]);
}

/** The slice nearest to a place along the third axis. */
export function nearestNumber({ sliceMm, keys }: VolumePlan, w: number): number {
  if (sliceMm.length === 0) {
    return Math.min(keys.length - 1, Math.max(0, Math.round(w)));
  }
  let best = 0;
  sliceMm.forEach((place, k) => {
    best = Math.abs(place - w) < Math.abs((sliceMm[best] as number) - w) ? k : best;
  });
  return best;
}
