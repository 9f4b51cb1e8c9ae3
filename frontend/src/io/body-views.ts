/** Views of a volume as a body from the server: a draft at once, a fine one when the hand rests. */

import { BODY_MODES, bodyQuery, type BodyOffer, type BodyWish, type Quality, type Rendering } from "../core/body-look";
import type { Triple } from "../core/facts";
import { readProblem } from "./api";
import { asFlag, asList, asNumber, asObject, asText, type Json } from "./read";

export type OfferAnswer =
  | { readonly kind: "ready"; readonly offer: BodyOffer }
  | { readonly kind: "building"; readonly progress: number }
  /** No volume: the passport's reasons. */
  | { readonly kind: "refused"; readonly reasons: readonly string[] }
  | { readonly kind: "failed"; readonly words: string };

/** Addresses beside a series' stack document. */
function addressOf(stackUrl: string, name: string): string {
  return new URL(`../${name}`, new URL(stackUrl, location.href)).href;
}

export async function readOffer(stackUrl: string, signal: AbortSignal): Promise<OfferAnswer> {
  const response = await fetch(addressOf(stackUrl, "renderings/"), { signal, credentials: "same-origin" });
  if (response.ok) {
    return { kind: "ready", offer: parseOffer((await response.json()) as Json) };
  }
  const problem = asObject(await response.json().then((read) => read as Json, () => ({})));
  if (response.status === 503) {
    return { kind: "building", progress: numberOf(problem["progress"]) };
  }
  const words = asText(problem["detail"]);
  const reasons = asList(problem["reasons"]).map(asText);
  return response.status === 422 ? { kind: "refused", reasons: reasons.length > 0 ? reasons : [words] } : { kind: "failed", words };
}

function parseOffer(read: Json): BodyOffer {
  const document = asObject(read);
  const histogram = asObject(document["histogram"]);
  return {
    renderings: asList(document["presets"]).map(parseRendering),
    whyNot: asText(document["why_not"]),
    shade: asTriple(document["shade"]),
    histogram: {
      low: numberOf(histogram["low"]),
      high: numberOf(histogram["high"]),
      counts: asList(histogram["counts"]).map((one) => numberOf(one)),
    },
    corners: asList(document["corners_mm"]).map(asTriple),
    spacingMm: asTriple(document["spacing_mm"]),
    isEven: asFlag(document["is_even"]),
    frameOfReferenceUid: asText(document["frame_of_reference_uid"]),
  };
}

function parseRendering(read: Json): Rendering {
  const one = asObject(read);
  const window = one["window"] === null ? null : asList(one["window"]).map((part) => numberOf(part));
  return {
    code: asText(one["code"]),
    label: asText(one["label"]),
    mode: BODY_MODES.find((mode) => mode === one["mode"]) ?? "composite",
    points: asList(one["points"]).map((point) => {
      const [value, opacity, colour] = asList(point);
      return { value: numberOf(value), opacity: numberOf(opacity), colour: asText(colour) };
    }),
    isShaded: asFlag(one["is_shaded"]),
    window: window === null ? null : { center: window[0] ?? 0, width: window[1] ?? 1 },
  };
}

function numberOf(read: Json | undefined): number {
  return asNumber(read) ?? 0;
}

function asTriple(read: Json | undefined): Triple {
  const [x, y, z] = asList(read).map((part) => numberOf(part));
  return [x ?? 0, y ?? 0, z ?? 0];
}

export interface BodyPicture {
  readonly bitmap: ImageBitmap;
  readonly wish: BodyWish;
  readonly quality: Quality;
}

/** How long a hand must rest before the fine picture is made. */
const REST_MS = 180;

/**
 * One draft is under way at a time: what is wanted meanwhile waits, the newest alone. A fine picture is
 * dropped as soon as anything else is wanted.
 */
export class ServerViews {
  private wanted: BodyWish | null = null;
  private drafted: BodyWish | null = null;
  private draft: AbortController | null = null;
  private fine: AbortController | null = null;
  private rest: ReturnType<typeof setTimeout> | undefined;
  /** The server's words when the last one could not be had. */
  failure = "";

  constructor(
    private readonly stackUrl: string,
    private readonly onPicture: (picture: BodyPicture) => void,
    private readonly onFailure: () => void,
  ) {}

  /** `isMoving`: more will come at once; then drafts alone are made. */
  want(wish: BodyWish, isMoving: boolean): void {
    this.wanted = wish;
    this.fine?.abort();
    this.fine = null;
    clearTimeout(this.rest);
    this.pump();
    if (!isMoving) {
      this.rest = setTimeout(() => void this.makeFine(wish), this.drafted === null ? 0 : REST_MS);
    }
  }

  close(): void {
    clearTimeout(this.rest);
    this.draft?.abort();
    this.fine?.abort();
    this.wanted = null;
  }

  private pump(): void {
    if (this.draft === null && this.wanted !== null && this.wanted !== this.drafted) {
      void this.makeDraft(this.wanted);
    }
  }

  private async makeDraft(wish: BodyWish): Promise<void> {
    const abort = (this.draft = new AbortController());
    this.drafted = wish;
    await this.fetch(wish, "draft", abort.signal);
    this.draft = null;
    this.pump();
  }

  private async makeFine(wish: BodyWish): Promise<void> {
    const abort = (this.fine = new AbortController());
    await this.fetch(wish, "fine", abort.signal);
  }

  private async fetch(wish: BodyWish, quality: Quality, signal: AbortSignal): Promise<void> {
    const query = bodyQuery(wish, quality, quality === "fine" ? devicePixelRatio : 1);
    try {
      const response = await fetch(`${addressOf(this.stackUrl, "view3d")}?${query}`, { signal, credentials: "same-origin" });
      if (!response.ok) {
        this.failure = (await readProblem(response)) || " ";
        this.onFailure();
        return;
      }
      const bitmap = await createImageBitmap(await response.blob());
      // A draft that comes after the fine picture of the same wish would make it worse.
      if (signal.aborted || this.wanted === null) {
        bitmap.close();
        return;
      }
      this.failure = "";
      this.onPicture({ bitmap, wish, quality });
    } catch {
      if (!signal.aborted) {
        this.failure = " ";
        this.onFailure();
      }
    }
  }
}

/** The address of a picture to keep: as large as the server makes it, without loss. */
export function savedViewAddress(stackUrl: string, wish: BodyWish): string {
  const query = new URLSearchParams(bodyQuery(wish, "fine", 4));
  query.set("format", "png");
  return `${addressOf(stackUrl, "view3d")}?${query.toString()}`;
}
