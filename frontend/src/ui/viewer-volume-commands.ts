/** Actions on a series as a volume: three planes, slabs, time points. */

import type { PlaneName } from "../core/mpr";
import { t } from "../core/text";
import { activePane } from "../state/panes";
import type { Store, ViewerState } from "../state/store";
import { isMprOn, nextSlabMode, resetMpr, stepSlab, stepTimePoint, toggleBody, toggleCrosshair, toggleMpr, togglePlane } from "../state/volumes";
import type { Command } from "./viewer-commands";

export function planeName(name: string): string {
  switch (name) {
    case "axial":
      return t("Axial");
    case "coronal":
      return t("Coronal");
    case "sagittal":
      return t("Sagittal");
    case "curved":
      return t("Along the line");
    case "section":
      return t("Across the line");
    default:
      return name;
  }
}

/** Those with an icon stand in the menu; the keys of the others work where planes are shown. */
export function volumeCommands(store: Store): Command[] {
  const command = (id: string, name: string, key: string, icon: string, run: () => void): Command => ({
    id,
    name,
    keys: key === "" ? [] : [key],
    group: "volume",
    icon,
    run,
  });
  const ofPlanes = (one: Command): Command => ({ ...one, canRun: () => activePane(store.state).shows === "plane" });
  const plane = (name: PlaneName): Command => ({
    ...command(`plane-${name}`, planeName(name), "", "square", () => store.change(togglePlane(name))),
    isOn: (state) => showsPlane(state, name),
  });
  return [
    { ...command("mpr-layout", t("Three planes (MPR)"), "K", "axis-3d", () => store.change(toggleMpr())), isOn: isMprOn },
    plane("axial"),
    plane("coronal"),
    plane("sagittal"),
    {
      ...command("volume-3d", t("Volume in 3D"), "!", "box", () => store.change(toggleBody())),
      isOn: (state) => activePane(state).shows === "volume",
    },
    ofPlanes(command("slab-mode", t("Thin, MIP, MinIP, mean"), "*", "layers", () => store.change(nextSlabMode()))),
    ofPlanes(command("slab-thicker", t("Thicker slab"), ">", "plus", () => store.change(stepSlab(1)))),
    ofPlanes(command("slab-thinner", t("Thinner slab"), "<", "minus", () => store.change(stepSlab(-1)))),
    {
      ...command("plane-lines", t("Lines of the other planes"), "#", "crosshair", () => store.change(toggleCrosshair())),
      isOn: (state) => state.hasCrosshair,
    },
    ofPlanes(command("reset-planes", t("Reset planes"), "~", "undo-2", () => store.change(resetMpr()))),
    ofPlanes(command("next-time-point", t("Next time point"), "}", "skip-forward", () => store.change(stepTimePoint(1)))),
    ofPlanes(command("previous-time-point", t("Previous time point"), "{", "skip-back", () => store.change(stepTimePoint(-1)))),
  ];
}

function showsPlane(state: ViewerState, name: PlaneName): boolean {
  const pane = activePane(state);
  return pane.shows === "plane" && pane.plane === name;
}
