/**
 * Several windows of one reader, on several monitors: they show the same study, know of each other what is
 * shown where, and share the 3D cursor and linked scrolling. The main window leads to the next patient.
 */

import { middleOfPlane } from "../core/planes";
import { readTold, type Told, type WindowNews } from "../io/windows-link";
import { followSlice, planeIn, setCursor } from "../state/links";
import { activePane } from "../state/panes";
import type { Store, ViewerState } from "../state/store";

const PARAMETER = "window";

export class Windows {
  private readonly id = crypto.randomUUID();
  private readonly isMain = !new URLSearchParams(location.search).has(PARAMETER);
  private readonly channel: BroadcastChannel;
  /** What each other window shows, by its id. */
  private readonly others = new Map<string, readonly string[]>();
  private before: ViewerState;
  private isHearing = false;

  constructor(
    private readonly store: Store,
    username: string,
    private readonly onOthers: () => void,
  ) {
    this.before = store.state;
    this.channel = new BroadcastChannel(`noctis-viewer-${username}`);
    this.channel.addEventListener("message", ({ data }: MessageEvent<unknown>) => this.hear(readTold(data)));
    store.subscribe(() => this.tell());
    addEventListener("pagehide", () => this.send({ kind: "bye" }));
    if (this.isMain) {
      this.send({ kind: "study", url: `${location.pathname}${location.search}` });
    }
    this.send({ kind: "asks" });
    this.sendShown();
  }

  /** Opens one more window on this study; the reader moves it to the other monitor. */
  open(): void {
    const url = new URL(location.pathname, location.href);
    url.searchParams.set(PARAMETER, `${this.others.size + 2}`);
    window.open(url, `noctis-${this.others.size + 2}`, "popup");
  }

  /** Whether another window of the reader shows the series. */
  isElsewhere(seriesId: string): boolean {
    return [...this.others.values()].some((series) => series.includes(seriesId));
  }

  /** After every change of this window: what the others should know. */
  private tell(): void {
    const [before, now] = [this.before, this.store.state];
    if (before === now) {
      return;
    }
    this.before = now;
    if (shownIn(before).join() !== shownIn(now).join()) {
      this.sendShown();
    }
    if (this.isHearing || this.others.size === 0) {
      return;
    }
    if (before.cursor !== now.cursor) {
      this.send({ kind: "cursor", lps: now.cursor?.lps ?? null, frameOfReferenceUid: now.cursor?.frameOfReferenceUid ?? "" });
    }
    const [was, is] = [planeIn(before, activePane(before)), planeIn(now, activePane(now))];
    const isMoved = is !== null && before.activePaneId === now.activePaneId && was?.origin.join() !== is.origin.join();
    if (now.links.scroll && isMoved) {
      this.send({ kind: "slice", lps: middleOfPlane(is), normal: is.normal, frameOfReferenceUid: is.frameOfReferenceUid });
    }
  }

  private hear(told: Told | null): void {
    if (told === null || told.from === this.id) {
      return;
    }
    const { news } = told;
    if (news.kind === "study") {
      this.goAlong(told, news.url);
    } else if (told.studyId === this.store.state.study.id) {
      this.isHearing = true;
      this.obey(told);
      this.isHearing = false;
    } else if (this.others.delete(told.from)) {
      this.onOthers();
    }
  }

  private obey({ from, news }: Told): void {
    const { store } = this;
    switch (news.kind) {
      case "asks":
        this.sendShown();
        break;
      case "shows":
        this.others.set(from, news.series);
        this.onOthers();
        break;
      case "bye":
        this.others.delete(from);
        this.onOthers();
        break;
      case "cursor":
        store.change(setCursor(news.lps === null ? null : { lps: news.lps, frameOfReferenceUid: news.frameOfReferenceUid, paneId: "" }));
        break;
      case "slice":
        store.change(followSlice(news));
        break;
      case "study":
        break;
    }
  }

  /** Another window never stays with the patient before; only addresses of the viewer itself are followed. */
  private goAlong(told: Told, url: string): void {
    const target = new URL(url, location.href);
    const isViewer = target.origin === location.origin && /\/viewer\/[0-9a-f-]{36}\/$/.test(target.pathname);
    if (!this.isMain && told.isMain && isViewer && told.studyId !== this.store.state.study.id) {
      target.search = location.search;
      location.assign(target);
    }
  }

  private sendShown(): void {
    this.send({ kind: "shows", series: shownIn(this.store.state) });
  }

  private send(news: WindowNews): void {
    const told: Told = { from: this.id, studyId: this.store.state.study.id, isMain: this.isMain, news };
    this.channel.postMessage(told);
  }
}

function shownIn({ panes }: ViewerState): string[] {
  return panes.map(({ seriesId }) => seriesId).filter((id) => id !== "");
}
