/** Keeps page and server together: what is drawn is sent within a second, what others draw comes in. */

import type { Family, Finding } from "../core/findings";
import { isDirty, isSame, type Entry, type FindingStore, type Saved } from "../state/findings";
import { FindingError, type FindingApi } from "./finding-api";

/** A moment after the last change, and never longer than `MOST_MS` after the first. */
const PAUSE_MS = 200;
const MOST_MS = 600;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 20_000;

/** What the stream of events says of a mark. */
export interface MarkNews {
  readonly studyId: string;
  readonly family: Family;
  readonly id: string;
  readonly version: number;
  readonly isGone: boolean;
}

export class FindingSync {
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly dirtySince = new Map<string, number>();
  private readonly sending = new Set<string>();
  private readonly unsure = new Set<string>();
  /** What this page has deleted, so that undo brings the same one back. */
  private readonly graves = new Map<string, { readonly family: Family; readonly id: string }>();
  private readonly heard = new Map<string, MarkNews>();
  private retryMs = FIRST_RETRY_MS;
  private readonly studies = new Set<string>();

  constructor(
    private readonly store: FindingStore,
    private readonly api: FindingApi,
    private readonly username: string,
  ) {
    store.subscribe(() => this.follow());
  }

  /** Reads the marks of a study that is on the page for the first time. */
  open(studyId: string): void {
    if (!this.studies.has(studyId)) {
      this.studies.add(studyId);
      void this.load(studyId);
    }
  }

  /** Reads everything again. */
  reload(): void {
    this.studies.forEach((studyId) => void this.load(studyId));
  }

  /** What the reader has drawn meanwhile stays. Tries again until it is there. */
  async load(studyId: string): Promise<void> {
    this.studies.add(studyId);
    try {
      const { findings, layers } = await this.api.readAll(studyId);
      const there = new Set(findings.map(({ id }) => id));
      for (const { key, saved } of this.store.all()) {
        const isOfStudy = saved?.studyId === studyId && saved.origin === "";
        if (isOfStudy && !there.has(saved.id) && !this.sending.has(key)) {
          this.store.contest(key, null);
        }
      }
      findings.forEach((saved) => this.take(saved));
      this.store.setLayers(layers, studyId);
      (await this.api.readStored(studyId)).forEach((saved) => this.take(saved));
    } catch (error) {
      if (!(error instanceof FindingError) || error.failure === "away") {
        setTimeout(() => void this.load(studyId), this.backOff());
      }
    }
  }

  /** Sends what waits now: the page is being left, or the reader asks to try again. */
  flush(): void {
    for (const entry of this.store.all()) {
      if (isDirty(entry) && entry.state !== "conflict" && !this.sending.has(entry.key)) {
        this.sendNow(entry.key);
      }
    }
  }

  hear(news: MarkNews): void {
    if (!this.studies.has(news.studyId)) {
      return;
    }
    const key = this.store.keyOf(news.id);
    const entry = key === undefined ? undefined : this.store.entry(key);
    if (this.sending.size > 0) {
      // It may be the echo of what is being sent: that answer comes first.
      this.heard.set(news.id, news);
    } else if (news.isGone) {
      if (key !== undefined) {
        this.store.contest(key, null);
      }
    } else if (entry?.saved === undefined || (entry.saved?.version ?? 0) < news.version) {
      void this.fetch(news);
    }
  }

  private async fetch({ family, id }: MarkNews): Promise<void> {
    try {
      this.take(await this.api.read(family, id));
    } catch {
      // Deleted again, or the connection is gone: the news of that, or the next load, tells.
    }
  }

  private take(saved: Saved): void {
    const key = this.store.keyOf(saved.id) ?? saved.content.key;
    const entry = this.store.entry(key);
    if (this.sending.has(key) || (entry?.saved?.version ?? 0) >= saved.version) {
      return;
    }
    const named = withKey(saved, key);
    if (entry !== undefined && isDirty(entry)) {
      this.store.contest(key, named);
    } else {
      this.store.adopt(key, named);
    }
  }

