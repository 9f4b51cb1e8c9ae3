/**
 * Planes that the server cuts, for volumes that are too large here: a small picture while the hand moves,
 * then the whole one. One request at a time; a whole picture that nobody wants any more is cancelled.
 */

import { coarser, enlarge } from "../core/cut";
import type { ImageFacts } from "../core/facts";
import type { PlaneGrid } from "../core/mpr";
import type { PlaneImage } from "../core/plane-facts";
import { makePixels, type PlaneValues } from "../core/plane-values";
import { readProblem } from "./api";
import { asNumber, asObject, type Json } from "./read";

const DRAFT_PX = 160;
const QUIET_MS = 150;
const BUSY = 503;
const AGAIN_MS = 700;

export interface ServerPlane {
  readonly facts: ImageFacts;
  readonly pixels: ReturnType<typeof makePixels>;
  readonly isDraft: boolean;
}

export interface WantedServerPlane {
  readonly image: PlaneImage;
  readonly values: PlaneValues;
  readonly address: URL;
  readonly timePoint: number;
}

export class ServerPlanes {
  private last: ServerPlane | null = null;
  private wanted: WantedServerPlane | null = null;
  private request: { readonly abort: AbortController; readonly factor: number; readonly key: string } | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private movedAt = 0;
  /** Share of the volume that is built, while it is not there; null: it is, or nobody has asked. */
  progress: number | null = null;
  /** Why there is no picture; null: nothing is wrong. */
  failure: string | null = null;

  constructor(private readonly onNews: () => void) {}

  /** The newest picture that is here; what is wanted is asked for. */
  pictureOf(wanted: WantedServerPlane): ServerPlane | null {
    if (this.wanted?.image.facts.key !== wanted.image.facts.key) {
      this.wanted = wanted;
      this.movedAt = performance.now();
      this.failure = null;
      if (this.request?.factor === 1) {
        this.cancel();
      }
      this.pump();
    }
    return this.last;
  }

  retry(): void {
    this.failure = null;
    this.pump();
  }

  rest(): void {
    this.cancel();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.wanted = null;
    this.last = null;
  }

  private cancel(): void {
    this.request?.abort.abort();
    this.request = null;
  }

  /** Asks for a small picture at once and for the whole one when the hand rests. */
  private pump(): void {
    const { wanted, last } = this;
    if (wanted === null || this.request !== null || this.failure !== null || this.timer !== undefined) {
      return;
    }
    const isHere = last?.facts.key === wanted.image.facts.key;
    if (isHere && !last.isDraft) {
      return;
    }
    const rest = QUIET_MS - (performance.now() - this.movedAt);
    if (isHere && rest > 0) {
      this.later(rest);
      return;
    }
    const { rows, columns } = wanted.image.grid;
    const factor = isHere || rest <= 0 ? 1 : Math.max(1, Math.ceil(Math.max(rows, columns) / DRAFT_PX));
    void this.fetch(wanted, factor);
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, ms);
  }

  private async fetch(wanted: WantedServerPlane, factor: number): Promise<void> {
    const { facts, grid } = wanted.image;
    const abort = new AbortController();
    const request = { abort, factor, key: facts.key };
    this.request = request;
    const coarse = coarser(grid, factor);
    try {
      const response = await fetch(addressOf(wanted, coarse), { signal: abort.signal, credentials: "same-origin" });
      if (this.request !== request) {
        return;
      }
      if (response.status === BUSY) {
        const problem = asObject((await response.json()) as Json);
        this.progress = asNumber(problem["progress"]) ?? this.progress;
        this.later(AGAIN_MS);
      } else if (!response.ok) {
        this.failure = await readProblem(response);
      } else {
        const pixels = await readPlane(response, wanted.values, coarse);
        const whole = enlarge(pixels, coarse, grid, factor, makePixels(wanted.values, grid.rows * grid.columns));
        this.last = { facts, pixels: factor === 1 ? pixels : whole, isDraft: factor > 1 };
        this.progress = null;
      }
    } catch {
      if (this.request === request) {
        this.failure = "";
      }
    }
    if (this.request === request) {
      this.request = null;
      this.onNews();
      this.pump();
    }
  }
}

function addressOf({ image, address, timePoint }: WantedServerPlane, grid: PlaneGrid): string {
  const { slab } = image.facts.reformatted ?? { slab: { mode: "thin", thicknessMm: 0 } };
  const half = (count: number): number => (grid.spacingMm * (count - 1)) / 2;
  const center = grid.origin.map(
    (at, axis) => at + half(grid.columns) * (grid.right[axis] as number) + half(grid.rows) * (grid.down[axis] as number),
  );
  const query = new URLSearchParams({
    center: center.map(plain).join(","),
    normal: grid.normal.map(plain).join(","),
    up: grid.down.map((one) => plain(-one)).join(","),
    width_mm: plain(grid.columns * grid.spacingMm),
    height_mm: plain(grid.rows * grid.spacingMm),
    columns: `${grid.columns}`,
    rows: `${grid.rows}`,
    mode: slab.mode,
    thickness_mm: plain(slab.thicknessMm),
    time_point: `${timePoint}`,
    format: "raw",
  });
  return `${address.href}?${query.toString()}`;
}

/** Digits enough for a thousandth of a voxel, and never an exponent. */
function plain(value: number): string {
  return value.toFixed(9);
}

/** The server's int16 as the numbers that the plane's facts announce. */
async function readPlane(response: Response, values: PlaneValues, grid: PlaneGrid): Promise<ReturnType<typeof makePixels>> {
  const about = asObject(JSON.parse(response.headers.get("X-Noctis-Plane") ?? "{}") as Json);
  const [scale, offset] = [asNumber(about["scale"]) ?? 1, asNumber(about["offset"]) ?? 0];
  const stored = new Int16Array(await response.arrayBuffer());
  if (stored.length !== grid.rows * grid.columns) {
    throw new Error("The server sent another plane.");
  }
  const pixels = makePixels(values, stored.length);
  const [by, plus] = [scale / values.rescaleSlope, (offset - values.rescaleIntercept) / values.rescaleSlope];
  for (let at = 0; at < stored.length; at += 1) {
    const value = (stored[at] as number) * by + plus;
    pixels[at] = values.isRounded ? Math.round(value) : value;
  }
  return pixels;
}
