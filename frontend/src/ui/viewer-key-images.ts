/** Key images: one press makes the picture on the screen one; the panel lists them, leads to them, takes notes. */

import { keyImageOf, ownOf, type KeyImage } from "../core/key-images";
import type { Named } from "../core/stored-objects";
import { t } from "../core/text";
import type { ViewerPage } from "../io/api";
import { KeyImageApi } from "../io/key-images";
import { StackError } from "../io/stack";
import { activeImage } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make } from "./dom";
import type { Command } from "./viewer-commands";
import type { SidePanel } from "./viewer-side";

const MOST_LETTERS = 1000;

interface Ways {
  readonly open: (named: Named) => void;
  readonly say: (words: string) => void;
}

export class KeyImagesOnPage {
  readonly panel: SidePanel;
  readonly commands: readonly Command[];
  private readonly api: KeyImageApi;
  private readonly body = make("div", { class: "key-images-body" });
  private readonly mayMark: boolean;
  private drawn: unknown = null;

  constructor(
    page: ViewerPage,
    private readonly store: Store,
    private readonly ways: Ways,
  ) {
    this.mayMark = page.person.mayMeasure;
    this.api = new KeyImageApi(page.apiUrl, page.study.id, page.person.csrfToken);
    this.panel = { id: "key-images", name: t("Key images"), icon: "flag", key: '"', root: this.body, show: () => this.show() };
    const toggle: Command = {
      id: "key-image",
      name: t("Make or unmake a key image"),
      keys: ["&"],
      group: "picture",
      icon: "flag",
      isInMenu: true,
      canRun: () => this.mayMark,
      isOn: (state) => keyImageOf(ownOf(state.keyImages), activeImage(state)) !== undefined,
      run: () => this.toggle(),
    };
    this.commands = this.mayMark ? [toggle] : [];
  }

  /** Reads them, at first and when somebody has changed one. */
  async load(): Promise<void> {
    try {
      const own = await this.api.read();
      this.store.change((state) => ({ ...state, keyImages: [...own, ...state.keyImages.filter(({ selection }) => selection !== undefined)] }));
    } catch {
      // The list stays as it is; the next news or change reads it again.
    }
  }

  private toggle(): void {
    const { state } = this.store;
    const facts = activeImage(state);
    const there = keyImageOf(ownOf(state.keyImages), facts);
    if (facts === undefined || facts.reformatted !== undefined || !state.series.some(({ id, studyId }) => this.isOfStudy(id, studyId))) {
      this.ways.say(t("Only an image of this study can be a key image."));
    } else {
      void this.send(there === undefined ? this.api.add(facts) : this.api.remove(there));
    }
  }

  /** Priors have key images of their own study. */
  private isOfStudy(id: string, studyId: string): boolean {
    const { state } = this.store;
    const pane = state.panes.find((one) => one.id === state.activePaneId);
    return pane?.seriesId === id && (studyId === "" || studyId === state.study.id);
  }

  private async send(change: Promise<void>): Promise<void> {
    try {
      await change;
    } catch (error) {
      this.ways.say((error instanceof StackError && error.message) || t("The key image could not be saved."));
    }
    await this.load();
  }

  private show(): void {
    const { keyImages } = this.store.state;
    const isTyping = this.body.contains(document.activeElement) && document.activeElement instanceof HTMLTextAreaElement;
    if (keyImages === this.drawn || isTyping) {
      return;
    }
    this.drawn = keyImages;
    const none = make("p", { class: "object-note" }, t("This study has no key images."));
    this.body.replaceChildren(keyImages.length === 0 ? none : make("ul", { class: "objects-list" }, ...keyImages.map((one) => this.rowOf(one))));
  }

  private rowOf(one: KeyImage): HTMLElement {
    const { seriesId, instanceId, frame, seriesNumber, instanceNumber, selection } = one;
    const words = selection?.words ?? t("Series {series}, image {image}", { series: seriesNumber ?? "–", image: instanceNumber ?? "–" });
    const isNamed = frame !== null && frame > 0 && selection === undefined;
    const jump = make("button", { type: "button", class: "button key-image-jump" }, isNamed ? `${words} / ${frame + 1}` : words);
    jump.addEventListener("click", () => this.ways.open({ instanceId, seriesId, studyId: "", words, frames: frame === null ? [] : [frame] }));
    const row = make("li", {}, jump);
    if (selection !== undefined) {
      row.append(make("p", { class: "object-note", dir: "auto" }, [selection.title, one.note].filter(Boolean).join(" · ")));
      return row;
    }
    if (!this.mayMark) {
      row.append(make("p", { class: "object-note", dir: "auto" }, one.note));
      return row;
    }
    const note = make("textarea", { class: "entry", rows: "2", maxlength: `${MOST_LETTERS}`, "aria-label": t("Note"), placeholder: t("Note"), dir: "auto" });
    note.value = one.note;
    note.addEventListener("change", () => void this.send(this.api.note(one, note.value)));
    const remove = make("button", { type: "button", class: "tool", "aria-label": t("No key image any more"), title: t("No key image any more") }, icon("trash-2"));
    remove.addEventListener("click", () => void this.send(this.api.remove(one)));
    row.append(remove, note);
    return row;
  }
}
