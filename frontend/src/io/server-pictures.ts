/** Fetches pictures that the server draws: the one in sight first, then a few ahead; the last ones are kept. */

import type { ImageFacts } from "../core/facts";
import type { ResolvedVoi } from "../core/voi";
import type { Wish } from "../core/server-picture";
import { readProblem } from "./api";
import type { FrameFailure } from "./frames";

const MOST_REQUESTS = 2;
const KEPT_BYTES = 48 << 20;

/** One picture that is wanted; what will be true of it goes with it. */
export interface WantedPicture {
  readonly facts: ImageFacts;
  readonly address: string;
  readonly wish: Wish;
  readonly voi: ResolvedVoi;
}

export interface DrawnPicture extends WantedPicture {
  /** Three bytes a pixel, as many pixels as the image has. */
  readonly samples: Uint8Array;
}

export class PictureLoader {
  private readonly kept = new Map<string, DrawnPicture>();
  private readonly failures = new Map<string, FrameFailure>();
  private readonly underWay = new Map<string, AbortController>();
  private wanted: readonly WantedPicture[] = [];

  constructor(private readonly onNews: () => void) {}

  /** Says what is wanted now, in the order of need; what is under way for anything else stops. */
  want(pictures: readonly WantedPicture[]): void {
    this.wanted = pictures;
    const addresses = new Set(pictures.map(({ address }) => address));
    for (const [address, abort] of this.underWay) {
      if (!addresses.has(address)) {
        abort.abort();
        this.underWay.delete(address);
      }
    }
    this.pump();
  }

  close(): void {
    this.want([]);
  }

  /** The picture as it is wanted; until it has come, the same image as it was wanted before. */
  of(key: string): DrawnPicture | undefined {
    const wanted = this.wanted.find(({ facts }) => facts.key === key);
    const exact = wanted === undefined ? undefined : this.kept.get(wanted.address);
    return exact ?? [...this.kept.values()].findLast(({ facts }) => facts.key === key);
  }

  failureOf(key: string): FrameFailure | undefined {
    const wanted = this.wanted.find(({ facts }) => facts.key === key);
    return wanted === undefined ? undefined : this.failures.get(wanted.address);
  }

  /** Forgets failures and asks again. */
  retry(): void {
    this.failures.clear();
    this.pump();
  }

  private pump(): void {
    for (const picture of this.wanted) {
      if (this.underWay.size >= MOST_REQUESTS) {
        return;
      }
      const { address } = picture;
      if (!this.kept.has(address) && !this.failures.has(address) && !this.underWay.has(address)) {
        void this.fetch(picture);
      }
    }
  }

  private async fetch(picture: WantedPicture): Promise<void> {
    const { address, facts } = picture;
    const abort = new AbortController();
    this.underWay.set(address, abort);
    try {
      const response = await fetch(address, { signal: abort.signal, credentials: "same-origin" });
      if (response.ok) {
        const voi = withFound(picture.voi, response.headers.get("X-Window"));
        this.keep({ ...picture, voi, samples: await readSamples(await response.blob(), facts) });
      } else {
        this.failures.set(address, { status: "unreachable", words: await readProblem(response) });
      }
    } catch {
      if (!abort.signal.aborted) {
        this.failures.set(address, { status: "unreachable", words: "" });
      }
    }
    if (this.underWay.get(address) === abort) {
      this.underWay.delete(address);
      this.onNews();
      this.pump();
    }
  }

  private keep(picture: DrawnPicture): void {
    this.kept.set(picture.address, picture);
    let used = [...this.kept.values()].reduce((sum, { samples }) => sum + samples.byteLength, 0);
    for (const [address, { samples }] of this.kept) {
      if (used <= KEPT_BYTES || address === picture.address) {
        return;
      }
      this.kept.delete(address);
      used -= samples.byteLength;
    }
  }
}

/** The numbers of a window that the server found in the pixels. */
export function withFound(voi: ResolvedVoi, told: string | null): ResolvedVoi {
  const [center, width] = (told ?? "").split(",").map(Number);
  const isFound = center !== undefined && width !== undefined && Number.isFinite(center) && Number.isFinite(width);
  return Number.isNaN(voi.width) && isFound ? { ...voi, center, width } : voi;
}

/** The picture's colours, one for each pixel of the image: the server may have stretched it. */
async function readSamples(blob: Blob, { columns, rows }: ImageFacts): Promise<Uint8Array> {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
  if (context === null) {
    throw new Error("This browser draws no pictures.");
  }
  context.drawImage(bitmap, 0, 0, columns, rows);
  bitmap.close();
  const { data } = context.getImageData(0, 0, columns, rows);
  const samples = new Uint8Array(columns * rows * 3);
  for (let from = 0, to = 0; to < samples.length; from += 4, to += 3) {
    samples[to] = data[from] as number;
    samples[to + 1] = data[from + 1] as number;
    samples[to + 2] = data[from + 2] as number;
  }
  return samples;
}
