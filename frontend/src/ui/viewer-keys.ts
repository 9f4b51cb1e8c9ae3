/** The keyboard: one listener for the page, fed from the list of commands. */

import { t } from "../core/text";
import type { SettingsKeeper } from "../state/settings";
import type { Command } from "./viewer-commands";

/** The same commands, whose keys are at any moment those that the reader has chosen. */
export function withOwnKeys(commands: readonly Command[], settings: SettingsKeeper): readonly Command[] {
  settings.learn(new Map(commands.map(({ id, keys }) => [id, keys] as const)));
  return commands.map((command) => {
    const house = command.keys;
    const own = Object.create(command, {
      keys: { get: () => settings.keys().get(command.id) ?? house },
      shownKeys: { get: () => (settings.keys().get(command.id) === house ? command.shownKeys : undefined) },
    }) as Command;
    return own;
  });
}

export function listenToKeys(commands: readonly Command[], close: () => boolean): void {
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.defaultPrevented || isTyping(event)) {
      return;
    }
    const byKey = new Map(commands.flatMap((command) => command.keys.map((key) => [key, command] as const)));
    if (event.key === "Escape" && close()) {
      event.preventDefault();
      return;
    }
    const command = hasControl(event)
      ? byKey.get(combinationOf(event))
      : (byKey.get(event.key) ?? byKey.get(event.key.toLowerCase()));
    if (command !== undefined && !isForControl(event) && command.canRun?.() !== false) {
      event.preventDefault();
      command.run(event.key);
    }
  });
}

function hasControl({ ctrlKey, metaKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey;
}

/** As commands name it: Ctrl+z, Ctrl+Shift+z; the command key of a Mac counts as Ctrl. */
function combinationOf({ key, shiftKey }: KeyboardEvent): string {
  return `Ctrl+${shiftKey ? "Shift+" : ""}${key.length === 1 ? key.toLowerCase() : key}`;
}

function isTyping({ target }: KeyboardEvent): boolean {
  if (target instanceof HTMLInputElement) {
    return target.type !== "range" && target.type !== "checkbox";
  }
  return target instanceof HTMLSelectElement || target instanceof HTMLTextAreaElement;
}

/** Space and Enter belong to a button or link that has the focus. */
function isForControl({ key, target }: KeyboardEvent): boolean {
  const isPress = key === " " || key === "Enter";
  return isPress && (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement);
}

const NAMES: Readonly<Record<string, string>> = {
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
  PageDown: "PgDn",
  PageUp: "PgUp",
};

export function keyName(key: string): string {
  if (key === " ") {
    return t("Space");
  }
  if (key.startsWith("Ctrl+")) {
    return key.split("+").map((part) => keyName(part)).join(" ");
  }
  if (key.length === 1 && key !== key.toLowerCase()) {
    return `${t("Shift")} ${key}`;
  }
  return NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}
