/** Asks for the objects of a study that are no pictures, for what they say and for their outlines. */

import {
  colourFor,
  isClosedKind,
  shapesOfKind,
  type Branch,
  type Named,
  type ObjectDocument,
  type OutlinedPart,
  type PresentationState,
  type Shape,
  type StateArea,
  type StateGrey,
  type StateMarks,
  type StoredMark,
  type StoredObject,
} from "../core/stored-objects";
import { formatNumber } from "../core/format";
import type { VoiFunction } from "../core/facts";
import { t } from "../core/text";
import type { Point } from "../core/view";
import { readStyle } from "./finding-style";
import { asFlag, asList, asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";
import { fetchDocument } from "./stack";

export async function fetchStoredObjects(url: string): Promise<StoredObject[]> {
  const list = await fetchDocument(url);
  return asList(list["objects"]).map((one) => {
    const wire = asObject(one);
    return {
      id: asText(wire["id"]),
      kind: asText(wire["kind"]),
      name: asText(wire["name"]),
      title: asText(wire["title"]),
      modality: asText(wire["modality"]),
      seriesId: asText(wire["series"]),
      seriesNumber: asNumber(wire["series_number"]),
      objectUrl: asText(wire["object_url"]),
      outlinesUrl: asText(wire["outlines_url"]),
    };
  });
}

export async function fetchObject(url: string): Promise<ObjectDocument> {
  const wire = await fetchDocument(url);
  return {
    id: asText(wire["id"]),
    kind: asText(wire["kind"]),
    name: asText(wire["name"]),
    title: asText(wire["title"]),
    facts: asList(wire["facts"]).map((one) => ({ name: asText(asObject(one)["name"]), value: asText(asObject(one)["value"]) })),
    notes: asList(wire["notes"]).map((one) => asText(one)),
    fileUrl: asText(wire["file_url"]),
    tree: wire["tree"] === undefined ? null : readBranch(asObject(wire["tree"])),
    images: asList(wire["images"]).map(readNamed),
    parts: asList(wire["parts"]).map(readPart),
    curves: asList(wire["groups"]).map((one) => ({ label: asText(asObject(one)["label"]), url: asText(asObject(one)["url"]) })),
    text: asText(wire["text"]),
    documentUrl: asText(wire["document_url"]),
    pages: asList(wire["pages"]).map((one) => asText(one)),
    state: wire["applies"] === undefined ? null : readState(asObject(wire["applies"])),
  };
}

export async function fetchOutlines(url: string, instanceId: string, frame: number): Promise<Shape[]> {
  const found = await fetchDocument(`${url}?instance=${encodeURIComponent(instanceId)}&frame=${frame}`);
  return asList(found["shapes"]).map((one) => {
    const wire = asObject(one);
    return { part: asNumber(wire["part"]) ?? 0, closed: asFlag(wire["closed"]), points: readPoints(asNumbers(wire["points"])) };
  });
}

/** Measurements of all reports of a study. */
export async function fetchStoredMarks(url: string): Promise<StoredMark[]> {
  const found = await fetchDocument(url);
  return asList(found["measurements"]).map((one) => {
    const wire = asObject(one);
    const kind = asText(wire["kind"]);
    const value = asNumber(wire["value"]);
    const number = value === null ? "" : `${formatNumber(value, 1)} ${asText(wire["unit"])}`.trim();
    const points = asList(wire["points_px"]).flatMap((point) => readPoint(point) ?? []);
    return {
      objectId: asText(asObject(wire["origin"])["instance"]),
      instanceId: asText(wire["instance"]),
      frame: asNumber(wire["frame"]) ?? 0,
      shapes: shapesOfKind(kind, points),
      isClosed: isClosedKind(kind),
      words: [asText(wire["label"]), number].filter((part) => part !== "").join("\n"),
    };
  });
}

function readPoints(numbers: readonly number[]): Point[] {
  const points: Point[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    points.push({ x: numbers[at] ?? 0, y: numbers[at + 1] ?? 0 });
  }
  return points;
}

function readPoint(value: Json | undefined): Point | null {
  const [x, y] = asNumbers(value);
  return x === undefined || y === undefined ? null : { x, y };
}

function readBranch(wire: JsonObject): Branch {
  return {
    name: asText(wire["name"]),
    value: asText(wire["value"]),
    images: asList(wire["images"]).map(readNamed),
    children: asList(wire["children"]).map((one) => readBranch(asObject(one))),
  };
}

function readNamed(value: Json): Named {
  const wire = asObject(value);
  const series = asNumber(wire["series_number"]);
  const image = asNumber(wire["instance_number"]);
  const frames = asNumbers(wire["frames"]);
  const words = t("Series {series}, image {image}", { series: series ?? "–", image: image ?? "–" });
  return {
    instanceId: asText(wire["instance"]),
    seriesId: asText(wire["series"]),
    studyId: asText(wire["study"]),
    words: frames.length === 1 ? `${words} / ${(frames[0] ?? 0) + 1}` : words,
    frames,
  };
}

function readPart(value: Json): OutlinedPart {
  const wire = asObject(value);
  const number = asNumber(wire["number"]) ?? 0;
  return {
    number,
    name: asText(wire["name"]),
    words: asText(wire["words"]),
    colour: asText(wire["colour"]) || colourFor(number),
    count: asNumber(wire["count"]) ?? 0,
  };
}

function readState(wire: JsonObject): PresentationState {
  const colours = new Map(asList(wire["layers"]).map((one) => [asText(asObject(one)["name"]), asText(asObject(one)["colour"])]));
  const shutter = asObject(wire["shutter"]);
  const hasShutter = Object.keys(shutter).length > 0;
  return {
    greys: asList(wire["greys"]).flatMap((one) => readGrey(asObject(one)) ?? []),
    inverted: asFlag(wire["inverted"]),
    rotationDeg: asNumber(wire["rotation_deg"]) ?? 0,
    flipped: asFlag(wire["flipped"]),
    areas: asList(wire["areas"]).flatMap((one) => readArea(asObject(one)) ?? []),
    shutter: hasShutter ? { rectangle: asNumbers(shutter["rectangle"] ?? []), circle: asNumbers(shutter["circle"] ?? []), polygon: asNumbers(shutter["polygon"] ?? []) } : null,
    marks: asList(wire["annotations"]).map((one) => readMarks(asObject(one), colours)),
  };
}

function readGrey(wire: JsonObject): StateGrey | null {
  const [center, width] = asNumbers(wire["window"] ?? []);
  const named = asText(wire["function"]);
  const way: VoiFunction = named === "SIGMOID" || named === "LINEAR_EXACT" ? named : "LINEAR";
  return center === undefined || width === undefined
    ? null
    : { images: asList(wire["images"]).map(readNamed), window: { center, width }, function: way, explanation: asText(wire["explanation"]) };
}

function readArea(wire: JsonObject): StateArea | null {
  const [first, last] = [readPoint(wire["top_left"]), readPoint(wire["bottom_right"])];
  return first === null || last === null ? null : { images: asList(wire["images"]).map(readNamed), first, last };
}

function readMarks(wire: JsonObject, colours: ReadonlyMap<string, string>): StateMarks {
  const colourOf = (one: JsonObject): string => colours.get(asText(one["layer"])) || DEFAULT_COLOUR;
  const graphics = asList(wire["graphics"]).map((value) => {
    const one = asObject(value);
    const points = asList(one["points"]).flatMap((point) => readPoint(point) ?? []);
    const isOfDisplay = asText(one["units"]) === "DISPLAY";
    const { style = {} } = readStyle(one["style"]);
    const colour = asText(one["colour"]) || colourOf(one);
    return { kind: asText(one["kind"]), points, isOfDisplay, isFilled: asFlag(one["filled"]), colour, style, markId: asText(one["mark"]) };
  });
  const words = asList(wire["words"]).flatMap((value) => {
    const one = asObject(value);
    const [left, top] = asNumbers(one["box"] ?? []);
    const box = left === undefined || top === undefined ? null : { x: left, y: top };
    const at = box ?? readPoint(one["anchor"]);
    const isOfDisplay = asText(one[box === null ? "anchor_units" : "box_units"]) === "DISPLAY";
    return at === null ? [] : [{ text: asText(one["text"]), at, isOfDisplay, colour: colourOf(one), markId: asText(one["mark"]) }];
  });
  return { images: asList(wire["images"]).map(readNamed), graphics, words };
}

const DEFAULT_COLOUR = "#ffe066";
