/** The keyboard: one listener for the page, fed from the list of commands. */

import { t } from "../core/text";
import type { Command } from "./viewer-commands";

export function listenToKeys(commands: readonly Command[], close: () => boolean): void {
  const byKey = new Map(commands.flatMap((command) => command.keys.map((key) => [key, command] as const)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) {
      return;
    }
    if (event.key === "Escape" && close()) {
      event.preventDefault();
      return;
    }
    const command = byKey.get(event.key) ?? byKey.get(event.key.toLowerCase());
    if (command !== undefined && !isForControl(event)) {
      event.preventDefault();
      command.run(event.key);
    }
  });
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
  return NAMES[key] ?? (key.length === 1 ? key.toUpperCase() : key);
}
