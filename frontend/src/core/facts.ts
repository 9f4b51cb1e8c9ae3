/** What the viewer knows of a study, as plain values; `io/api.ts` makes them from the wire. */

import type { Reformatted } from "./plane-facts";
import type { Preset } from "./presets";

export type PixelFormat = "u8" | "i8" | "u16" | "i16" | "u32" | "i32" | "f32" | "f64" | "rgb8" | "none";

export type Pixels =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array;

export type VoiFunction = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

/**
 * Where a millimetre on the picture comes from: the patient's plane, a calibration, the detector
 * (magnified), the detector divided by the magnification, or an ultrasound region.
 */
export type SpacingSource = "patient" | "calibrated" | "detector" | "corrected" | "ultrasound";

export type Triple = readonly [number, number, number];

/** A window as the file, a preset or the reader gives it, in the units after the modality LUT. */
export interface Window {
  readonly center: number;
  readonly width: number;
}

export interface NamedWindow extends Window {
  readonly explanation: string;
}

/** A lookup table of PS3.3 C.11.1 or C.11.2: entry i answers input `first + i`; ends are held. */
export interface LookupTable {
  readonly first: number;
  readonly bits: number;
  readonly entries: readonly number[];
  readonly explanation: string;
}

/** Colours over grey (PS3.3 C.7.6.19): of the stored value `first` and those above; three bytes an entry. */
export interface Supplement {
  readonly first: number;
  readonly rgb: Uint8Array;
}

/** A display shutter (PS3.3 C.7.6.11, C.7.6.15): rows and columns from 1, edges are visible. */
export interface Shutter {
  /** Upper, lower, left, right. */
  readonly rectangle: readonly number[] | null;
  /** Row, column, radius along a row. */
  readonly circle: readonly number[] | null;
  /** Row, column and so on. */
  readonly polygon: readonly number[] | null;
  /** Whether bits of an overlay hide pixels; they come with the overlays. */
  readonly isBitmap: boolean;
  /** P-value of what is hidden, from 0 (black) to 65535. */
  readonly presentationValue: number;
  /** Red, green, blue of what is hidden, before the P-value. */
  readonly presentationColor: Triple | null;
}

/** A calibrated region of an ultrasound picture (PS3.3 C.8.5.5). */
export interface UltrasoundRegion {
  /** Left, top, right, bottom: pixels that belong to it. */
  readonly bounds: readonly number[];
  /** Row then column spacing in mm, of a 2D picture. */
  readonly pixelSpacing: readonly [number, number] | null;
  /** Codes of the physical units along x and y; null when not told. */
  readonly units: readonly [number | null, number | null];
  /** What one pixel is in these units. */
  readonly deltas: readonly [number | null, number | null];
}

