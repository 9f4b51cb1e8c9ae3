/** Puts the reader's settings in force: in the state, and on the page's own look. */

import type { Preferences } from "../core/preferences";
import type { ViewerPage } from "../io/api";
import { settingsStore } from "../io/settings";
import { setPreferences } from "../state/changes";
import { SettingsKeeper } from "../state/settings";
import type { Store } from "../state/store";

export function keepSettings(page: ViewerPage, store: Store, root: HTMLElement): SettingsKeeper {
  const keeper = new SettingsKeeper(page.preferences, settingsStore(page.person.csrfToken), () => {
    dress(root, keeper.preferences);
    store.change(setPreferences(keeper.preferences));
    store.announce();
  });
  dress(root, page.preferences);
  return keeper;
}

function dress(root: HTMLElement, { marks, isCompact }: Preferences): void {
  document.body.classList.toggle("is-compact", isCompact);
  const set = (name: string, value: string | null): void =>
    value === null ? void root.style.removeProperty(name) : root.style.setProperty(name, value);
  set("--mark-text", marks.textPx === null ? null : `${marks.textPx}px`);
  set("--mark-line", marks.linePx === null ? null : `${marks.linePx}`);
}
