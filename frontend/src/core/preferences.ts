/** How a reader likes the viewer to behave; what is not set is as the house has it. */

export const CORNERS = ["top_left", "top_right", "bottom_left", "bottom_right"] as const;
export type Corner = (typeof CORNERS)[number];

export const CORNER_FIELDS = [
  "patient_name",
  "patient_id",
  "patient_birth_date",
  "patient_sex",
  "patient_age",
  "facility",
  "study_date",
  "study_description",
  "accession_number",
  "series",
  "series_description",
  "body_part_examined",
  "image",
  "window_name",
  "window",
  "zoom",
  "slice_thickness",
  "slice_position",
  "matrix",
] as const;
export type CornerField = (typeof CORNER_FIELDS)[number];
export type CornerTexts = Readonly<Record<Corner, readonly CornerField[]>>;

export const DRAG_TOOLS = ["window", "scroll", "zoom", "pan"] as const;
export type DragTool = (typeof DRAG_TOOLS)[number];

export const WHEEL_WAYS = ["scroll", "zoom"] as const;

export interface MousePreferences {
  /** The tool that is chosen when a study opens; null: window on a desk, scroll under fingers. */
  readonly left: DragTool | null;
  readonly middle: DragTool;
  readonly right: DragTool;
  readonly wheel: (typeof WHEEL_WAYS)[number];
  readonly isWheelReversed: boolean;
}

export interface OwnPreset {
  readonly label: string;
  /** `*`: for all. */
  readonly modality: string;
  readonly center: number;
  readonly width: number;
}

export interface MarkPreferences {
  readonly colour: string | null;
  readonly textPx: number | null;
  readonly linePx: number | null;
}

export interface Preferences {
  readonly version: number;
  /** By a command's id; commands that are not named have the keys of the house. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
  readonly mouse: MousePreferences;
  readonly presets: readonly OwnPreset[];
  /** By modality, `*` for all others. */
  readonly corners: Readonly<Record<string, CornerTexts>>;
  readonly marks: MarkPreferences;
  readonly framesPerSecond: number | null;
  readonly loops: boolean;
  readonly smooth: boolean;
  /** Smaller tools and rows. */
  readonly isCompact: boolean;
}

export const HOUSE_CORNERS: CornerTexts = {
  top_left: ["series", "series_description", "image"],
  top_right: [],
  bottom_left: ["window_name", "window", "zoom"],
  bottom_right: ["slice_thickness", "slice_position", "matrix"],
};

export const HOUSE_PREFERENCES: Preferences = {
  version: 0,
  keys: {},
  mouse: { left: null, middle: "pan", right: "zoom", wheel: "scroll", isWheelReversed: false },
  presets: [],
  corners: {},
  marks: { colour: null, textPx: null, linePx: null },
  framesPerSecond: null,
  loops: true,
  smooth: true,
  isCompact: false,
};

/** What stands in the corners over a picture of this modality. */
export function cornersFor(preferences: Preferences, modality: string): CornerTexts {
  return preferences.corners[modality] ?? preferences.corners["*"] ?? HOUSE_CORNERS;
}

/** Which corner a field stands in; null: it is not shown. */
export function cornerOf(texts: CornerTexts, field: CornerField): Corner | null {
  return CORNERS.find((corner) => texts[corner].includes(field)) ?? null;
}

/** Puts a field into a corner, or takes it away; the lines of a corner keep the order of the list. */
export function placeField(texts: CornerTexts, field: CornerField, corner: Corner | null): CornerTexts {
  const placed = (name: Corner): readonly CornerField[] =>
    CORNER_FIELDS.filter((one) => (one === field ? name === corner : texts[name].includes(one)));
  return {
    top_left: placed("top_left"),
    top_right: placed("top_right"),
    bottom_left: placed("bottom_left"),
    bottom_right: placed("bottom_right"),
  };
}

/**
 * The keys of every command: the reader's own before the house's. A key that the reader gave to one
 * command is taken from the command that has it by the house.
 */
export function keysOf(
  house: ReadonlyMap<string, readonly string[]>,
  own: Preferences["keys"],
): Map<string, readonly string[]> {
  const taken = new Set(Object.entries(own).flatMap(([id, keys]) => (house.has(id) ? keys : [])));
  return new Map(
    [...house].map(([id, keys]) => {
      const isWhole = !keys.some((key) => taken.has(key));
      return [id, own[id] ?? (isWhole ? keys : keys.filter((key) => !taken.has(key)))] as const;
    }),
  );
}

/** The presets of the reader for a modality, in the order in which they were made. */
export function ownPresetsFor(preferences: Preferences, modality: string): readonly OwnPreset[] {
  return preferences.presets.filter((preset) => preset.modality === "*" || preset.modality === modality);
}
