/** The wire formats, parsed here once and nowhere else. */

import type { Preferences } from "../core/preferences";
import type { ColourMap } from "../core/colour-map";
import type {
  Badge,
  ImageFacts,
  LookupTable,
  NamedWindow,
  PixelFormat,
  Series,
  Shutter,
  SpacingSource,
  Supplement,
  Stack,
  Study,
  Triple,
  UltrasoundRegion,
  Video,
  VoiFunction,
} from "../core/facts";
import type { Hung, Prior } from "../core/hanging";
import { readHung, readPriors } from "./hanging";
import { readColourMaps, readOffer } from "./windows";
import { readPreferences } from "./preferences";
import {
  asFlag,
  asList,
  asNumber,
  asNumbers,
  asObject,
  asText,
  type Json,
  type JsonObject,
} from "./read";

/** Who looks at the page. */
export interface Person {
  readonly username: string;
  readonly mayMeasure: boolean;
  /** The study's facility, if the person may save layouts for all of it. */
  readonly mayKeepFor: { readonly code: string; readonly name: string } | null;
  /** For the header X-CSRFToken of every change. */
  readonly csrfToken: string;
}

export interface ViewerPage {
  readonly study: Study;
  readonly series: readonly Series[];
  readonly activeSeriesId: string;
  readonly stack: Stack | null;
  readonly worklistUrl: string;
  /** The study's series as they are now. */
  readonly seriesUrl: string;
  readonly eventsUrl: string;
  /** Below it lie measurements, annotations and layers. */
  readonly apiUrl: string;
  /** The last piece of news that this page knows of. */
  readonly newestEvent: number;
  readonly colourMaps: readonly ColourMap[];
  readonly person: Person;
  readonly texts: Readonly<Record<string, string>>;
  readonly preferences: Preferences;
  readonly hung: Hung | null;
  readonly priors: readonly Prior[];
  /** Where saved layouts are kept, and how the server hangs this study by one of them. */
  readonly layoutsUrl: string;
  readonly hangUrl: string;
}

const PIXEL_FORMATS: readonly PixelFormat[] = ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "f64", "rgb8", "none"];

export function readPage(text: string): ViewerPage {
  const page = asObject(JSON.parse(text) as Json);
  const series = readSeriesList(page);
  const urls = asObject(page["urls"]);
  const stack = asObject(page["stack"]);
  const texts = Object.entries(asObject(page["texts"])).map(([key, value]) => [key, asText(value)] as const);
  return {
    study: readStudy(asObject(page["study"])),
    series,
    activeSeriesId: asText(page["active_series"]) || (series[0]?.id ?? ""),
    stack: "images" in stack ? readStack(stack) : null,
    worklistUrl: asText(urls["worklist"]),
    seriesUrl: asText(urls["series"]),
    eventsUrl: asText(urls["events"]),
    apiUrl: asText(urls["api"]),
    newestEvent: asNumber(page["newest_event"]) ?? 0,
    colourMaps: readColourMaps(page["colour_maps"]),
    person: readPerson(asObject(page["person"])),
    texts: Object.fromEntries(texts),
    preferences: readPreferences(asObject(page["preferences"])),
    hung: readHung(page["hanging"]),
    priors: readPriors(page["priors"], readStudy),
    layoutsUrl: asText(urls["hanging"]),
    hangUrl: asText(urls["hang"]),
  };
}

function readPerson(wire: JsonObject): Person {
  const keeper = asObject(wire["may_keep_for"]);
  return {
    mayKeepFor: asText(keeper["code"]) === "" ? null : { code: asText(keeper["code"]), name: asText(keeper["name"]) },
    username: asText(wire["username"]),
    mayMeasure: asFlag(wire["may_measure"]),
    csrfToken: asText(wire["csrf_token"]),
  };
}

function readStudy(wire: JsonObject): Study {
  const text = (key: string): string => asText(wire[key]);
  return {
    id: text("id"),
    studyInstanceUid: text("study_instance_uid"),
    patientName: text("patient_name"),
    patientId: text("patient_id"),
    patientBirthDate: text("patient_birth_date"),
    patientSex: text("patient_sex"),
    patientAge: text("patient_age"),
    studyDate: text("study_date"),
    studyTime: text("study_time"),
    studyDescription: text("study_description"),
    accessionNumber: text("accession_number"),
    facility: text("facility"),
    hasDiscrepancy: asFlag(wire["has_discrepancy"]),
  };
}

