/**
 * Contents of panes that are no pictures: whoever makes one registers it under its kind, and a pane that
 * shows this kind mounts it in the picture's place. The pane's chrome stays: banner, corner, outline.
 */

import { t } from "../core/text";
import type { PaneShows } from "../state/store";
import { make } from "./dom";
import type { PaneHouse, ViewerPane } from "./viewer-pane";

/** Kinds that have no picture of their own. */
export type ContentKind = Exclude<PaneShows, "stack" | "plane" | "curved" | "section">;

export interface PaneContent {
  readonly root: HTMLElement;
  /** After every change of the state: fetch what is wanted. */
  follow(): void;
  /** Once a frame after changes. */
  draw(): void;
  /** Gives everything back; `root` is taken off the page by the pane. */
  dispose(): void;
}

/** May be lazily imported; meanwhile the pane says that it loads. */
export type ContentMaker = (pane: ViewerPane, house: PaneHouse) => PaneContent | Promise<PaneContent>;

const makers = new Map<PaneShows, ContentMaker>();

/** Before the page starts; a pane whose kind nobody makes shows the stack. */
export function registerContent(kind: ContentKind, maker: ContentMaker): void {
  makers.set(kind, maker);
}

/** Whether something else stands in the picture's place. */
export function isContent(shows: PaneShows): boolean {
  return makers.has(shows);
}

/** What one pane has mounted at the moment. */
export class ContentHost {
  readonly root = make("div", { class: "pane-content", hidden: true });
  private kind: PaneShows = "stack";
  private content: PaneContent | null = null;
  /** Words instead of a content that could not be loaded. */
  failure = "";

  constructor(
    private readonly pane: ViewerPane,
    private readonly house: PaneHouse,
  ) {}

  get isLoading(): boolean {
    return isContent(this.kind) && this.content === null && this.failure === "";
  }

  /** Mounts what the pane is to show. */
  follow(shows: PaneShows): void {
    if (shows !== this.kind) {
      this.dispose();
      this.kind = shows;
      const maker = makers.get(shows);
      if (maker !== undefined) {
        void this.mount(shows, maker);
      }
    }
    this.root.hidden = this.content === null;
    this.content?.follow();
  }

  draw(): void {
    this.content?.draw();
  }

  dispose(): void {
    this.content?.dispose();
    this.content?.root.remove();
    this.content = null;
    this.kind = "stack";
    this.failure = "";
  }

  private async mount(kind: PaneShows, maker: ContentMaker): Promise<void> {
    try {
      const made = maker(this.pane, this.house);
      const content = made instanceof Promise ? await made : made;
      if (this.kind !== kind || this.content !== null) {
        content.dispose();
        return;
      }
      this.content = content;
      this.root.replaceChildren(content.root);
    } catch (error) {
      console.warn("A pane's content could not be made.", error);
      this.failure = this.kind === kind ? t("This view could not be loaded.") : "";
    }
    // Not within the change that is told just now.
    queueMicrotask(() => this.house.store.announce());
  }
}
