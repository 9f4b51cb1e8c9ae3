/** The texts on the picture: corners, letters on the edges, scale bar. */

import { formatLevel, formatNumber, formatWindow, formatZoom } from "../core/format";
import type { ImageFacts, Series, SpacingSource, Study, Triple } from "../core/facts";
import type { Corner, CornerField, CornerTexts } from "../core/preferences";
import { edgeLetters } from "../core/orientation";
import { scaleBar, scaleLabel } from "../core/scale";
import type { ShownScale } from "../core/suv";
import { t } from "../core/text";
import type { Size, View } from "../core/view";
import type { ResolvedVoi } from "../core/voi";
import type { PictureScale } from "../state/calibrations";
import { make, setText } from "./dom";
import { slabWords } from "./viewer-plane-sight";
import { pointWords } from "./viewer-point";
import { planeName } from "./viewer-volume-commands";

export interface CornerFacts {
  readonly study: Study;
  /** What the reader wants to stand where. */
  readonly texts: CornerTexts;
  readonly series: Series;
  readonly facts: ImageFacts;
  /** What a millimetre is here: the file's, or that of a reader's line. */
  readonly scale: PictureScale;
  readonly voi: ResolvedVoi;
  readonly view: View;
  readonly invert: boolean;
  readonly isOverlayMissing: boolean;
  /** What is not as the file has it: filters and colours. */
  readonly enhancement: readonly string[];
  readonly size: Size;
  readonly index: number;
  readonly count: number;
  /** Of PET: what is shown of its values; null where they are none, or no SUV. */
  readonly uptake: ShownScale | null;
  /** Where the planes of a volume cross. */
  readonly center: Triple | null;
}

const CORNERS = ["top-left", "top-right", "bottom-left", "bottom-right"] as const;
const EDGES = ["top", "right", "bottom", "left"] as const;
const SCALE_ROOM_PX = 160;

export class Corners {
  readonly root = make("div", { class: "overlay", "aria-hidden": "true" });
  private readonly corners = new Map(CORNERS.map((name) => [name, make("div", { class: `corner ${name}` })]));
  private readonly edges = new Map(EDGES.map((name) => [name, make("div", { class: `edge ${name}` })]));
  private readonly bar = make("div", { class: "scale-line" });
  private readonly barLabel = make("span");
  private readonly scale = make("div", { class: "scale" }, this.bar, this.barLabel);

  constructor() {
    this.root.append(...this.corners.values(), ...this.edges.values(), this.scale);
  }

  show(now: CornerFacts): void {
    const warnings = warningLines(now);
    this.fill("top-left", cornerLines(now, "top_left"));
    this.fill("top-right", [...warnings, ...cornerLines(now, "top_right")], warnings.length);
    this.fill("bottom-left", [...inversionLine(now), ...cornerLines(now, "bottom_left")]);
    this.fill("bottom-right", cornerLines(now, "bottom_right"));
    const letters = edgeLetters(now.facts, now.view);
    EDGES.forEach((edge) => setText(this.edges.get(edge) as Element, letters[edge]));
    this.showScale(now);
  }

  /** Without pixels only the place in the stack is true. */
  showPlace(lines: readonly string[]): void {
    CORNERS.forEach((corner) => this.fill(corner, corner === "top-left" ? lines : []));
    this.edges.forEach((edge) => setText(edge, ""));
    this.scale.hidden = true;
  }

  private fill(corner: (typeof CORNERS)[number], lines: readonly string[], warningCount = 0): void {
    const box = this.corners.get(corner) as HTMLElement;
    while (box.childElementCount < lines.length) {
      box.append(make("div", { dir: "auto" }));
    }
    [...box.children].forEach((line, i) => {
      setText(line, lines[i] ?? "");
      line.classList.toggle("is-warning", i < warningCount);
    });
  }

  private showScale({ scale: { spacing }, view, size }: CornerFacts): void {
    const room = Math.min(SCALE_ROOM_PX, size.width / 3);
    const bar = spacing === null ? null : scaleBar(view.scale / spacing[1], room);
    this.scale.hidden = bar === null;
    if (bar !== null) {
      this.bar.style.width = `${bar.lengthPx}px`;
      setText(this.barLabel, scaleLabel(bar.lengthMm));
    }
  }
}

/** Which image of which series is meant, when there is no picture to stand beside. */
export function seriesLines(now: Pick<CornerFacts, "series" | "facts" | "index" | "count">): string[] {
  return [seriesLine(now), descriptionLine(now), imageLine(now)];
}

function seriesLine({ series, facts }: Pick<CornerFacts, "series" | "facts">): string {
  const number = series.seriesNumber === null ? "" : `${t("Se")} ${series.seriesNumber}`;
  return joined(" · ", number, series.modality, facts.laterality || series.laterality);
}

function descriptionLine({ series }: Pick<CornerFacts, "series">): string {
  return series.seriesDescription || series.bodyPartExamined;
}

function imageLine({ facts, index, count }: Pick<CornerFacts, "facts" | "index" | "count">): string {
  if (facts.reformatted !== undefined) {
    const { name, isOblique } = facts.reformatted;
    return joined("  ", joined(" ", planeName(name), isOblique ? t("oblique") : ""), `${index + 1}/${count}`);
  }
  const image = `${t("Im")} ${index + 1}/${count}`;
  const filed = facts.instanceNumber === null ? "" : `#${facts.instanceNumber}`;
  const frame = facts.frameCount > 1 ? `${t("Fr")} ${facts.frame + 1}` : "";
  return joined("  ", image, filed, frame);
}

