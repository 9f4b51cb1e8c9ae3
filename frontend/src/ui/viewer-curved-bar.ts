/** The row under a picture along a line: how it is unrolled, its width, its slab, its turn, and a series of it. */

import { CURVE_FORMS, WIDEST_MM, type CurveForm } from "../core/curve";
import { SLAB_MODES, type SlabMode } from "../core/mpr";
import { t } from "../core/text";
import { clearCurve, curveOf, removeCurvePoint, setCurveWish, undoCurve } from "../state/curves";
import { paneOf } from "../state/panes";
import type { Store } from "../state/store";
import { icon, make, setAttribute } from "./dom";
import { formName } from "./viewer-curved-sight";
import { slabName } from "./viewer-plane-sight";

export class CurvedBar {
  private readonly form = make("select", { class: "entry", "aria-label": t("How the line is unrolled") });
  private readonly width = number(t("Width across the line in mm"), 5, WIDEST_MM, 5);
  private readonly mode = make("select", { class: "entry", "aria-label": t("What of a slab is shown") });
  private readonly thickness = number(t("Thickness of the slab in mm"), 0.5, 200, 0.5);
  private readonly angle = make("input", { type: "range", min: -180, max: 180, step: 1, "aria-label": t("Turned about the line, in degrees") });
  private readonly degrees = make("output", {});
  private readonly undo = button("undo-2", t("Undo"), () => this.change(undoCurve));
  private readonly drop = button("minus", t("Remove the point"), () => this.change(removeCurvePoint));
  private readonly clear = button("trash-2", t("Remove the line"), () => this.change(clearCurve));
  private readonly series: HTMLButtonElement;
  readonly root: HTMLElement;

  constructor(
    private readonly store: Store,
    private readonly paneId: string,
    makeSeries: (seriesId: string) => void,
  ) {
    this.series = button("images", t("Make a series"), () => makeSeries(this.seriesId));
    this.form.append(...CURVE_FORMS.map((form) => make("option", { value: form }, formName(form))));
    this.mode.append(...SLAB_MODES.map((mode) => make("option", { value: mode }, slabName(mode))));
    this.form.addEventListener("change", () => this.wish({ form: this.form.value as CurveForm }));
    this.width.addEventListener("change", () => this.wish({ widthMm: this.width.valueAsNumber }));
    this.angle.addEventListener("input", () => this.wish({ angleDeg: this.angle.valueAsNumber }));
    this.mode.addEventListener("change", () => this.slab(this.mode.value as SlabMode));
    this.thickness.addEventListener("change", () => this.slab(this.mode.value === "thin" ? "mip" : (this.mode.value as SlabMode)));
    this.root = make(
      "div",
      { class: "curved-bar", role: "toolbar", "aria-label": t("Along the line"), hidden: true },
      this.form,
      labelled("↕", this.width, "mm"),
      this.mode,
      labelled("", this.thickness, "mm"),
      make("label", { class: "curved-angle" }, icon("rotate-cw"), this.angle, this.degrees),
      this.undo,
      this.drop,
      this.clear,
      this.series,
    );
    this.root.addEventListener("dblclick", (event) => event.stopPropagation());
  }

  show(): void {
    const { state } = this.store;
    this.root.hidden = paneOf(state, this.paneId)?.shows !== "curved";
    if (this.root.hidden) {
      return;
    }
    const { wish, history } = curveOf(state, this.seriesId);
    this.form.value = wish.form;
    this.mode.value = wish.slab.mode;
    this.angle.value = `${Math.round(wish.angleDeg)}`;
    this.degrees.value = `${Math.round(wish.angleDeg)}°`;
    fill(this.width, `${wish.widthMm}`);
    fill(this.thickness, wish.slab.mode === "thin" ? "" : `${wish.slab.thicknessMm}`);
    setAttribute(this.undo, "disabled", history.length === 0);
    setAttribute(this.drop, "disabled", wish.points.length === 0);
    setAttribute(this.clear, "disabled", wish.points.length === 0);
    setAttribute(this.series, "disabled", wish.points.length < 2);
  }

  private get seriesId(): string {
    return paneOf(this.store.state, this.paneId)?.seriesId ?? "";
  }

  private change(change: (seriesId: string) => Parameters<Store["change"]>[0]): void {
    this.store.change(change(this.seriesId));
  }

  private wish(wished: Parameters<typeof setCurveWish>[1]): void {
    this.store.change(setCurveWish(this.seriesId, wished));
  }

  private slab(mode: SlabMode): void {
    const { slab } = curveOf(this.store.state, this.seriesId).wish;
    this.wish({ slab: { mode, thicknessMm: this.thickness.valueAsNumber || slab.thicknessMm } });
  }
}

/** What is being typed stays. */
function fill(field: HTMLInputElement, value: string): void {
  if (document.activeElement !== field && field.value !== value) {
    field.value = value;
  }
}

function number(name: string, min: number, max: number, step: number): HTMLInputElement {
  return make("input", { class: "entry", type: "number", min, max, step, "aria-label": name, title: name });
}

function labelled(before: string, field: HTMLElement, unit: string): HTMLElement {
  return make("label", { class: "number" }, make("span", { "aria-hidden": "true" }, before), field, make("span", {}, unit));
}

function button(iconName: string, name: string, run: () => void): HTMLButtonElement {
  const made = make("button", { type: "button", class: "tool", "aria-label": name, "data-tip": name }, icon(iconName));
  made.addEventListener("click", run);
  return made;
}
