/** Fetches planes that lie over pictures: the one in sight first, then its neighbours; the last ones are kept. */

import { insideTest, planeQuery, type Body, type OverlayPlane } from "../core/fusion";
import type { ImageFacts } from "../core/facts";
import { readProblem } from "./api";
import { asList, asNumber, asNumbers, asObject, asText, type Json, type JsonObject } from "./read";

const MOST_REQUESTS = 3;
const KEPT_BYTES = 96 << 20;
const PAUSE_MS = 700;
/** While the server builds the volume it is asked again so often; then the words of its answer stand. */
const MOST_PAUSES = 180;
const BUILDING = 503;

export class OverlayPlanes {
  private readonly kept = new Map<string, OverlayPlane>();
  private readonly failures = new Map<string, string>();
  private readonly underWay = new Map<string, AbortController>();
  private readonly bodies = new Map<string, Promise<Body>>();
  private wanted: readonly (readonly [string, ImageFacts, string])[] = [];
  private pauses = 0;
  /** Whether the server has the volume; while it builds it, one question at a time is enough. */
  private isBuilt = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** `root` is where the interface lies, such as `/api/v1/`. */
  constructor(
    private readonly root: string,
    private readonly onNews: () => void,
  ) {}

  /** Says which pictures are to be overlaid, in the order of need; what is under way for others stops. */
  want(seriesId: string, images: readonly ImageFacts[]): void {
    this.wanted = images.flatMap((facts) => {
      const address = this.addressOf(seriesId, facts);
      return address === null ? [] : [[address, facts, seriesId] as const];
    });
    const addresses = new Set(this.wanted.map(([address]) => address));
    for (const [address, abort] of this.underWay) {
      if (!addresses.has(address)) {
        abort.abort();
        this.underWay.delete(address);
      }
    }
    this.pump();
  }

  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.want("", []);
  }

  planeOf(seriesId: string, facts: ImageFacts): OverlayPlane | undefined {
    const address = this.addressOf(seriesId, facts);
    const found = address === null ? undefined : this.kept.get(address);
    if (address !== null && found !== undefined) {
      this.kept.delete(address);
      this.kept.set(address, found);
    }
    return found;
  }

  /** The server's words when it has said no. */
  failureOf(seriesId: string, facts: ImageFacts): string | undefined {
    const address = this.addressOf(seriesId, facts);
    return address === null ? undefined : this.failures.get(address);
  }

  retry(): void {
    this.failures.clear();
    this.pauses = 0;
    this.pump();
  }

  private readonly addresses = new WeakMap<ImageFacts, string | null>();

  private addressOf(seriesId: string, facts: ImageFacts): string | null {
    let query = this.addresses.get(facts);
    if (query === undefined) {
      query = planeQuery(facts);
      this.addresses.set(facts, query);
    }
    return query === null ? null : `${this.root}series/${seriesId}/plane?${query}`;
  }

  private pump(): void {
    if (this.timer !== undefined) {
      return;
    }
    for (const [address, facts, seriesId] of this.wanted) {
      if (this.underWay.size >= (this.isBuilt ? MOST_REQUESTS : 1)) {
        return;
      }
      if (!this.kept.has(address) && !this.failures.has(address) && !this.underWay.has(address)) {
        void this.fetch(address, facts, seriesId);
      }
    }
  }

  private async fetch(address: string, facts: ImageFacts, seriesId: string): Promise<void> {
    const abort = new AbortController();
    this.underWay.set(address, abort);
    try {
      const response = await fetch(address, { signal: abort.signal, credentials: "same-origin" });
      if (response.ok) {
        const about = asObject(JSON.parse(response.headers.get("X-Noctis-Plane") ?? "{}") as Json);
        const values = readShorts(await response.arrayBuffer());
        this.keep(address, await this.readPlane(values, about, facts, seriesId));
        this.pauses = 0;
        this.isBuilt = true;
      } else if (response.status === BUILDING && this.pauses < MOST_PAUSES) {
        this.pauses += 1;
        this.pause();
      } else {
        this.failures.set(address, await readProblem(response));
      }
    } catch {
      if (!abort.signal.aborted) {
        this.failures.set(address, "");
      }
    }
    if (this.underWay.get(address) === abort) {
      this.underWay.delete(address);
      this.onNews();
      this.pump();
    }
  }

  private async readPlane(values: Int16Array, about: JsonObject, facts: ImageFacts, seriesId: string): Promise<OverlayPlane> {
    if (values.length !== facts.rows * facts.columns) {
      throw new Error("A plane came in another size.");
    }
    const isInside = insideTest(facts, await this.bodyOf(seriesId));
    const number = (name: string, otherwise: number): number => asNumber(about[name]) ?? otherwise;
    return { values, scale: number("scale", 1), offset: number("offset", 0), outside: number("outside", 0), isInside };
  }

  /** Where the series lies; asked for once. */
  private bodyOf(seriesId: string): Promise<Body> {
    const known = this.bodies.get(seriesId);
    if (known !== undefined) {
      return known;
    }
    const asked = readBody(`${this.root}series/${seriesId}/volume/`);
    this.bodies.set(seriesId, asked);
    asked.catch(() => this.bodies.delete(seriesId));
    return asked;
  }

  private pause(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, PAUSE_MS);
  }

  private keep(address: string, plane: OverlayPlane): void {
    this.kept.set(address, plane);
    let used = [...this.kept.values()].reduce((sum, { values }) => sum + values.byteLength, 0);
    for (const [oldest, { values }] of this.kept) {
      if (used <= KEPT_BYTES || oldest === address) {
        return;
      }
      this.kept.delete(oldest);
      used -= values.byteLength;
    }
  }
}

/** Little endian, whatever the machine. */
function readShorts(bytes: ArrayBuffer): Int16Array {
  const view = new DataView(bytes);
  return Int16Array.from({ length: bytes.byteLength >> 1 }, (_, at) => view.getInt16(2 * at, true));
}

async function readBody(address: string): Promise<Body> {
  const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
  const wire = asObject((await response.json()) as Json);
  if (!response.ok || asText(wire["state"]) !== "ready") {
    throw new Error("The volume is not there.");
  }
  const [slices = 0, rows = 0, columns = 0] = asNumbers(wire["shape"]);
  const matrix = asList(wire["lps_from_ijk"] ?? wire["lps_from_ijw"]).map((row) => asNumbers(row));
  const places = asNumbers(wire["slice_mm"]);
  const half = (asNumbers(wire["spacing_mm"])[2] ?? 0) / 2;
  const isEven = wire["is_even"] === true;
  const depth = isEven ? ([-0.5, slices - 0.5] as const) : ([-half, (places[places.length - 1] ?? 0) + half] as const);
  return { lpsFromIjw: matrix as unknown as Body["lpsFromIjw"], rows, columns, depth };
}