export function readSeriesList(wire: JsonObject): Series[] {
  return asList(wire["series"]).map((one) => readSeries(asObject(one)));
}

function readSeries(wire: JsonObject): Series {
  const text = (key: string): string => asText(wire[key]);
  return {
    id: text("id"),
    studyId: text("study_id"),
    seriesNumber: asNumber(wire["series_number"]),
    modality: text("modality"),
    seriesDescription: text("series_description"),
    bodyPartExamined: text("body_part_examined"),
    laterality: text("laterality"),
    instanceCount: asNumber(wire["instance_count"]) ?? 0,
    frameCount: asNumber(wire["frame_count"]) ?? 0,
    thumbnailUrl: text("thumbnail_url"),
    stackUrl: text("stack_url"),
    badges: readBadges(wire),
    hasPassport: wire["has_passport"] === true,
    passportUrl: text("passport_url"),
    displayable: wire["displayable"] !== false,
    whyNot: text("why_not"),
  };
}

export function readBadges(wire: JsonObject): Badge[] {
  return asList(wire["badges"]).map((one) => {
    const badge = asObject(one);
    return { code: asText(badge["code"]), mark: asText(badge["mark"]), meaning: asText(badge["meaning"]) };
  });
}

/** A stack document: what all images share stands once, the rest with each image. */
export function readStack(wire: JsonObject): Stack {
  const shared = asObject(wire["shared"]);
  return {
    seriesId: asText(wire["series_id"]),
    version: asText(wire["version"]),
    images: asList(wire["images"]).map((one) => readImage({ ...shared, ...asObject(one) })),
    videos: asList(wire["videos"]).map((one) => readVideo(asObject(one))),
    ...readOffer(asObject(wire["windows"])),
    opensAt: asNumber(wire["opens_at"]) ?? 0,
    displayable: wire["displayable"] !== false,
    whyNot: asText(wire["why_not"]),
  };
}

function readVideo(wire: JsonObject): Video {
  return {
    instanceId: asText(wire["instance_id"]),
    url: asText(wire["url"]),
    frameTimeMs: asNumber(wire["frame_time_ms"]),
    whyNot: asText(wire["why_not"]),
  };
}

function readImage(wire: JsonObject): ImageFacts {
  const text = (key: string): string => asText(wire[key]);
  const number = (key: string): number | null => asNumber(wire[key]);
  const instanceId = text("instance_id");
  const frame = number("frame") ?? 0;
  return {
    key: imageKey(instanceId, frame),
    instanceId,
    sopInstanceUid: text("sop_instance_uid"),
    instanceNumber: number("instance_number"),
    frame,
    frameCount: number("number_of_frames") ?? 1,
    pixelFormat: readPixelFormat(text("pixel_format")),
    bytes: number("bytes") ?? 0,
    rows: number("rows") ?? 0,
    columns: number("columns") ?? 0,
    photometricInterpretation: text("photometric_interpretation"),
    bitsStored: number("bits_stored") ?? 8,
    ...readLevels(wire),
    shutter: readShutter(wire["shutter"]),
    hasOverlays: readHasOverlays(asList(wire["overlays"]), number("frame") ?? 0),
    ...readGeometry(wire),
    lossy: asFlag(wire["lossy_image_compression"]) || text("lossy_image_compression") === "01",
    lossyRatio: asNumbers(wire["lossy_image_compression_ratio"]).at(-1) ?? null,
    frameTimeMs: readFrameTime(wire),
    remark: text("remark"),
    videoUrl: text("video_url"),
    laterality: text("frame_laterality") || text("image_laterality"),
    viewPosition: text("view_position"),
  };
}

/** The time from frame to frame in ms: as filed, or the vector's mean, or from the wished rate. */
function readFrameTime(wire: JsonObject): number | null {
  const time = asNumber(wire["frame_time_ms"]);
  if (time !== null && time > 0) {
    return time;
  }
  const steps = asNumbers(wire["frame_time_vector_ms"]).filter((step) => step > 0);
  if (steps.length > 0) {
    return steps.reduce((sum, step) => sum + step, 0) / steps.length;
  }
  const rate = asNumber(wire["recommended_display_frame_rate"]) ?? asNumber(wire["cine_rate"]);
  return rate !== null && rate > 0 ? 1000 / rate : null;
}

