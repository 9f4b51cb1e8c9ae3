/** Millimetres that a reader's line gives to a picture which has none of its own in the patient. */

import type { ImageFacts } from "../core/facts";
import { planeOf, READER_CALIBRATED } from "../core/finding-plane";
import type { Finding } from "../core/findings";
import type { ViewerState } from "./store";

/** A calibration line, and who drew it last. */
export interface Calibration {
  readonly line: Finding;
  readonly by: string;
}

export type Calibrations = ReadonlyMap<string, Calibration>;

export interface PictureScale {
  /** Between rows, between columns, in mm; null: nothing gives millimetres. */
  readonly spacing: readonly [number, number] | null;
  /** Whose line gives them; empty: the file. */
  readonly by: string;
}

/** What a millimetre on a picture is, for everything that shows one. */
export function scaleIn({ calibrations }: Pick<ViewerState, "calibrations">, facts: ImageFacts): PictureScale {
  const filed: PictureScale = { spacing: facts.pixelSpacing, by: "" };
  const calibration = calibrations.get(facts.instanceId);
  const isFiled = facts.pixelSpacing !== null && facts.spacingSource === "ultrasound";
  if (calibration === undefined || isFiled) {
    return filed;
  }
  const { spacing, provenance } = planeOf(facts, [], calibration.line);
  return provenance === READER_CALIBRATED && spacing !== null ? { spacing, by: calibration.by } : filed;
}

/** The facts with the millimetres that hold now, for what fits pictures by their size. */
export function withScale(state: Pick<ViewerState, "calibrations">, facts: ImageFacts): ImageFacts {
  const { spacing, by } = scaleIn(state, facts);
  return by === "" ? facts : { ...facts, pixelSpacing: spacing };
}

/** Whether two hold the same lines: most changes of findings are none of a calibration. */
export function areSame(one: Calibrations, other: Calibrations): boolean {
  return one.size === other.size && [...one].every(([id, { line, by }]) => other.get(id)?.line === line && other.get(id)?.by === by);
}
