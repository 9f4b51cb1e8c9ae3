/** The tools for findings in the tool row: the common ones, a menu of the others, and what is saved. */

import { t } from "../core/text";
import type { FindingStore } from "../state/findings";
import type { ViewerState } from "../state/store";
import { icon, make, setAttribute, setIcon, setText } from "./dom";
import type { Command } from "./viewer-commands";
import { keyName } from "./viewer-keys";
import { ROW_COUNT, type MeasureTool } from "./viewer-measure-commands";
import { keepPlaced, placeSheet, stepInMenu } from "./viewer-popover";
import { leaving } from "./viewer-tool-row";

export class MeasureBar {
  private readonly menu = make("div", { class: "measure-menu", role: "menu", hidden: true });
  private readonly more = make(
    "button",
    { type: "button", class: "tool", "aria-label": t("More tools"), "aria-haspopup": "menu", "data-tip": t("More tools") },
    icon("chevron-down"),
  );
  private readonly stateWords = make("span");
  private readonly state = make("button", { type: "button", class: "saving" }, icon("check"), this.stateWords);
  readonly root = make("div", { class: "tools-group measure-bar", role: "group", "aria-label": t("Measure") });
  private readonly buttons = new Map<MeasureTool, HTMLElement>();
  private readonly inMenu: readonly MeasureTool[];

  constructor(
    private readonly findings: FindingStore,
    select: MeasureTool,
    tools: readonly MeasureTool[],
    actions: readonly Command[],
    onState: () => void,
  ) {
    const row = [select, ...tools.slice(0, ROW_COUNT)];
    this.inMenu = tools.slice(ROW_COUNT);
    row.forEach((one) => this.root.append(leaving(this.toolButton(one), one.command.id)));
    this.menu.append(...this.inMenu.map((one) => this.menuItem(one.command, one)));
    this.menu.append(make("hr"), ...actions.filter((one) => one.icon !== undefined).map((one) => this.menuItem(one)));
    this.root.append(make("div", { class: "measure-more" }, this.more, this.menu), make("div", { role: "status" }, this.state));
    keepPlaced(this.menu, this.more);
    this.more.addEventListener("click", () => this.open(this.menu.hasAttribute("hidden")));
    this.root.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("pointerdown", (event) => {
      if (!(event.target instanceof Node && this.root.contains(event.target))) {
        this.open(false);
      }
    });
    this.state.addEventListener("click", onState);
  }

  show(state: ViewerState): void {
    for (const [{ tool }, button] of this.buttons) {
      setAttribute(button, button.role === "menuitemradio" ? "aria-checked" : "aria-pressed", `${state.tool === tool}`);
    }
    const chosen = this.inMenu.find(({ tool }) => tool === state.tool);
    setAttribute(this.more, "aria-pressed", `${chosen !== undefined}`);
    setIcon(this.more.firstElementChild as SVGSVGElement, chosen?.command.icon ?? "chevron-down");
    this.showSaving();
  }

  private toolButton(one: MeasureTool): HTMLElement {
    const { name, keys, icon: picture = "square", run } = one.command;
    const button = make(
      "button",
      {
        type: "button",
        class: "tool",
        "aria-label": name,
        "aria-keyshortcuts": keys[0],
        "data-tip": `${name} · ${keysOf(one.command)}`,
      },
      icon(picture),
    );
    button.addEventListener("click", () => run());
    this.buttons.set(one, button);
    return button;
  }

  private menuItem(command: Command, tool?: MeasureTool): HTMLElement {
    const item = make(
      "button",
      { type: "button", class: "measure-item", role: tool === undefined ? "menuitem" : "menuitemradio" },
      icon(command.icon ?? "square"),
      make("span", {}, command.name),
      make("kbd", {}, keysOf(command)),
    );
    item.addEventListener("click", () => {
      this.open(false);
      if (command.canRun?.() !== false) {
        command.run();
      }
    });
    if (tool !== undefined) {
      this.buttons.set(tool, item);
    }
    return item;
  }

  private open(isOpen: boolean): void {
    if (this.menu.hidden === isOpen) {
      this.menu.hidden = !isOpen;
      setAttribute(this.more, "aria-expanded", `${isOpen}`);
      if (isOpen) {
        placeSheet(this.menu, this.more);
        this.menu.querySelector("button")?.focus();
      }
    }
  }

  private key(event: KeyboardEvent): void {
    if (this.menu.hidden) {
      return;
    }
    if (event.key === "Escape") {
      this.open(false);
      this.more.focus();
    } else if (!stepInMenu(this.menu, event.key)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** A mark while all is well, words when something is not on the server. */
  private showSaving(): void {
    const states = this.findings.all().map(({ state }) => state);
    const count = (...names: string[]): number => states.filter((state) => names.includes(state)).length;
    const [unsaved, disputed, busy] = [count("away", "refused"), count("conflict"), count("waiting", "sending")];
    const kind = unsaved > 0 ? "unsaved" : disputed > 0 ? "disputed" : busy > 0 ? "busy" : "saved";
    const words: Readonly<Record<string, string>> = {
      unsaved: t("{count} not saved", { count: unsaved }),
      disputed: t("Changed by somebody else"),
      busy: t("Saving"),
      saved: t("Saved"),
    };
    this.state.hidden = states.length === 0;
    setAttribute(this.state, "data-state", kind);
    setAttribute(this.state, "title", words[kind]);
    setIcon(this.state.firstElementChild as SVGSVGElement, kind === "saved" ? "check" : kind === "busy" ? "loader-circle" : "triangle-alert");
    setText(this.stateWords, words[kind] ?? "");
  }
}

export function keysOf({ keys, shownKeys }: Command): string {
  return (shownKeys ?? keys.slice(0, 1).map((key) => keyName(key))).join(" ");
}
