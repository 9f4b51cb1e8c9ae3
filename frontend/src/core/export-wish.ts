/** What the reader wants to take out, as the server is asked for it. */

import type { ImageFacts } from "./facts";
import type { Preset } from "./presets";
import { queryOf, type Wish } from "./server-picture";

export const SCOPES = ["image", "series", "key", "study"] as const;
export type Scope = (typeof SCOPES)[number];
export const FORMATS = ["png", "jpeg", "tiff", "mp4", "gif", "pdf", "print", "dicom"] as const;
export type Format = (typeof FORMATS)[number];

export interface ExportChoice {
  readonly scope: Scope;
  readonly format: Format;
  readonly hasMarks: boolean;
  readonly hasDemographics: boolean;
  readonly isDeidentified: boolean;
  readonly dates: "remove" | "shift" | "keep";
  readonly descriptions: "remove" | "clean";
  readonly characteristics: boolean;
  readonly burnedIn: "refuse" | "leave_out" | "accept";
  readonly framesPerSecond: number | null;
}

export interface OnScreen {
  readonly studyId: string;
  readonly seriesId: string;
  readonly facts: ImageFacts | undefined;
  readonly look: Wish;
  readonly presets: readonly Preset[];
  /** What lies over the pictures; none unless said. */
  readonly fusion?: FusionWish | null;
}

/** An overlay as an export is asked for it: ends in modality values. */
export interface FusionWish {
  readonly series: string;
  readonly colormap: string;
  readonly opacity: number;
  readonly see_through: boolean;
  readonly low?: number;
  readonly high?: number;
}

type Body = Record<string, string | number | boolean | null | readonly unknown[] | object>;

/** Whether a format shows the look of the screen; objects leave as they are stored. */
export function isPicture(format: Format): boolean {
  return format !== "dicom";
}

export function isMoving(format: Format): boolean {
  return format === "mp4" || format === "gif";
}

/** The body of the request; null while there is nothing on the screen to take. */
export function exportBody(choice: ExportChoice, screen: OnScreen): Body | null {
  const source = sourceOf(choice, screen);
  if (source === null) {
    return null;
  }
  const body: Body = { ...source, format: choice.format };
  if (isPicture(choice.format)) {
    body["marks"] = choice.hasMarks;
    body["demographics"] = choice.hasDemographics && !choice.isDeidentified;
    // Other series have windows of their own: what is set here is set for this one.
    if (screen.facts !== undefined && (choice.scope === "image" || choice.scope === "series")) {
      body["look"] = lookOf(screen.facts, screen);
      if (screen.fusion != null) {
        body["fusion"] = screen.fusion;
      }
    }
  }
  if (isMoving(choice.format) && choice.framesPerSecond !== null) {
    body["frames_per_second"] = choice.framesPerSecond;
  }
  if (choice.isDeidentified) {
    body["deidentify"] = {
      dates: choice.dates,
      descriptions: choice.descriptions,
      characteristics: choice.characteristics,
      burned_in: choice.burnedIn,
    };
  }
  return body;
}

function sourceOf({ scope }: ExportChoice, { studyId, seriesId, facts }: OnScreen): Body | null {
  switch (scope) {
    case "image":
      return facts === undefined || facts.reformatted !== undefined ? null : { images: [{ instance: facts.instanceId, frames: [facts.frame] }] };
    case "series":
      return seriesId === "" ? null : { series: [seriesId] };
    case "key":
      return { study: studyId, key_images: true };
    case "study":
      return { study: studyId };
  }
}

function lookOf(facts: ImageFacts, { look, presets }: OnScreen): Record<string, string> {
  const query = queryOf(facts, look, presets, false).split("?")[1] ?? "";
  return Object.fromEntries(new URLSearchParams(query));
}
