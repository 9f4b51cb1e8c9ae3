/** What the windows of one reader tell each other; nothing leaves the browser. */

import type { Triple } from "../core/facts";
import { asFlag, asList, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

export type WindowNews =
  /** The main window shows this study now; the others go there, so that no two patients stand side by side. */
  | { readonly kind: "study"; readonly url: string }
  /** What a window shows, for the marks in the strips of the others. */
  | { readonly kind: "shows"; readonly series: readonly string[] }
  | { readonly kind: "asks" }
  | { readonly kind: "bye" }
  | { readonly kind: "cursor"; readonly lps: Triple | null; readonly frameOfReferenceUid: string }
  /** The active slice has moved: its middle and the directions of its plane. */
  | { readonly kind: "slice"; readonly lps: Triple; readonly normal: Triple; readonly frameOfReferenceUid: string };

export interface Told {
  readonly from: string;
  readonly studyId: string;
  readonly isMain: boolean;
  readonly news: WindowNews;
}

/** Reads a message; null for what is none of ours. */
export function readTold(data: unknown): Told | null {
  const wire = asObject(data as Json);
  const news = readNews(asObject(wire["news"]));
  const from = asText(wire["from"]);
  return news === null || from === "" ? null : { from, studyId: asText(wire["studyId"]), isMain: asFlag(wire["isMain"]), news };
}

function readNews(wire: JsonObject): WindowNews | null {
  const frameOfReferenceUid = asText(wire["frameOfReferenceUid"]);
  const [lps, normal] = [readTriple(wire["lps"]), readTriple(wire["normal"])];
  switch (asText(wire["kind"])) {
    case "study":
      return { kind: "study", url: asText(wire["url"]) };
    case "shows":
      return { kind: "shows", series: asList(wire["series"]).map((one) => asText(one)) };
    case "asks":
      return { kind: "asks" };
    case "bye":
      return { kind: "bye" };
    case "cursor":
      return { kind: "cursor", lps, frameOfReferenceUid };
    case "slice":
      return lps === null || normal === null ? null : { kind: "slice", lps, normal, frameOfReferenceUid };
    default:
      return null;
  }
}

function readTriple(wire: Json | undefined): Triple | null {
  const numbers = asNumbers(wire);
  return numbers.length === 3 ? (numbers as unknown as Triple) : null;
}