  private follow(): void {
    for (const entry of this.store.all()) {
      const { key, state } = entry;
      if (state === "waiting" && !this.sending.has(key) && key !== this.store.heldKey) {
        this.sendSoon(key);
      }
    }
  }

  private sendSoon(key: string): void {
    const since = this.dirtySince.get(key) ?? Date.now();
    this.dirtySince.set(key, since);
    clearTimeout(this.timers.get(key));
    const pause = Math.max(0, Math.min(PAUSE_MS, since + MOST_MS - Date.now()));
    this.timers.set(key, setTimeout(() => this.sendNow(key), pause));
  }

  private sendNow(key: string): void {
    clearTimeout(this.timers.get(key));
    this.timers.delete(key);
    this.dirtySince.delete(key);
    const entry = this.store.entry(key);
    if (entry === undefined || !isDirty(entry) || this.sending.has(key) || key === this.store.heldKey) {
      return;
    }
    if (entry.state === "conflict") {
      // Nothing is written over somebody else's before the reader has chosen.
      return;
    }
    this.sending.add(key);
    this.store.mark(key, "sending");
    void this.send(entry).finally(() => {
      this.sending.delete(key);
      this.follow();
      this.hearWaiting();
    });
  }

  private hearWaiting(): void {
    if (this.sending.size === 0) {
      const waiting = [...this.heard.values()];
      this.heard.clear();
      waiting.forEach((news) => this.hear(news));
    }
  }

  private async send(entry: Entry): Promise<void> {
    const { key, local } = entry;
    try {
      const saved = await this.write(entry);
      this.retryMs = FIRST_RETRY_MS;
      this.unsure.delete(key);
      this.store.adopt(key, saved === null ? null : withKey(saved, key), local);
    } catch (error) {
      this.failed(entry, error instanceof FindingError ? error : new FindingError("away", ""));
    }
  }

  private async write({ key, local, saved }: Entry): Promise<Saved | null> {
    if (local === null) {
      if (saved !== null) {
        await this.api.remove(saved);
        this.graves.set(key, { family: saved.content.family, id: saved.id });
      }
      return null;
    }
    if (saved !== null) {
      return this.api.change(saved, local);
    }
    const grave = this.graves.get(key);
    if (grave !== undefined) {
      const back = await this.api.restore(grave.family, grave.id);
      this.graves.delete(key);
      return isSame(back.content, local) ? back : this.api.change(back, local);
    }
    return (await this.findSent(key, local)) ?? (await this.api.create(local));
  }

  private async findSent(key: string, local: Finding): Promise<Saved | null> {
    if (!this.unsure.has(key)) {
      return null;
    }
    const known = new Set(this.store.all().map(({ saved }) => saved?.id ?? ""));
    return this.api.findLike(local, this.username, known);
  }

  private failed({ key, local, saved }: Entry, { failure, message, current }: FindingError): void {
    if (failure === "away") {
      if (saved === null) {
        this.unsure.add(key);
      }
      this.store.mark(key, "away", message);
      this.timers.set(key, setTimeout(() => this.sendNow(key), this.backOff()));
    } else if (failure === "conflict") {
      this.store.mark(key, "waiting");
      this.store.contest(key, current === null ? null : withKey(current, key));
    } else if (failure === "missing" && (local === null || this.graves.delete(key))) {
      // Deleted already; or what undo wanted back cannot come back: it is made anew.
      this.store.adopt(key, null, null);
    } else if (failure === "missing" && saved !== null) {
      this.store.mark(key, "waiting");
      this.store.contest(key, null);
    } else {
      this.store.mark(key, "refused", message);
    }
  }

  private backOff(): number {
    const pause = this.retryMs;
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
    return pause;
  }
}

/** The page's own name for it stays, whatever the server calls it. */
function withKey(saved: Saved, key: string): Saved {
  return { ...saved, content: { ...saved.content, key } };
}
