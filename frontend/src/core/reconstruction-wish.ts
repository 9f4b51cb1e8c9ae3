/** What the reader wants made of a series, as the server is asked for it (docs/reconstruction.md). */

import type { ImageFacts } from "./facts";
import { planeOf } from "./planes";

/** Kinds that the form offers; others have tools of their own. */
export const KINDS = ["mpr", "mip", "minip", "mean", "rotating_mip", "surface", "volume_rendering"] as const;
export type Kind = (typeof KINDS)[number];
export const PLANES = ["axial", "coronal", "sagittal"] as const;
export type Plane = (typeof PLANES)[number];
export const MODES = ["thin", "mip", "minip", "mean"] as const;
export type Mode = (typeof MODES)[number];
export const TISSUES = ["bone", "dense_bone", "soft_tissue", "lung", "range"] as const;
export type Tissue = (typeof TISSUES)[number];
export const PICTURE_OUTPUTS = ["dicom", "png", "nifti", "npy", "json"] as const;
export const VIEW_OUTPUTS = ["dicom", "png", "mp4", "gif"] as const;
/** Presets of a body that can be asked for by name; the first: what suits the series best. */
export const BODIES = ["best", "bone", "angio", "soft_tissue", "skin", "lung", "surface", "translucent", "bright", "mip"] as const;
export type Body = (typeof BODIES)[number];
export const MESH_OUTPUTS = ["stl", "glb", "json"] as const;

export interface Choice {
  readonly kind: Kind;
  readonly plane: Plane;
  readonly mode: Mode;
  /** NaN: as the server thinks best. */
  readonly spacingMm: number;
  readonly thicknessMm: number;
  readonly views: number;
  readonly tissue: Tissue;
  readonly body: Body;
  readonly lowest: number;
  readonly highest: number;
  readonly outputs: readonly string[];
}

/** The fields that a kind has. */
export type Field = "plane" | "mode" | "spacing" | "thickness" | "views" | "tissue" | "range" | "body";

export function fieldsOf({ kind, mode, tissue }: Pick<Choice, "kind" | "mode" | "tissue">): readonly Field[] {
  switch (kind) {
    case "mpr":
      return mode === "thin" ? ["plane", "mode", "spacing"] : ["plane", "mode", "thickness", "spacing"];
    case "rotating_mip":
      return ["views"];
    case "volume_rendering":
      return ["body", "views"];
    case "surface":
      return tissue === "range" ? ["tissue", "range"] : ["tissue"];
    default:
      return ["plane", "thickness", "spacing"];
  }
}

export function outputsOf(kind: Kind): readonly string[] {
  return kind === "surface" ? MESH_OUTPUTS : kind === "volume_rendering" ? VIEW_OUTPUTS : PICTURE_OUTPUTS;
}

type Parameters = Record<string, string | number | readonly string[]>;

/** The parameters of the request; fields without a number are left to the server. */
export function parametersOf(choice: Choice): Parameters {
  const fields = fieldsOf(choice);
  const has = (field: Field): boolean => fields.includes(field);
  const wish: Parameters = { output: choice.outputs };
  if (has("plane")) {
    wish["plane"] = choice.plane;
  }
  if (has("mode")) {
    wish["mode"] = choice.mode;
  }
  const numbers: readonly (readonly [Field, string, number])[] = [
    ["spacing", "spacing_mm", choice.spacingMm],
    ["thickness", "thickness_mm", choice.thicknessMm],
    ["views", "views", choice.views],
    ["range", "lowest", choice.lowest],
    ["range", "highest", choice.highest],
  ];
  for (const [field, name, value] of numbers) {
    if (has(field) && Number.isFinite(value)) {
      wish[name] = value;
    }
  }
  if (has("body") && choice.body !== "best") {
    wish["preset"] = choice.body;
  }
  if (has("tissue")) {
    wish["tissue"] = choice.tissue;
  }
  return wish;
}

/** The plane that the series does not show already. */
export function defaultPlane(facts: ImageFacts | undefined): Plane {
  const plane = facts === undefined ? null : planeOf(facts);
  const [x, y, z] = plane?.normal.map(Math.abs) ?? [0, 0, 1];
  return z !== undefined && x !== undefined && y !== undefined && z >= x && z >= y ? "coronal" : "axial";
}

/** A step that suits reading: not finer than the slices, not coarser than 5 mm, in half millimetres. */
export function defaultSpacingMm(facts: ImageFacts | undefined): number {
  const slice = facts?.sliceThickness ?? 3;
  const pixel = facts?.pixelSpacing?.[0] ?? 1;
  return Math.min(5, Math.max(0.5, Math.ceil(2 * Math.max(slice, pixel, 2)) / 2));
}
