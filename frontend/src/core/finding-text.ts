/** What stands at a finding: value, uncertainty, unit, and where its millimetres come from. */

import type { Finding, FindingKind } from "./findings";
import type { Result } from "./measure";
import { otherOf } from "./other-values";
import { t } from "./text";

/** A number with as many places as its uncertainty lets it have, and at least so many. */
export function withUncertainty(value: number, uncertainty: number | null, least = 0): string {
  if (uncertainty === null || !(uncertainty > 0)) {
    return trimmed(value, 2);
  }
  const places = Math.min(4, Math.max(least, -Math.floor(Math.log10(uncertainty))));
  return `${signed(value.toFixed(places))} ± ${uncertainty.toFixed(places)}`;
}

export function trimmed(value: number, places: number): string {
  return signed(`${Number(value.toFixed(places))}`);
}

/** A true minus sign; never a minus before nothing. */
function signed(text: string): string {
  return /^-0*\.?0*$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

/** Units whose values are compared by tenths, however coarse the pixels are. */
const ONE_PLACE: ReadonlySet<string> = new Set(["mm", "deg", "px"]);
const UNITS: Readonly<Record<string, string>> = { deg: "°", mm2: "mm²", px2: "px²", ratio: "" };

export function unitText(unit: string): string {
  if (unit === "stored") {
    return t("stored");
  }
  return unit === "unnamed" ? t("without unit") : (UNITS[unit] ?? unit);
}

/** Where a length comes from when not from the patient's plane; empty when there is nothing to say. */
export function provenanceMark(provenance: string): string {
  switch (provenance) {
    case "imager":
      return t("imager plane");
    case "imager_corrected":
      return t("corrected for magnification");
    case "calibrated":
      return t("calibrated");
    case "reader_calibrated":
      return t("calibrated by user");
    case "ultrasound_region":
      return t("US region");
    case "reformatted":
      return t("reformatted, trilinear");
    default:
      return "";
  }
}

/** The value as one line; empty when there is none. */
export function valueText({ value, unit, uncertainty }: Pick<Result, "value" | "unit" | "uncertainty">): string {
  if (value === null) {
    return "";
  }
  const name = unitText(unit);
  const between = name === "°" || name === "" ? "" : " ";
  const least = ONE_PLACE.has(unit) ? 1 : 0;
  return `${withUncertainty(value, uncertainty, least)}${between}${name}`;
}

/** All lines at a mark: its label, its numbers, its provenance. */
export function markLines(finding: Finding, result: Result | string | null): string[] {
  const words = [finding.text, finding.label].filter((line) => line !== "").flatMap((line) => line.split("\n"));
  if (finding.kind === "calibration" && finding.knownMm !== null) {
    return [...words, t("{length} mm, said by user", { length: trimmed(finding.knownMm, 2) })];
  }
  if (typeof result === "string") {
    return [...words, t(result)];
  }
  return result === null ? words : [...words, ...numberLines(finding.kind, result)];
}

function numberLines(kind: FindingKind, result: Result): string[] {
  const mark = provenanceMark(result.provenance);
  const marks = mark === "" || !isScaled(result.unit) ? [] : [mark];
  switch (kind) {
    case "bidirectional":
      return [...axisLines(result), ...marks];
    case "cardiothoracic":
      return [`${t("CTR")} ${valueText(result)}`];
    case "rectangle":
    case "ellipse":
    case "circle":
    case "polygon":
      return [...statisticLines(result), ...otherLines(result), `${t("Area")} ${valueText(result)}`, ...marks, ...noteLines(result)];
    case "probe":
      return [valueText({ ...result, uncertainty: null }), ...otherLines(result), ...noteLines(result)].filter((line) => line !== "");
    default:
      return isOfRegion(result) ? regionLines(result) : [valueText(result), ...marks];
  }
}

function isOfRegion({ statistics }: Result): boolean {
  return statistics["horizontal"] !== undefined || statistics["vertical"] !== undefined;
}

function isScaled(unit: string): boolean {
  return unit === "mm" || unit === "mm2";
}

function axisLines({ unit, statistics, uncertainty }: Result): string[] {
  const [long, short] = [statistics["long_axis"], statistics["short_axis"]];
  const error = statistics["short_axis_uncertainty"];
  return [
    `${t("L")} ${valueText({ value: numberOf(long), unit, uncertainty })}`,
    `${t("S")} ${valueText({ value: numberOf(short), unit, uncertainty: numberOf(error) })}`,
  ];
}

function regionLines({ statistics }: Result): string[] {
  const parts = (["horizontal", "vertical"] as const).flatMap((name) => {
    const value = numberOf(statistics[name]);
    return value === null ? [] : [`${trimmed(value, value < 10 ? 2 : 1)} ${unitText(`${statistics[`${name}_unit`] ?? ""}`)}`];
  });
  return [parts.join(" · "), provenanceMark("ultrasound_region")];
}

function statisticLines({ statistics }: Result): string[] {
  const value = (name: string): string => trimmed(numberOf(statistics[name]) ?? Number.NaN, 2);
  const count = numberOf(statistics["count"]);
  if (count === null) {
    return [];
  }
  const unit = unitText(`${statistics["unit"] ?? ""}`);
  return count === 0
    ? []
    : [
        `${t("Mean")} ${value("mean")} ${unit}  ${t("SD")} ${value("sd")}`,
        `${t("Min")} ${value("min")}  ${t("Max")} ${value("max")}  n ${count}`,
      ];
}

/** What a second series of the same frame of reference holds there. */
function otherLines(result: Result): string[] {
  const other = otherOf(result);
  const count = numberOf(other?.["count"]);
  if (other === null || count === null) {
    return [];
  }
  const unit = `${unitText(`${other["unit"] ?? ""}`)}`;
  const value = (name: string): string => trimmed(numberOf(other[name]) ?? Number.NaN, 2);
  const name = `${other["modality"] ?? ""}`;
  if (count === 0) {
    return [`${name}: ${t("outside")}`];
  }
  if (result.kind === "probe") {
    return [`${name} ${value("mean")} ${unit}`];
  }
  const missing = numberOf(other["not_finite_count"]) ?? 0;
  const outside = missing > 0 ? [`${name}: ${t("{count} of {all} inside", { count, all: count + missing })}`] : [];
  return [`${name} ${t("Mean")} ${value("mean")} ${unit}  ${t("SD")} ${value("sd")}`, `${name} ${t("Min")} ${value("min")}  ${t("Max")} ${value("max")}`, ...outside];
}

function noteLines({ notes }: Result): string[] {
  const words: Readonly<Record<string, string>> = {
    no_pixel: t("no pixel here"),
    beyond_image: t("reaches beyond the image"),
    self_intersecting: t("crosses itself"),
    hu_suspect: t("HU doubtful, see the passport"),
    slab: t("values of a slab"),
    beyond_volume: t("reaches beyond the volume"),
  };
  return notes.map((note) => words[note] ?? "").filter((line) => line !== "");
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

export function kindName(kind: FindingKind): string {
  const names: Readonly<Record<FindingKind, string>> = {
    length: t("Length"),
    polyline: t("Polyline"),
    angle: t("Angle"),
    cobb: t("Cobb angle"),
    bidirectional: t("Bidirectional"),
    cardiothoracic: t("Cardiothoracic ratio"),
    rectangle: t("Rectangle"),
    ellipse: t("Ellipse"),
    circle: t("Circle"),
    polygon: t("Freehand region"),
    probe: t("Probe"),
    arrow: t("Arrow"),
    text: t("Text"),
    spine_label: t("Spine label"),
    calibration: t("Calibration line"),
    point: t("Point"),
    freehand: t("Freehand line"),
  };
  return names[kind];
}