type Levels = Pick<
  ImageFacts,
  | "rescaleSlope"
  | "rescaleIntercept"
  | "rescaleType"
  | "units"
  | "isRescaled"
  | "modalityLut"
  | "windows"
  | "voiFunction"
  | "voiLuts"
  | "presentationLutShape"
  | "presentationLut"
  | "pixelPaddingValue"
  | "pixelPaddingRangeLimit"
  | "supplement"
>;

function readLevels(wire: JsonObject): Levels {
  const named = asText(wire["voi_lut_function"]);
  const voiFunction = named === "SIGMOID" || named === "LINEAR_EXACT" ? named : "LINEAR";
  return {
    ...readRescale(wire),
    rescaleType: asText(wire["rescale_type"]),
    units: asText(wire["units"]),
    isRescaled: asNumber(wire["rescale_slope"]) !== null || asObject(wire["modality_lut"])["entries"] !== undefined,
    modalityLut: readTable(wire["modality_lut"]),
    windows: readWindows(wire, voiFunction),
    voiFunction,
    voiLuts: asList(wire["voi_luts"])
      .map((one) => readTable(one))
      .filter((one): one is LookupTable => one !== null),
    presentationLutShape: asText(wire["presentation_lut_shape"]),
    presentationLut: readTable(wire["presentation_lut"]),
    pixelPaddingValue: asNumber(wire["pixel_padding_value"]),
    pixelPaddingRangeLimit: asNumber(wire["pixel_padding_range_limit"]),
    supplement: readSupplement(wire),
  };
}

/** The palette over grey, when Pixel Presentation of the frame is COLOR (`imaging.palette`). */
function readSupplement(wire: JsonObject): Supplement | null {
  const palette = asObject(wire["supplemental_palette"]);
  const [first, rgb] = [asNumber(palette["first"]), asNumbers(palette["rgb"])];
  const isWanted = asText(wire["pixel_presentation"]).toUpperCase() === "COLOR";
  return isWanted && first !== null && rgb.length >= 3 ? { first, rgb: Uint8Array.from(rgb) } : null;
}

/** A slope of 0 would erase the picture; it counts as none. */
function readRescale(wire: JsonObject): { rescaleSlope: number; rescaleIntercept: number } {
  const slope = asNumber(wire["rescale_slope"]);
  if (slope === null || slope === 0) {
    return { rescaleSlope: 1, rescaleIntercept: 0 };
  }
  return { rescaleSlope: slope, rescaleIntercept: asNumber(wire["rescale_intercept"]) ?? 0 };
}

/** The windows that the standard allows: LINEAR must be at least 1 wide, the others wider than 0. */
function readWindows(wire: JsonObject, voiFunction: VoiFunction): NamedWindow[] {
  const centers = asNumbers(wire["window_center"]);
  const widths = asNumbers(wire["window_width"]);
  const words = asList(wire["window_center_width_explanation"]);
  return centers
    .map((center, i) => ({ center, width: widths[i] ?? Number.NaN, explanation: asText(words[i]) }))
    .filter(({ width }) => (voiFunction === "LINEAR" ? width >= 1 : width > 0));
}

function readTable(wire: Json | undefined): LookupTable | null {
  const table = asObject(wire);
  const entries = asNumbers(table["entries"]);
  const first = asNumber(table["first"]);
  const bits = asNumber(table["bits"]);
  if (entries.length === 0 || first === null || bits === null) {
    return null;
  }
  return { first, bits, entries, explanation: asText(table["explanation"]) };
}

function readShutter(wire: Json | undefined): Shutter | null {
  const shutter = asObject(wire);
  const numbers = (key: string): number[] | null => (key in shutter ? asNumbers(shutter[key]) : null);
  const [rectangle, circle, polygon] = [numbers("rectangle"), numbers("circle"), numbers("polygon")];
  const isBitmap = asText(shutter["bitmap_group"]) !== "";
  if (rectangle === null && circle === null && polygon === null && !isBitmap) {
    return null;
  }
  const presentationValue = asNumber(shutter["presentation_value"]) ?? 0;
  const colour = asNumbers(shutter["presentation_color"]);
  const presentationColor = colour.length === 3 ? (colour as unknown as Triple) : null;
  return { rectangle, circle, polygon, isBitmap, presentationValue, presentationColor };
}

