/** What the panes do together: a sheet with one box for each link. */

import { t } from "../core/text";
import { setLinks } from "../state/links";
import type { LinkName, Store } from "../state/store";
import { make, setAttribute } from "./dom";
import { keyName } from "./viewer-keys";
import { Popover } from "./viewer-popover";

/** Each link with its key. */
export function linkNames(): readonly (readonly [LinkName, string, string])[] {
  return [
    ["scroll", t("Scroll together, by place"), "Y"],
    ["window", t("Same window"), "V"],
    ["zoom", t("Same zoom and place"), "Z"],
    ["lines", t("Reference lines"), "I"],
  ];
}

export class LinkMenu {
  private readonly popover = new Popover(t("Links between panes"), t("Links between panes"), "link", () => this.focus());
  private readonly boxes = new Map<LinkName, HTMLInputElement>();
  readonly root = this.popover.root;

  constructor(private readonly store: Store) {
    for (const [name, words, key] of linkNames()) {
      const box = make("input", { type: "checkbox" });
      box.addEventListener("change", () => store.change(setLinks({ [name]: box.checked })));
      this.boxes.set(name, box);
      const shown = keyName(key);
      this.popover.sheet.append(make("label", { class: "link-row" }, box, make("span", {}, words), make("kbd", {}, shown)));
    }
    const note = t("Panes with different frames of reference scroll by a fixed offset, and say so.");
    this.popover.sheet.append(make("p", { class: "link-note" }, note));
  }

  show(): void {
    const { links, panes } = this.store.state;
    this.boxes.forEach((box, name) => {
      box.checked = links[name];
    });
    const isLinked = panes.length > 1 && (links.scroll || links.window || links.zoom);
    setAttribute(this.popover.button, "aria-pressed", `${isLinked}`);
  }

  private focus(): void {
    this.boxes.get("scroll")?.focus();
  }
}
