/** Sends changed settings to the server. */

import type { Preferences } from "../core/preferences";
import type { SettingsStore } from "../state/settings";
import { readProblem } from "./api";
import { readPreferences } from "./preferences";
import { asObject, type Json } from "./read";

const ADDRESS = "/api/v1/preferences/";

/** The settings could not be kept; the message says why, in the server's words when it had some. */
export class PreferencesError extends Error {
  constructor(
    message: string,
    readonly isOutdated: boolean,
  ) {
    super(message);
  }
}

async function fetchPreferences(): Promise<Preferences> {
  const response = await fetch(ADDRESS, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!response.ok) {
    throw new PreferencesError(await readProblem(response), false);
  }
  return readPreferences(asObject((await response.json()) as Json));
}

/** Replaces the settings on the server; the answer has the new version. */
async function savePreferences(wish: Preferences, csrfToken: string): Promise<Preferences> {
  const response = await fetch(ADDRESS, {
    method: "PUT",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": csrfToken },
    body: JSON.stringify({ version: wish.version, document: documentOf(wish) }),
  });
  if (!response.ok) {
    throw new PreferencesError(await readProblem(response), response.status === 409);
  }
  return readPreferences(asObject((await response.json()) as Json));
}

/** The server's side of the settings, for `state/settings.ts`. */
export function settingsStore(csrfToken: string): SettingsStore {
  return {
    save: (wish) => savePreferences(wish, csrfToken),
    renew: (error) => (error instanceof PreferencesError && error.isOutdated ? fetchPreferences() : null),
  };
}

/** As the server keeps them: what is as the house has it by saying nothing is left out. */
export function documentOf({ keys, mouse, presets, corners, marks, framesPerSecond, loops, smooth, isCompact }: Preferences): object {
  return {
    keys,
    mouse: {
      ...(mouse.left === null ? {} : { left: mouse.left }),
      middle: mouse.middle,
      right: mouse.right,
      wheel: mouse.wheel,
      is_wheel_reversed: mouse.isWheelReversed,
    },
    presets,
    corners,
    marks: {
      ...(marks.colour === null ? {} : { colour: marks.colour }),
      ...(marks.textPx === null ? {} : { text_px: marks.textPx }),
      ...(marks.linePx === null ? {} : { line_px: marks.linePx }),
    },
    cine: { ...(framesPerSecond === null ? {} : { frames_per_second: framesPerSecond }), loops },
    smooth,
    is_compact: isCompact,
  };
}
