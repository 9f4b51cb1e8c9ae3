/** Window presets as the server offers them for a series (`imaging.presets`); none is made here. */

import type { Percentiles } from "./automatic-window";
import type { Window } from "./facts";
import type { WindowChoice } from "./voi";

export interface Preset {
  readonly code: string;
  readonly label: string;
  /** The key that always means it, whatever the order of the list. */
  readonly key: number | null;
  /** Centre and width, or null when they come from the pixels. */
  readonly window: Window | null;
  readonly percentiles: Percentiles | null;
}

export function choiceOf({ label, window, percentiles }: Preset): WindowChoice {
  if (window !== null) {
    return { kind: "preset", name: label, window };
  }
  return { kind: "relative", name: label, percentiles: percentiles ?? [0, 100] };
}