/** Everything about one image that display needs. Frames count from 0. */
export interface ImageFacts {
  readonly key: string;
  readonly instanceId: string;
  readonly sopInstanceUid: string;
  readonly instanceNumber: number | null;
  readonly frame: number;
  readonly frameCount: number;
  readonly pixelFormat: PixelFormat;
  readonly bytes: number;
  readonly rows: number;
  readonly columns: number;
  readonly photometricInterpretation: string;
  readonly bitsStored: number;
  readonly rescaleSlope: number;
  readonly rescaleIntercept: number;
  readonly rescaleType: string;
  /** Units (0054,1001) of a PET image. */
  readonly units: string;
  /** Whether the file has a rescale or a modality table at all. */
  readonly isRescaled: boolean;
  readonly modalityLut: LookupTable | null;
  readonly windows: readonly NamedWindow[];
  readonly voiFunction: VoiFunction;
  readonly voiLuts: readonly LookupTable[];
  readonly presentationLutShape: string;
  readonly presentationLut: LookupTable | null;
  readonly pixelPaddingValue: number | null;
  readonly pixelPaddingRangeLimit: number | null;
  /** Colours that stand beside the grey; null: none, or the file does not want them. */
  readonly supplement: Supplement | null;
  /** What the file hides of the picture. */
  readonly shutter: Shutter | null;
  /** Whether overlays lie over this frame; their bits come by an address of their own. */
  readonly hasOverlays: boolean;
  /** Row then column spacing in mm, or null when the file gives none. */
  readonly pixelSpacing: readonly [number, number] | null;
  readonly spacingSource: SpacingSource;
  /** Whether the file writes its millimetres in a way that the standard does not know (`0,5`). */
  readonly isSpacingUnclear: boolean;
  readonly ultrasoundRegions: readonly UltrasoundRegion[];
  /** Height to width of a pixel as it must be shown, even without millimetres. */
  readonly pixelAspect: number;
  /** Empty: places in this image cannot be compared with those in others. */
  readonly frameOfReferenceUid: string;
  readonly imagePositionPatient: Triple | null;
  readonly imageOrientationPatient: readonly number[] | null;
  readonly patientOrientation: readonly string[] | null;
  readonly sliceLocation: number | null;
  readonly sliceThickness: number | null;
  readonly lossy: boolean;
  readonly lossyRatio: number | null;
  readonly frameTimeMs: number | null;
  /** What the file says otherwise than the picture in it; empty: nothing. */
  readonly remark: string;
  /** Where the stored stream of a video lies; empty: the image is of no video. */
  readonly videoUrl: string;
  readonly laterality: string;
  /** CC, MLO, PA, LL and so on, as filed. */
  readonly viewPosition: string;
  /** What the picture is that was cut from a volume; an image as it was filed has none. */
  readonly reformatted?: Reformatted;
}

/** A stored video: the browser plays it, or `whyNot` says why it is not shown. Its frames may be images, too. */
export interface Video {
  readonly instanceId: string;
  readonly url: string;
  /** How long a frame of the stream lasts. */
  readonly frameTimeMs: number | null;
  readonly whyNot: string;
}

export interface Stack {
  readonly videos: readonly Video[];
  /** Windows by name that the server offers for this series, most fitting first. */
  readonly presets: readonly Preset[];
  /** Why those in HU or SUV are not among them. */
  readonly presetsWhyNot: string;
  /** From rescaled values to SUV, by the passport; null when it is not known. */
  readonly suvFactor: number | null;
  /** The same by kind (`core/suv.ts`); kinds that are missing are not known. */
  readonly suvFactors?: Readonly<Record<string, number>>;
  /** In words, why a kind is missing. */
  readonly suvMissing?: Readonly<Record<string, string>>;
  readonly seriesId: string;
  readonly version: string;
  readonly images: readonly ImageFacts[];
  /** The image that is seen first; the first one unless said. */
  readonly opensAt?: number;
  readonly displayable: boolean;
  readonly whyNot: string;
}

export interface Study {
  readonly id: string;
  readonly studyInstanceUid: string;
  readonly patientName: string;
  readonly patientId: string;
  readonly patientBirthDate: string;
  readonly patientSex: string;
  readonly patientAge: string;
  readonly studyDate: string;
  readonly studyTime: string;
  readonly studyDescription: string;
  readonly accessionNumber: string;
  readonly facility: string;
  readonly hasDiscrepancy: boolean;
}

/** A mark of the series' passport: a word, and what it means. */
export interface Badge {
  readonly code: string;
  readonly mark: string;
  readonly meaning: string;
}

export interface Series {
  readonly studyId: string;
  readonly badges: readonly Badge[];
  /** The passport in words, for the panel. */
  /** Windows, uptake and volumes depend on it: once it is made the stack is read anew. */
  readonly hasPassport: boolean;
  readonly passportUrl: string;
  readonly id: string;
  readonly seriesNumber: number | null;
  readonly modality: string;
  readonly seriesDescription: string;
  readonly bodyPartExamined: string;
  readonly laterality: string;
  readonly instanceCount: number;
  readonly frameCount: number;
  readonly thumbnailUrl: string;
  readonly stackUrl: string;
  readonly displayable: boolean;
  readonly whyNot: string;
}
