/** How deep the planes of the active pane look: what is kept of the slab, and how thick it is. */

import { formatNumber } from "../core/format";
import { SLAB_MODES, THICKEST_MM, type SlabMode } from "../core/mpr";
import { t } from "../core/text";
import { activePane } from "../state/panes";
import type { Store, ViewerState } from "../state/store";
import { activeMpr, setSlab } from "../state/volumes";
import { make } from "./dom";
import { slabName } from "./viewer-plane-sight";

export class SlabControl {
  private readonly mode = make("select", { class: "entry", "aria-label": t("What of a slab is shown") });
  private readonly thickness = make("input", {
    type: "number",
    class: "entry",
    "aria-label": t("Thickness of the slab in mm"),
    min: 0.5,
    max: THICKEST_MM,
    step: 0.5,
  });
  readonly root = make(
    "div",
    { class: "slab-control", role: "group", "aria-label": t("Slab") },
    this.mode,
    make("label", { class: "number" }, this.thickness, make("span", {}, "mm")),
  );

  constructor(store: Store) {
    this.mode.append(...SLAB_MODES.map((mode) => make("option", { value: mode }, slabName(mode))));
    this.mode.addEventListener("change", () => store.change(setSlab({ mode: this.mode.value as SlabMode })));
    this.thickness.addEventListener("change", () => {
      const thicknessMm = this.thickness.valueAsNumber;
      if (thicknessMm > 0) {
        store.change((state) => setSlab({ thicknessMm, mode: thickMode(state) })(state));
      }
    });
  }

  show(state: ViewerState): void {
    const slab = activePane(state).shows === "plane" ? activeMpr(state)?.slab : undefined;
    this.mode.disabled = slab === undefined;
    this.thickness.disabled = slab === undefined;
    if (slab !== undefined) {
      this.mode.value = slab.mode;
      if (document.activeElement !== this.thickness) {
        this.thickness.value = slab.mode === "thin" ? "" : formatNumber(slab.thicknessMm, 1);
      }
    }
  }
}

/** Who gives a thickness wants a slab. */
function thickMode(state: ViewerState): SlabMode {
  const mode = activeMpr(state)?.slab.mode ?? "thin";
  return mode === "thin" ? "mip" : mode;
}