const LINES: Readonly<Record<CornerField, (now: CornerFacts) => string>> = {
  patient_name: ({ study }) => study.patientName,
  patient_id: ({ study }) => study.patientId,
  patient_birth_date: ({ study }) => study.patientBirthDate,
  patient_sex: ({ study }) => study.patientSex,
  patient_age: ({ study }) => study.patientAge,
  facility: ({ study }) => study.facility,
  study_date: ({ study }) => joined(" ", study.studyDate, study.studyTime.slice(0, 5)),
  study_description: ({ study }) => study.studyDescription,
  accession_number: ({ study }) => study.accessionNumber,
  series: seriesLine,
  series_description: descriptionLine,
  body_part_examined: ({ series }) => series.bodyPartExamined,
  image: imageLine,
  window_name: ({ facts, voi }) => (facts.pixelFormat === "rgb8" || voi.label === "" ? "" : t(voi.label)),
  window: ({ facts, voi, uptake }) => {
    if (facts.pixelFormat === "rgb8" || voi.table !== null) {
      return "";
    }
    return uptake === null ? formatWindow(voi) : uptakeWindow(voi, uptake);
  },
  zoom: ({ view }) => `${t("Zoom")} ${formatZoom(view.scale)}`,
  slice_thickness: ({ facts }) => thicknessLine(facts),
  slice_position: ({ facts, center }) => (facts.reformatted?.isOblique === true && center !== null ? pointWords(center) : (slicePosition(facts) ?? "")),
  matrix: ({ facts }) => `${facts.columns} × ${facts.rows}`,
};

/** A window on uptake, by its ends and in the kind of SUV that the reader wants. */
function uptakeWindow({ center, width }: ResolvedVoi, { factor, unit }: ShownScale): string {
  const ends = [center - width / 2, center + width / 2].map((value) => formatLevel(value * factor, width * factor));
  return Number.isNaN(width) ? "" : `${unit} ${ends.join(" – ")}`;
}

/** What the reader wants to stand in a corner, as far as this image has it. */
export function cornerLines(now: CornerFacts, corner: Corner): string[] {
  return now.texts[corner].map((field) => LINES[field](now)).filter((line) => line !== "");
}

function inversionLine({ invert }: CornerFacts): string[] {
  return invert ? [t("Inverted")] : [];
}

/** Warnings stand where they always stand, whatever the reader has chosen for the corners. */
export function warningLines(now: CornerFacts): string[] {
  return [...now.enhancement, ...markLines(now), ...overlayLines(now), ...remarkLines(now)];
}

function markLines({ facts, scale }: CornerFacts): string[] {
  const marks = [lossyMark(facts), spacingMark(facts, scale), unclearMark(facts), paletteMark(facts)];
  return marks.filter((line) => line !== "");
}

function overlayLines({ isOverlayMissing }: CornerFacts): string[] {
  return isOverlayMissing ? [t("Overlays could not be loaded")] : [];
}

function remarkLines({ facts }: CornerFacts): string[] {
  return facts.remark === "" ? [] : [facts.remark];
}

function lossyMark(facts: ImageFacts): string {
  if (!facts.lossy) {
    return "";
  }
  const ratio = facts.lossyRatio;
  return ratio === null ? t("Lossy") : `${t("Lossy")} ${formatNumber(ratio, 1)}:1`;
}

/** Colours that stand beside grey: the window does not change them. */
function paletteMark(facts: ImageFacts): string {
  return facts.supplement === null ? "" : t("Colours by the file's palette");
}

const SPACING_WORDS: Readonly<Record<SpacingSource, string>> = {
  patient: "",
  calibrated: "mm calibrated",
  detector: "mm at the detector",
  corrected: "mm corrected for magnification",
  ultrasound: "mm from ultrasound region",
};

function spacingMark(facts: ImageFacts, { by }: PictureScale): string {
  if (by !== "") {
    return t("mm calibrated by {who}", { who: by });
  }
  if (facts.pixelSpacing === null) {
    return t("Uncalibrated");
  }
  const words = SPACING_WORDS[facts.spacingSource];
  return words === "" ? "" : t(words);
}

function unclearMark(facts: ImageFacts): string {
  return facts.pixelSpacing !== null && facts.isSpacingUnclear ? t("mm written unclearly") : "";
}

function thicknessLine({ sliceThickness, reformatted }: ImageFacts): string {
  if (reformatted !== undefined) {
    return slabWords(reformatted.slab.mode, reformatted.slab.thicknessMm);
  }
  return sliceThickness === null || sliceThickness <= 0 ? "" : `${t("Th")} ${formatNumber(sliceThickness)} mm`;
}

/** Where the slice lies along its own normal, named by the nearest patient axis. */
function slicePosition(facts: ImageFacts): string | null {
  const [cosines, position] = [facts.imageOrientationPatient, facts.imagePositionPatient];
  if (cosines === null || position === null) {
    return facts.sliceLocation === null ? null : `${t("Loc")} ${formatNumber(facts.sliceLocation, 1)} mm`;
  }
  const [a, b, c, d, e, f] = cosines as [number, number, number, number, number, number];
  const normal = [b * f - c * e, c * d - a * f, a * e - b * d].map(Math.abs);
  const axis = normal.indexOf(Math.max(...normal));
  const value = position[axis] ?? 0;
  const letters = [
    ["R", "L"],
    ["A", "P"],
    ["F", "H"],
  ][axis] as [string, string];
  return `${letters[value >= 0 ? 1 : 0]} ${formatNumber(Math.abs(value), 1)} mm`;
}

function joined(between: string, ...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(between);
}
