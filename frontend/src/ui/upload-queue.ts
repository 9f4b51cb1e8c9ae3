import type { Chosen } from "./upload-files";

const PARALLEL = 3;
/** Small files travel together: a request for each of a thousand slices would mostly wait. */
const MOST_FILES = 25;
const MOST_BYTES = 32 * 1024 * 1024;

export type Status = "stored" | "duplicate" | "healed" | "conflict" | "skipped" | "refused" | "failed";

export interface Verdict {
  name: string;
  status: Status;
  reason: string;
}

export interface Progress {
  files: number;
  filesDone: number;
  bytes: number;
  bytesSent: number;
  isAllSent: boolean;
}

interface Place {
  address: string;
  token: string;
  facility: string;
  words: Record<string, string | undefined>;
}

interface Watcher {
  onVerdict(verdict: Verdict): void;
  onProgress(progress: Progress): void;
  onEnd(progress: Progress, isCancelled: boolean): void;
}

interface Line {
  file: number;
  name: string;
  status: Status;
  reason: string;
}

/** Sends files, at most three requests at a time, and passes on the verdicts as they come. */
export class Queue {
  private readonly waiting: Chosen[] = [];
  private readonly open = new Map<XMLHttpRequest, number>();
  private readonly total = { files: 0, filesDone: 0, bytes: 0, bytesDone: 0 };
  private isCancelled = false;

  constructor(
    private readonly place: Place,
    private readonly watcher: Watcher,
  ) {}

  get isRunning(): boolean {
    return this.open.size > 0 || this.waiting.length > 0;
  }

  add(chosen: Chosen[]): void {
    this.isCancelled = false;
    for (const one of chosen) {
      this.waiting.push(one);
      this.total.files += 1;
      this.total.bytes += one.file.size;
    }
    this.pump();
  }

  /** Stop what is not sent yet; what is stored stays stored. */
  cancel(): void {
    this.isCancelled = true;
    this.waiting.length = 0;
    for (const request of [...this.open.keys()]) {
      request.abort();
    }
  }

  private pump(): void {
    while (this.open.size < PARALLEL && this.waiting.length) {
      this.send(this.takeBatch());
    }
    this.tell();
    if (!this.isRunning) {
      this.watcher.onEnd(this.progress(), this.isCancelled);
    }
  }

  private takeBatch(): Chosen[] {
    const batch: Chosen[] = [];
    let bytes = 0;
    for (let next = this.waiting[0]; next && batch.length < MOST_FILES; next = this.waiting[0]) {
      bytes += next.file.size;
      if (batch.length && bytes > MOST_BYTES) {
        break;
      }
      batch.push(next);
      this.waiting.shift();
    }
    return batch;
  }

  private send(batch: Chosen[]): void {
    const request = new XMLHttpRequest();
    const bytes = batch.reduce((sum, one) => sum + one.file.size, 0);
    const answered = new Set<number>();
    let taken = 0;
    let isDone = false;
    const read = (): void => {
      const text = request.responseText;
      for (let end = text.indexOf("\n", taken); end >= 0; end = text.indexOf("\n", taken)) {
        const line = readLine(text.slice(taken, end));
        taken = end + 1;
        if (line === "done") {
          isDone = true;
        } else if (line) {
          answered.add(line.file);
          this.watcher.onVerdict(line);
        }
      }
    };
    const isLines = (): boolean => (request.getResponseHeader("Content-Type") ?? "").includes("ndjson");
    request.upload.onprogress = (event) => {
      this.open.set(request, Math.min(event.loaded, bytes));
      this.tell();
    };
    request.onprogress = () => {
      if (isLines()) {
        read();
      }
    };
    request.onloadend = () => {
      if (isLines()) {
        read();
      }
      this.open.delete(request);
      this.total.filesDone += this.isCancelled && !isDone ? answered.size : batch.length;
      this.total.bytesDone += bytes;
      if (!this.isCancelled || isDone) {
        this.tellUnanswered(batch, answered, isDone, this.why(request, isLines()));
      }
      this.pump();
    };
    request.open("POST", this.place.address);
    request.setRequestHeader("Accept", "application/x-ndjson");
    request.setRequestHeader("X-CSRFToken", this.place.token);
    this.open.set(request, 0);
    request.send(this.pack(batch));
  }

  private pack(batch: Chosen[]): FormData {
    const form = new FormData();
    form.append("facility", this.place.facility);
    for (const one of batch) {
      form.append("names", one.path);
    }
    for (const one of batch) {
      form.append("files", one.file, one.file.name);
    }
    return form;
  }

  /** Say for the files without a verdict why there is none. */
  private tellUnanswered(batch: Chosen[], answered: Set<number>, isDone: boolean, why: string): void {
    batch.forEach((one, index) => {
      if (answered.has(index)) {
        return;
      }
      if (isDone) {
        this.watcher.onVerdict({ name: one.path, status: "skipped", reason: this.place.words["hollow"] ?? "" });
      } else {
        this.watcher.onVerdict({ name: one.path, status: "failed", reason: why });
      }
    });
  }

  private why(request: XMLHttpRequest, isLines: boolean): string {
    const { words } = this.place;
    if (request.status === 0) {
      return words["lost"] ?? "";
    }
    if (isLines) {
      return words["unanswered"] ?? "";
    }
    try {
      const parsed: unknown = JSON.parse(request.responseText);
      if (typeof parsed === "object" && parsed !== null && "detail" in parsed && typeof parsed.detail === "string") {
        return parsed.detail;
      }
    } catch {
      // A page, not an answer: the session has ended, or a proxy speaks.
    }
    return request.status < 400 || request.status === 401 || request.status === 403
      ? (words["session"] ?? "")
      : (words["unanswered"] ?? "");
  }

  private tell(): void {
    this.watcher.onProgress(this.progress());
  }

  private progress(): Progress {
    const onTheWay = [...this.open.values()].reduce((sum, bytes) => sum + bytes, 0);
    const bytesSent = Math.min(this.total.bytesDone + onTheWay, this.total.bytes);
    return {
      files: this.total.files,
      filesDone: this.total.filesDone,
      bytes: this.total.bytes,
      bytesSent,
      isAllSent: bytesSent >= this.total.bytes,
    };
  }
}

function readLine(text: string): Line | "done" | null {
  try {
    const line = JSON.parse(text) as Partial<Line> & { done?: boolean };
    if (line.done) {
      return "done";
    }
    const { file, name, status, reason } = line;
    return file === undefined || !name || !status ? null : { file, name, status, reason: reason ?? "" };
  } catch {
    return null;
  }
}
