/** The keys of all commands, each changed by pressing the new one. */

import { t } from "../core/text";
import type { SettingsKeeper } from "../state/settings";
import { make, setText } from "./dom";
import type { Command } from "./viewer-commands";
import { keyName } from "./viewer-keys";

const KEPT_KEYS = new Set(["Escape", "Tab", "Enter", "Shift", "Control", "Alt", "Meta", "Dead", "Unidentified"]);

const MOST_KEYS = 4;

export class KeyEditor {
  private readonly note = make("p", { class: "settings-note", role: "status" });
  private readonly list = make("div");
  readonly root = make("div", {}, this.note, this.list);
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private waiting = "";

  constructor(
    private readonly keeper: SettingsKeeper,
    private readonly all: () => readonly Command[],
  ) {}

  /** A command that reads which of its keys was pressed keeps them. */
  private commands(): readonly Command[] {
    return this.all().filter(({ keys }) => keys.length <= MOST_KEYS);
  }

  show(): void {
    const keys = this.keeper.keys();
    const commands = this.commands();
    if (this.buttons.size !== commands.length) {
      this.buttons.clear();
      this.list.replaceChildren(...commands.map((command) => this.row(command)));
    }
    for (const { id } of commands) {
      const own = keys.get(id) ?? [];
      const words = this.waiting === id ? t("Press a key") : own.map((key) => keyName(key)).join(", ") || t("none");
      setText(this.buttons.get(id) as HTMLButtonElement, words);
    }
  }

  private row({ id, name }: Command): HTMLElement {
    const button = make("button", { type: "button", class: "button settings-key", id: `settings-key-${id}` });
    button.setAttribute("aria-label", t("Key of: {name}", { name }));
    button.addEventListener("click", () => {
      this.waiting = this.waiting === id ? "" : id;
      setText(this.note, this.waiting === "" ? "" : t("Press the new key; Escape keeps the old one, Backspace takes it away."));
      this.show();
    });
    button.addEventListener("keydown", (event) => this.take(event, id));
    button.addEventListener("blur", () => this.end(id));
    this.buttons.set(id, button);
    return make("div", { class: "settings-row" }, make("span", {}, name), button);
  }

  private take(event: KeyboardEvent, id: string): void {
    if (this.waiting !== id) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Escape") {
      this.end(id);
    } else if (event.key === "Backspace") {
      this.give(id, []);
    } else if (!KEPT_KEYS.has(event.key) && !event.ctrlKey && !event.altKey && !event.metaKey) {
      this.give(id, [event.key]);
    }
  }

  private give(id: string, keys: readonly string[]): void {
    this.waiting = "";
    const names = new Map(this.commands().map((command) => [command.id, command.name] as const));
    const losers = [...this.keeper.keys()].filter(([other, held]) => other !== id && held.some((key) => keys.includes(key)));
    const own = { ...this.keeper.preferences.keys, [id]: keys };
    for (const [other, held] of losers) {
      own[other] = held.filter((key) => !keys.includes(key));
    }
    const lost = losers.map(([other]) => names.get(other) ?? other).join(", ");
    setText(this.note, lost === "" ? "" : t("The key was taken from: {names}", { names: lost }));
    this.keeper.change({ keys: own });
    this.show();
  }

  private end(id: string): void {
    if (this.waiting === id) {
      this.waiting = "";
      setText(this.note, "");
      this.show();
    }
  }
}
