import { asObject, asText, type Json, type JsonObject } from "../io/read";

const SILENCE_MS = 40_000;
const PATIENCE_MS = 3_000;
const HIDDEN_MS = 60_000;
const LONGEST_RETRY_MS = 30_000;
const KINDS = ["study_received", "study_updated"];
const MARKS = "marks_changed";
const JOBS = "reconstruction";
const WAYS = ["exchange", "transfer"];

interface Listener {
  onStudies(studies: string[]): void;
  onReset(): void;
  /** Whether news come, whenever that changes. */
  onState?(state: "on" | "off"): void;
  /** What somebody drew, changed or deleted in a study. */
  onMarks?(study: string, news: JsonObject): void;
  /** How it stands with a reconstruction. */
  onJobs?(news: JsonObject): void;
  /** How it stands with what goes to another archive or comes from it. */
  onWays?(news: JsonObject): void;
}

/**
 * The stream of news. It heals itself, says when it is lost, and gives its
 * connection back while nobody looks at the page (browsers have few to one
 * server); what was missed comes when one looks again.
 */
export class Live {
  private source: EventSource | null = null;
  private doubt = 0;
  private silence = 0;
  private retry = 0;
  private rest = 0;
  private retryMs = 1_000;
  private told: "on" | "off" | "" = "";

  constructor(
    /** Where the page says whether news come; null where it says nothing. */
    private readonly badge: HTMLElement | null,
    private readonly address: string,
    private lastId: number,
    private readonly listener: Listener,
  ) {
    document.addEventListener("visibilitychange", () => this.seen());
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        this.open();
      }
    });
  }

  open(): void {
    this.close();
    this.doubtLater();
    const source = new EventSource(`${this.address}?after=${this.lastId}`);
    this.source = source;
    source.onopen = () => {
      this.retryMs = 1_000;
      this.tell("on");
      this.heard();
    };
    source.onerror = () => {
      this.doubtLater();
      if (source.readyState === EventSource.CLOSED) {
        this.openLater();
      }
    };
    source.addEventListener("beat", () => this.heard());
    source.addEventListener("reset", (event) => {
      this.keepPlace(event);
      this.listener.onReset();
    });
    source.addEventListener("message", (event) => this.keepPlace(event));
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => this.took(event));
    }
    if (this.listener.onMarks !== undefined) {
      source.addEventListener(MARKS, (event) => this.tookMarks(event));
    }
    if (this.listener.onJobs !== undefined) {
      source.addEventListener(JOBS, (event) => this.tookJob(event));
    }
    for (const kind of this.listener.onWays === undefined ? [] : WAYS) {
      source.addEventListener(kind, (event) => this.tookWay(event as MessageEvent<string>));
    }
  }

  private tookMarks(event: MessageEvent<string>): void {
    this.keepPlace(event);
    const { study, payload } = readNews(event.data);
    this.listener.onMarks?.(study, payload);
  }

  private tookJob(event: MessageEvent<string>): void {
    this.keepPlace(event);
    this.listener.onJobs?.(readNews(event.data).payload);
  }

  private tookWay(event: MessageEvent<string>): void {
    this.keepPlace(event);
    this.listener.onWays?.(readNews(event.data).payload);
  }

  private took(event: MessageEvent<string>): void {
    this.keepPlace(event);
    const { study } = readNews(event.data);
    if (study) {
      this.listener.onStudies([study]);
    }
  }

  private keepPlace(event: MessageEvent): void {
    this.lastId = Math.max(this.lastId, Number(event.lastEventId) || 0);
    this.heard();
  }

  /** A stream that says nothing for longer than its beat is dead, whatever the network claims. */
  private heard(): void {
    window.clearTimeout(this.doubt);
    window.clearTimeout(this.silence);
    this.silence = window.setTimeout(() => this.open(), SILENCE_MS);
    this.tell("on");
  }

  private doubtLater(): void {
    window.clearTimeout(this.doubt);
    this.doubt = window.setTimeout(() => this.tell("off"), PATIENCE_MS);
  }

  private openLater(): void {
    window.clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.open(), this.retryMs * (0.75 + Math.random() / 2));
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }

  private seen(): void {
    window.clearTimeout(this.rest);
    if (document.hidden) {
      this.rest = window.setTimeout(() => this.close(), HIDDEN_MS);
    } else if (!this.source) {
      this.open();
    }
  }

  private close(): void {
    this.source?.close();
    this.source = null;
    for (const timer of [this.doubt, this.silence, this.retry]) {
      window.clearTimeout(timer);
    }
  }

  private tell(state: "on" | "off"): void {
    if (this.told !== state) {
      this.told = state;
      this.listener.onState?.(state);
    }
    if (this.badge === null || this.badge.dataset["state"] === state) {
      return;
    }
    this.badge.dataset["state"] = state;
    const text = this.badge.querySelector(".live-text");
    if (text) {
      text.textContent = this.badge.dataset[state] ?? "";
    }
  }
}

function readNews(data: string): { study: string; payload: JsonObject } {
  try {
    const parsed = asObject(JSON.parse(data) as Json);
    return { study: asText(parsed["study"]), payload: asObject(parsed["payload"]) };
  } catch {
    // Not ours; nothing to refresh.
    return { study: "", payload: {} };
  }
}
