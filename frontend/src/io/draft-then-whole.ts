/**
 * Pictures that the server makes while a hand moves: a coarse one at once, the whole one when the hand
 * rests. One request at a time; a whole picture that nobody wants any more is cancelled.
 */

import { readProblem } from "./api";
import { asNumber, asObject, type Json } from "./read";

const BUSY = 503;
const AGAIN_MS = 700;

interface Request {
  readonly abort: AbortController;
  readonly factor: number;
}

export abstract class DraftThenWhole<W> {
  /** What is here; null: nothing yet. */
  private here: { readonly key: string; readonly isDraft: boolean } | null = null;
  private wanted: W | null = null;
  private request: Request | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private movedAt = 0;
  /** Share of the volume that is built, while it is not there; null: it is, or nobody has asked. */
  progress: number | null = null;
  /** Why there is no picture; null: nothing is wrong. */
  failure: string | null = null;

  protected constructor(
    /** How long a hand rests before the whole picture is asked for. */
    private readonly quietMs: number,
    private readonly onNews: () => void,
  ) {}

  /** The same for the same picture. */
  protected abstract keyOf(wanted: W): string;
  /** How many times larger the pixels of the coarse picture are. */
  protected abstract coarseness(wanted: W): number;
  protected abstract ask(wanted: W, factor: number, signal: AbortSignal): Promise<Response>;
  /** Reads the answer; what it returns shows the picture, unless nobody wants it any more. */
  protected abstract read(response: Response, wanted: W, factor: number): Promise<() => void>;

  /** Asks for a small picture at once and for the whole one when the hand rests. */
  want(wanted: W): void {
    if (this.wanted !== null && this.keyOf(this.wanted) === this.keyOf(wanted)) {
      return;
    }
    this.wanted = wanted;
    this.movedAt = performance.now();
    this.failure = null;
    if (this.request?.factor === 1) {
      this.cancel();
    }
    this.pump();
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
    this.here = null;
  }

  private cancel(): void {
    this.request?.abort.abort();
    this.request = null;
  }

  private pump(): void {
    const { wanted, here } = this;
    if (wanted === null || this.request !== null || this.failure !== null || this.timer !== undefined) {
      return;
    }
    const isHere = here?.key === this.keyOf(wanted);
    if (isHere && !here.isDraft) {
      return;
    }
    const rest = this.quietMs - (performance.now() - this.movedAt);
    if (isHere && rest > 0) {
      this.later(rest);
      return;
    }
    void this.fetch(wanted, isHere || rest <= 0 ? 1 : Math.max(1, Math.ceil(this.coarseness(wanted))));
  }

  private later(ms: number): void {
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.pump();
    }, ms);
  }

  private async fetch(wanted: W, factor: number): Promise<void> {
    const request: Request = { abort: new AbortController(), factor };
    this.request = request;
    try {
      const response = await this.ask(wanted, factor, request.abort.signal);
      if (this.request === request) {
        await this.hear(response, wanted, request);
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

  private async hear(response: Response, wanted: W, request: Request): Promise<void> {
    if (response.status === BUSY) {
      const problem = asObject((await response.json()) as Json);
      this.progress = asNumber(problem["progress"]) ?? this.progress;
      this.later(AGAIN_MS);
    } else if (!response.ok) {
      this.failure = await readProblem(response);
    } else {
      const show = await this.read(response, wanted, request.factor);
      if (this.request === request) {
        this.here = { key: this.keyOf(wanted), isDraft: request.factor > 1 };
        this.progress = null;
        show();
      }
    }
  }
}
