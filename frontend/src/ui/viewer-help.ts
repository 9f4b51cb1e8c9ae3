/** All keys and mouse ways, in a panel over the stage. */

import { t } from "../core/text";
import { setHelpOpen } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make } from "./dom";
import type { Command } from "./viewer-commands";
import { toolName } from "./viewer-settings";
import { keyName } from "./viewer-keys";

export class Help {
  readonly root = make("section", { class: "help", hidden: true, tabindex: "-1" });
  private readonly body = make("div", { class: "help-body" });
  /** The keys may have been changed since the last time. */
  private readonly fill: () => void;
  private returnTo: Element | null = null;

  constructor(
    private readonly store: Store,
    commands: readonly Command[],
  ) {
    const close = make("button", { type: "button", class: "tool", "aria-label": t("Close") }, icon("x"));
    close.addEventListener("click", () => store.change(setHelpOpen(false)));
    const title = make("h2", { id: "help-title" }, t("Keys and mouse"));
    this.root.setAttribute("aria-labelledby", title.id);
    const groups: readonly (readonly [Command["group"], string])[] = [
      ["tools", t("Left button")],
      ["measure", t("Measure")],
      ["picture", t("Picture")],
      ["stack", t("Images and series")],
      ["window", t("Window")],
      ["volume", t("Volume")],
      ["panes", t("Panes")],
      ["panels", t("Panels")],
      ["page", t("Page")],
    ];
    this.fill = () => {
      const parts = groups.map(([group, name]) => listOf(name, commandRows(commands, group)));
      this.body.replaceChildren(listOf(t("Mouse and touch"), mouseRows(store)), ...parts);
    };
    this.root.append(make("header", {}, title, close), this.body);
  }

  show(): void {
    const { isHelpOpen } = this.store.state;
    if (isHelpOpen === !this.root.hidden) {
      return;
    }
    this.root.hidden = !isHelpOpen;
    if (isHelpOpen) {
      this.fill();
      this.returnTo = document.activeElement;
      this.root.focus();
    } else if (this.returnTo instanceof HTMLElement) {
      this.returnTo.focus();
    }
  }
}

type Row = readonly [string, readonly string[]];

function listOf(name: string, rows: readonly Row[]): HTMLElement {
  const list = make("dl");
  for (const [words, keys] of rows) {
    list.append(make("div", {}, make("dt", {}, words), make("dd", {}, ...keys.map((key) => make("kbd", {}, key)))));
  }
  return make("section", {}, make("h3", {}, name), list);
}

function commandRows(commands: readonly Command[], group: Command["group"]): Row[] {
  return commands
    .filter((command) => command.group === group && command.keys.length > 0)
    .map(({ name, keys, shownKeys }) => [name, shownKeys ?? keys.slice(0, 2).map((key) => keyName(key))] as const);
}

function mouseRows({ state }: Store): Row[] {
  const { mouse } = state.preferences;
  const isZooming = mouse.wheel === "zoom";
  return [
    [isZooming ? t("Zoom") : t("Scroll"), [t("Wheel")]],
    [isZooming ? t("Scroll") : t("Zoom"), [t("Ctrl + wheel")]],
    [t("Chosen tool"), [t("Left button")]],
    [toolName(mouse.middle), [t("Middle button")]],
    [toolName(mouse.right), [t("Right button")]],
    [t("Chosen tool"), [t("One finger")]],
    [t("Zoom and pan"), [t("Two fingers")]],
    [t("Window and level"), [t("Three fingers")]],
  ];
}
