/** Actions on a line through a volume. */

import { t } from "../core/text";
import { setTool } from "../state/changes";
import { curveOf, isCurvedOn, nextCurveForm, removeCurvePoint, undoCurve } from "../state/curves";
import { activePane } from "../state/panes";
import type { Store } from "../state/store";
import { toggleCurved } from "../state/volumes";
import type { Command } from "./viewer-commands";

export function curveCommands(store: Store): Command[] {
  const command = (id: string, name: string, keys: readonly string[], icon: string, run: () => void): Command => ({ id, name, keys, group: "volume", icon, run });
  const seriesId = (): string => activePane(store.state).seriesId;
  const ofLines = (one: Command): Command => {
    const canRun = (): boolean => curveOf(store.state, seriesId()).history.length > 0 && (store.state.tool === "curve" || isCurvedOn(store.state));
    return { ...one, canRun };
  };
  return [
    { ...command("curved-layout", t("Curved MPR"), ["F6"], "scan-line", () => store.change(toggleCurved())), isOn: isCurvedOn },
    {
      ...command("tool-curve", t("Line through the volume"), ["F7"], "spline", () => store.change(setTool("curve"))),
      isOn: (state) => state.tool === "curve",
    },
    ofLines(command("curve-undo", t("Undo on the line"), [], "undo-2", () => store.change(undoCurve(seriesId())))),
    ofLines(command("curve-remove-point", t("Remove the point of the line"), [], "minus", () => store.change(removeCurvePoint(seriesId())))),
    ofLines(command("curve-form", t("Straightened or stretched"), [], "arrow-left-right", () => store.change(nextCurveForm(seriesId())))),
  ];
}