/** The same rule as `imaging.overlays.frame_of_overlay`: whether any overlay lies over this frame. */
function readHasOverlays(overlays: readonly Json[], frame: number): boolean {
  return overlays.map(asObject).some((overlay) => {
    const count = asNumber(overlay["number_of_frames_in_overlay"]) ?? 1;
    const first = asNumber(overlay["image_frame_origin"]);
    const at = first === null ? (count === 1 ? 0 : frame) : frame - (first - 1);
    return at >= 0 && at < count;
  });
}

/** Pixels of other proportions are a mistake in the file (`imaging.spacing`). */
const LEAST_ASPECT = 0.05;
const MOST_ASPECT = 20;

/** What of the numbers that were written unclearly decides the size of a pixel (`imaging.image_facts`). */
const SPACINGS = new Set([
  "pixel_spacing",
  "imager_pixel_spacing",
  "nominal_scanned_pixel_spacing",
  "estimated_radiographic_magnification_factor",
]);

type Geometry = Pick<
  ImageFacts,
  | "pixelSpacing"
  | "spacingSource"
  | "isSpacingUnclear"
  | "ultrasoundRegions"
  | "pixelAspect"
  | "frameOfReferenceUid"
  | "imagePositionPatient"
  | "imageOrientationPatient"
  | "patientOrientation"
  | "sliceLocation"
  | "sliceThickness"
>;

function readGeometry(wire: JsonObject): Geometry {
  const spacing = asNumbers(wire["pixel_spacing"]);
  const [row, column] = spacing;
  const isSpaced = row !== undefined && column !== undefined && row > 0 && column > 0;
  const ratio = asNumbers(wire["pixel_aspect_ratio"]);
  const aspect = isSpaced ? row / column : (ratio[0] ?? 1) / (ratio[1] ?? 1);
  const position = asNumbers(wire["image_position_patient"]);
  const cosines = asNumbers(wire["image_orientation_patient"]);
  const words = asList(wire["patient_orientation"]).map((word) => asText(word));
  return {
    pixelSpacing: isSpaced ? [row, column] : null,
    spacingSource: readSpacingSource(wire),
    isSpacingUnclear: asList(wire["unclear_numbers"]).some((name) => SPACINGS.has(asText(name))),
    ultrasoundRegions: asList(wire["ultrasound_regions"]).map((one) => readRegion(asObject(one))),
    pixelAspect: aspect >= LEAST_ASPECT && aspect <= MOST_ASPECT ? aspect : 1,
    frameOfReferenceUid: asText(wire["frame_of_reference_uid"]),
    imagePositionPatient: position.length === 3 ? (position as unknown as Triple) : null,
    imageOrientationPatient: cosines.length === 6 ? cosines : null,
    patientOrientation: words.length === 2 ? words : null,
    sliceLocation: asNumber(wire["slice_location"]),
    sliceThickness: asNumber(wire["slice_thickness"]),
  };
}

function readRegion(wire: JsonObject): UltrasoundRegion {
  const [row, column] = asNumbers(wire["pixel_spacing"]);
  const number = (key: string): number | null => asNumber(wire[key]);
  return {
    bounds: asNumbers(wire["bounds_px"]),
    pixelSpacing: row !== undefined && column !== undefined ? [row, column] : null,
    units: [number("physical_units_x_direction"), number("physical_units_y_direction")],
    deltas: [number("physical_delta_x"), number("physical_delta_y")],
  };
}

function readSpacingSource(wire: JsonObject): SpacingSource {
  const source = asText(wire["pixel_spacing_source"]);
  if (source === "imager") {
    return wire["magnification_corrected"] === true ? "corrected" : "detector";
  }
  if (source === "ultrasound_region") {
    return "ultrasound";
  }
  if (source === "calibrated") {
    return "calibrated";
  }
  const kind = asText(wire["pixel_spacing_calibration_type"]);
  return kind === "FIDUCIAL" || kind === "GEOMETRY" ? "calibrated" : "patient";
}

function readPixelFormat(text: string): PixelFormat {
  return PIXEL_FORMATS.find((format) => format === text) ?? "none";
}

export function imageKey(instanceId: string, frame: number): string {
  return `${instanceId.toLowerCase()}/${frame}`;
}

/** What went wrong with a request, in the server's words where it has some. */
export async function readProblem(response: Response): Promise<string> {
  try {
    const problem = asObject((await response.json()) as Json);
    return asText(problem["detail"]) || asText(problem["title"]);
  } catch {
    return "";
  }
}
