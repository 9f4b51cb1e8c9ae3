/** Where a dragged series is let go to lie over a pane's pictures, or the words why it cannot. */

import { t } from "../core/text";
import { fuse } from "../state/fusion";
import { paneOf } from "../state/panes";
import type { Store } from "../state/store";
import { make, setText } from "./dom";
import { fuseWords } from "./viewer-fusion-words";
import type { ViewerPane } from "./viewer-pane";
import { loadStack } from "./viewer-stacks";

export class FuseDrop {
  private readonly root = make("div", { class: "fuse-drop", hidden: true });

  constructor(
    private readonly store: Store,
    private readonly say: (words: string) => void,
  ) {}

  /** While a series is carried: offers the pane under the pointer. */
  offer(pane: ViewerPane | undefined, seriesId: string): void {
    const words = pane === undefined ? null : this.wordsFor(pane.id, seriesId);
    this.root.hidden = words === null;
    if (pane === undefined || words === null) {
      this.root.remove();
      return;
    }
    setText(this.root, words === "" ? t("Drop here to fuse") : words);
    this.root.classList.toggle("is-refused", words !== "");
    if (this.root.parentElement !== pane.root) {
      pane.root.append(this.root);
    }
  }

  /** Whether the pointer is over the offer. */
  holds(clientX: number, clientY: number): boolean {
    return !this.root.hidden && document.elementsFromPoint(clientX, clientY).includes(this.root);
  }

  end(): void {
    this.root.remove();
    this.root.hidden = true;
  }

  /** Lays the series over the pane, or says why that cannot be. */
  put(seriesId: string, paneId: string): void {
    const words = this.wordsFor(paneId, seriesId);
    if (words === "") {
      this.store.change(fuse(paneId, seriesId));
    } else {
      this.say(words ?? t("The series is still loading; try again in a moment."));
    }
  }

  /** Empty: it can be fused. null: that is not known yet, or it is the pane's own series. */
  private wordsFor(paneId: string, seriesId: string): string | null {
    const { state } = this.store;
    const pane = paneOf(state, paneId);
    const series = state.series.find(({ id }) => id === seriesId);
    if (pane === undefined || series === undefined || pane.seriesId === seriesId || pane.seriesId === "") {
      return null;
    }
    if (!state.stacks.has(seriesId) && series.displayable) {
      void loadStack(this.store, seriesId);
    }
    return fuseWords(state, pane, series);
  }
}
