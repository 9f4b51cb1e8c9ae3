/** Fetches the frames of one pane in the order of need; requests are dropped when another series opens. */

import type { ImageFacts, Stack } from "../core/facts";
import { describeIndices, orderOfNeed } from "../core/order";
import type { FrameCache } from "../state/frame-cache";
import { imageKey, readProblem } from "./api";
import { readPixels } from "./pixels";
import { RecordParser, type FrameRecord, type FrameStatus } from "./records";
import type { Lane, Traffic } from "./traffic";

const CHUNK_IMAGES = 32;
const CHUNK_BYTES = 16 << 20;
const READ_BYTES = 512 << 10;
const MOST_TRIES = 3;
const FIRST_PAUSE_MS = 500;
/** Frames that nobody waits for are told together. */
const NEWS_PAUSE_MS = 100;
/** The part of the cache that may be filled ahead of the reader. */
const AHEAD_SHARE = 0.8;

export interface FrameFailure {
  readonly status: Exclude<FrameStatus, "ok"> | "unreachable";
  /** The server's own words, if it had some. */
  readonly words: string;
}

interface Request {
  readonly abort: AbortController;
  readonly indices: Set<number>;
}

export class FrameLoader implements Lane {
  private readonly failures = new Map<string, FrameFailure>();
  /** Frames that did not come whole: the browser may have kept that answer, so it is not asked for them. */
  private readonly doubted = new Set<string>();
  private stack: Stack | null = null;
  private framesUrl = "";
  private current = 0;
  /** All that is wanted, in the order of need; null: what lies around the reader. */
  private order: readonly number[] | null = null;
  private direction: 1 | -1 = 1;
  private requests: Request[] = [];
  private tries = 0;
  private pause: ReturnType<typeof setTimeout> | undefined;
  private news: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly cache: FrameCache,
    private readonly traffic: Traffic,
    private readonly onNews: () => void,
    private readonly onOutdated: (seriesId: string) => void,
  ) {}

  /** Starts on a stack; whatever was under way for another one stops now. */
  open(stack: Stack, stackUrl: string, index: number): void {
    this.close();
    this.traffic.join(this);
    this.stack = stack;
    this.framesUrl = new URL("../frames/", new URL(stackUrl, location.href)).href;
    this.want(index, 1);
  }

  /** Starts on images of a stack of which all are wanted, however many they are. */
  openAll(stack: Stack, stackUrl: string, order: readonly number[]): void {
    this.open(stack, stackUrl, -1);
    this.order = order;
  }

  /** Another order of the same images. */
  reorder(order: readonly number[]): void {
    this.order = order;
  }

  close(): void {
    clearTimeout(this.pause);
    this.pause = undefined;
    this.tries = 0;
    this.stack = null;
    this.order = null;
    this.traffic.leave(this);
    const dropped = this.requests;
    this.requests = [];
    dropped.forEach(({ abort }) => abort.abort());
  }

  get requestCount(): number {
    return this.requests.length;
  }

  underWay(): readonly string[] {
    const { images } = this.stack ?? { images: [] };
    return this.requests.flatMap(({ indices }) => [...indices].map((index) => images[index]?.key ?? ""));
  }

  isCurrent(index: number): boolean {
    return index === this.current;
  }

  giveWay(): void {
    const [oldest] = this.requests.splice(0, 1);
    oldest?.abort.abort();
  }

  /** Says where the reader is; the traffic asks when all panes have said so. */
  want(index: number, direction: 1 | -1): void {
    this.current = index;
    this.direction = direction;
  }

  failureOf(key: string): FrameFailure | undefined {
    return this.failures.get(key);
  }

  /** Forgets failures of the open stack and asks again. */
  retry(): void {
    this.stack?.images.forEach(({ key }) => this.failures.delete(key));
    this.tries = 0;
    clearTimeout(this.pause);
    this.pause = undefined;
    this.traffic.pump();
  }

  /** The picture in sight comes alone, before all that lies around it: the page has asked for it so already. */
  ask(needed: readonly number[]): void {
    const { stack } = this;
    if (stack !== null) {
      void this.fetch(stack, takeChunk(needed, stack.images, needed[0] === this.current ? 1 : CHUNK_IMAGES));
    }
  }

  needed(underWay: ReadonlySet<string>): readonly number[] {
    const { stack } = this;
    if (stack === null || this.pause !== undefined) {
      return [];
    }
    const largest = Math.max(1, stack.images[this.current]?.bytes ?? 1);
    const room = this.cache.budgetBytes * AHEAD_SHARE * this.traffic.shareOf(this);
    const limit = Math.max(1, Math.floor(room / largest));
    const wanted = this.order ?? orderOfNeed(stack.images.length, this.current, this.direction, limit);
    return wanted.filter((index) => {
      const image = stack.images[index];
      return (
        image !== undefined &&
        image.pixelFormat !== "none" &&
        !this.cache.has(image.key) &&
        !this.failures.has(image.key) &&
        !underWay.has(image.key)
      );
    });
  }

  private async fetch(stack: Stack, chunk: number[]): Promise<void> {
    const request: Request = { abort: new AbortController(), indices: new Set(chunk) };
    this.requests.push(request);
    const isDoubted = chunk.some((index) => this.doubted.has(stack.images[index]?.key ?? ""));
    const cache = isDoubted ? "reload" : "default";
    const address = `${this.framesUrl}?version=${encodeURIComponent(stack.version)}&images=${describeIndices(chunk)}`;
    let failure: FrameFailure | null = null;
    try {
      const response = await fetch(address, { signal: request.abort.signal, credentials: "same-origin", cache });
      if (response.status === 409) {
        this.onOutdated(stack.seriesId);
        return;
      }
      if (!response.ok || response.body === null) {
        failure = { status: "unreachable", words: await readProblem(response) };
      } else {
        await this.receive(stack, request, response.body);
      }
    } catch {
      // A broken connection; the indices that did not come are asked for again below.
    }
    if (request.abort.signal.aborted || this.stack !== stack) {
      return;
    }
    this.requests = this.requests.filter((one) => one !== request);
    this.settle(stack, request, failure);
  }

  private async receive(stack: Stack, request: Request, body: ReadableStream<Uint8Array>): Promise<void> {
    const parser = new RecordParser((bytes) => this.cache.roomFor(bytes));
    const read = readerOf(body);
    for (;;) {
      const value = await read();
      if (value === null || request.abort.signal.aborted) {
        return;
      }
      const records = parser.push(value);
      records.forEach((record) => this.accept(stack, request, record));
      if (records.length > 0) {
        this.tries = 0;
        this.tell(records.some(({ stackIndex }) => stackIndex === this.current));
      }
    }
  }

  private accept(stack: Stack, request: Request, record: FrameRecord): void {
    const facts = stack.images[record.stackIndex];
    if (facts === undefined || facts.key !== imageKey(record.instanceId, record.frame)) {
      throw new Error("The server sent a frame that was not asked for.");
    }
    request.indices.delete(record.stackIndex);
    if (record.status !== "ok" && !this.doubted.has(facts.key)) {
      this.doubted.add(facts.key);
      return;
    }
    if (record.status !== "ok") {
      this.failures.set(facts.key, { status: record.status, words: new TextDecoder().decode(record.payload) });
      return;
    }
    const pixels = readPixels(record.payload, facts);
    if (pixels === null) {
      this.failures.set(facts.key, { status: "damaged", words: "" });
    } else {
      this.cache.put(facts.key, pixels);
    }
  }

  /** Says that frames have come: the one in sight at once. */
  private tell(isInSight: boolean): void {
    if (isInSight) {
      this.onNews();
    } else {
      this.news ??= setTimeout(() => {
        this.news = undefined;
        this.onNews();
      }, NEWS_PAUSE_MS);
    }
  }

  /** After a request: go on, or wait and ask again, or say that the frames cannot be had. */
  private settle(stack: Stack, request: Request, failure: FrameFailure | null): void {
    if (request.indices.size === 0) {
      this.traffic.pump();
      return;
    }
    this.tries += 1;
    if (this.tries < MOST_TRIES) {
      const wait = FIRST_PAUSE_MS * 2 ** (this.tries - 1);
      clearTimeout(this.pause);
      this.pause = setTimeout(() => {
        this.pause = undefined;
        this.traffic.pump();
      }, wait);
      return;
    }
    for (const index of request.indices) {
      const key = stack.images[index]?.key;
      if (key !== undefined) {
        this.failures.set(key, failure ?? { status: "unreachable", words: "" });
      }
    }
    this.onNews();
    this.traffic.pump();
  }
}

/**
 * Reads a body piece by piece, null at its end. Where the browser can, all pieces come in one piece of
 * memory: pieces of their own would be as much waste as the series is large.
 */
function readerOf(body: ReadableStream<Uint8Array>): () => Promise<Uint8Array | null> {
  try {
    const reader = body.getReader({ mode: "byob" });
    let room = new Uint8Array(READ_BYTES);
    return async () => {
      const { done, value } = await reader.read(room);
      room = value === undefined ? room : new Uint8Array(value.buffer);
      return done || value === undefined ? null : value;
    };
  } catch {
    const reader = body.getReader();
    return async () => (await reader.read()).value ?? null;
  }
}

/** The next indices for one request, by count and by bytes; at least one. */
function takeChunk(needed: readonly number[], images: readonly ImageFacts[], most: number): number[] {
  const chunk: number[] = [];
  let bytes = 0;
  for (const index of needed.slice(0, most)) {
    bytes += images[index]?.bytes ?? 0;
    if (chunk.length > 0 && bytes > CHUNK_BYTES) {
      break;
    }
    chunk.push(index);
  }
  return chunk;
}
