/** Planes that the server cuts, for volumes that are too large here. */

import { coarser, enlarge } from "../core/cut";
import type { ImageFacts } from "../core/facts";
import type { PlaneGrid } from "../core/mpr";
import type { PlaneImage } from "../core/plane-facts";
import { makePixels, type PlaneValues } from "../core/plane-values";
import { DraftThenWhole } from "./draft-then-whole";
import { asNumber, asObject, type Json } from "./read";

const DRAFT_PX = 160;
const QUIET_MS = 150;

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

export class ServerPlanes extends DraftThenWhole<WantedServerPlane> {
  private last: ServerPlane | null = null;

  constructor(onNews: () => void) {
    super(QUIET_MS, onNews);
  }

  /** The newest picture that is here; what is wanted is asked for. */
  pictureOf(wanted: WantedServerPlane): ServerPlane | null {
    this.want(wanted);
    return this.last;
  }

  override rest(): void {
    super.rest();
    this.last = null;
  }

  protected keyOf({ image }: WantedServerPlane): string {
    return image.facts.key;
  }

  protected coarseness({ image: { grid } }: WantedServerPlane): number {
    return Math.max(grid.rows, grid.columns) / DRAFT_PX;
  }

  protected ask(wanted: WantedServerPlane, factor: number, signal: AbortSignal): Promise<Response> {
    return fetch(addressOf(wanted, coarser(wanted.image.grid, factor)), { signal, credentials: "same-origin" });
  }

  protected async read(response: Response, { image, values }: WantedServerPlane, factor: number): Promise<() => void> {
    const { facts, grid } = image;
    const coarse = coarser(grid, factor);
    const pixels = await readPlane(response, values, coarse);
    const whole = enlarge(pixels, coarse, grid, factor, makePixels(values, grid.rows * grid.columns));
    return () => {
      this.last = { facts, pixels: factor === 1 ? pixels : whole, isDraft: factor > 1 };
    };
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
