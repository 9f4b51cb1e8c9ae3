/** The right side: a rail of icons, and at most one panel open beside the pictures. */

import { t } from "../core/text";
import { setOpenPanel, togglePanel } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make, setAttribute } from "./dom";
import type { Command } from "./viewer-commands";
import { keyName } from "./viewer-keys";

export interface SidePanel {
  /** Names the panel in the state, and its element as a class. */
  readonly id: string;
  readonly name: string;
  readonly icon: string;
  readonly key: string;
  readonly root: HTMLElement;
  /** Brings `root` up to the state; called after every change while the panel is open. */
  show(): void;
  /** Called after changes while the panel is closed, for what must let go. */
  rest?(): void;
}

interface Place {
  readonly panel: SidePanel;
  readonly box: HTMLElement;
  readonly button: HTMLButtonElement;
}

export class Side {
  private readonly rail = make("div", { class: "rail", role: "toolbar", "aria-label": t("Panels"), "aria-orientation": "vertical" });
  readonly root = make("div", { class: "side" });
  private readonly places: Place[] = [];

  constructor(private readonly store: Store) {
    this.root.append(this.rail);
  }

  /** Adds a panel with its icon, its key and its line in the help; before the commands are collected. */
  registerPanel(panel: SidePanel): void {
    const title = make("h2", {}, panel.name);
    const close = make("button", { type: "button", class: "tool", "aria-label": t("Close") }, icon("x"));
    close.addEventListener("click", () => this.store.change(setOpenPanel("")));
    const box = make("aside", { class: `side-panel ${panel.id}`, "aria-label": panel.name, hidden: true });
    box.append(make("header", {}, title, close), panel.root);
    const button = make(
      "button",
      {
        type: "button",
        class: "tool",
        "aria-label": panel.name,
        "aria-keyshortcuts": panel.key,
        "data-tip": `${panel.name} · ${keyName(panel.key)}`,
      },
      icon(panel.icon),
    );
    button.addEventListener("click", () => this.store.change(togglePanel(panel.id)));
    this.places.push({ panel, box, button });
    this.rail.append(button);
    this.root.insertBefore(box, this.rail);
  }

  /** Puts further buttons at the lower end of the rail. */
  addBelow(group: HTMLElement): void {
    group.classList.add("rail-below");
    this.rail.append(group);
  }

  /** What the keyboard and the help know of the panels. */
  commands(): Command[] {
    return this.places.map(({ panel }) => ({
      id: `panel-${panel.id}`,
      name: panel.name,
      keys: [panel.key],
      group: "panels",
      run: () => this.store.change(togglePanel(panel.id)),
    }));
  }

  show(): void {
    const { openPanel } = this.store.state;
    for (const { panel, box, button } of this.places) {
      const isOpen = panel.id === openPanel;
      box.hidden = !isOpen;
      setAttribute(button, "aria-pressed", `${isOpen}`);
      if (isOpen) {
        panel.show();
      } else {
        panel.rest?.();
      }
    }
  }
}
