/** The surfaces of a series as a list: which are seen, in which colour, how transparent; and new ones. */

import type { Triple } from "../core/facts";
import { t } from "../core/text";
import type { MadeSurface } from "../io/surfaces";
import { icon, make, setText } from "./dom";
import { rangeWords, tissueName } from "./viewer-tissue-words";

export interface SurfaceLook {
  readonly isSeen: boolean;
  /** #rrggbb; empty: as the file has it. */
  readonly colour: string;
  readonly opacity: number;
}

export const FIRST_LOOK: SurfaceLook = { isSeen: false, colour: "", opacity: 1 };
export const NEW_TISSUES = ["bone", "dense_bone", "soft_tissue", "lung"] as const;

export interface ListActions {
  readonly change: (id: string, look: SurfaceLook) => void;
  readonly make: (tissue: string) => void;
  readonly cancel: () => void;
}

export class SurfaceList {
  private readonly rows = make("ul", { class: "surface-rows" });
  private readonly tissues = make("select", { class: "entry", "aria-label": t("New surface") });
  private readonly create = make("button", { type: "button", class: "button" }, t("Make"));
  private readonly stop = make("button", { type: "button", class: "button", hidden: true }, t("Cancel"));
  private readonly progress = make("progress", { max: 1, value: 0, hidden: true, "aria-label": t("Progress") });
  private readonly said = make("p", { class: "window-note", role: "status", dir: "auto" });
  readonly root: HTMLElement;
  private shown = "";

  constructor(private readonly actions: ListActions) {
    this.tissues.append(...NEW_TISSUES.map((code) => make("option", { value: code }, tissueName(code))));
    this.create.addEventListener("click", () => actions.make(this.tissues.value));
    this.stop.addEventListener("click", () => actions.cancel());
    const fresh = make("div", { class: "surface-new" }, this.tissues, this.create, this.stop);
    this.root = make("div", { class: "surface-list" }, this.rows, fresh, this.progress, this.said);
    this.root.addEventListener("keydown", (event) => event.stopPropagation());
  }

  show(surfaces: readonly MadeSurface[], lookOf: (id: string) => SurfaceLook, fileColour: (id: string) => string): void {
    const shown = JSON.stringify(surfaces.map(({ id }) => [id, lookOf(id), fileColour(id)]));
    // A slider that is being moved must not be made anew under the hand.
    const { activeElement } = document;
    const isHeld = activeElement instanceof HTMLInputElement && activeElement.type !== "checkbox" && this.rows.contains(activeElement);
    if (shown === this.shown || isHeld) {
      return;
    }
    this.shown = shown;
    this.rows.replaceChildren(...surfaces.map((one) => this.row(one, lookOf, fileColour(one.id))));
  }

  working(progress: number | null): void {
    this.progress.hidden = this.stop.hidden = progress === null;
    this.create.disabled = progress !== null;
    this.progress.value = progress ?? 0;
  }

  say(words: string): void {
    setText(this.said, words);
  }

  private row(surface: MadeSurface, lookOf: (id: string) => SurfaceLook, fileColour: string): HTMLElement {
    const { id, tissue, stl } = surface;
    const look = lookOf(id);
    const name = tissue === "range" ? rangeWords(surface.lowest, surface.highest) : tissueName(tissue);
    const seen = make("input", { type: "checkbox", checked: look.isSeen });
    const colour = make("input", { type: "color", value: look.colour || fileColour || "#c8b48c", "aria-label": t("Colour of {name}", { name }) });
    const opacity = make("input", { type: "range", min: 10, max: 100, step: 5, value: Math.round(look.opacity * 100), "aria-label": t("Opacity of {name}", { name }) });
    const change = (next: Partial<SurfaceLook>): void => this.actions.change(id, { ...lookOf(id), ...next });
    seen.addEventListener("change", () => change({ isSeen: seen.checked }));
    colour.addEventListener("input", () => change({ colour: colour.value }));
    opacity.addEventListener("input", () => change({ opacity: Number(opacity.value) / 100 }));
    const words = t("Download {name} as STL", { name });
    const file = stl === "" ? "" : make("a", { class: "tool", href: stl, download: "", "aria-label": words, title: words }, icon("download"));
    return make("li", {}, make("label", {}, seen, make("span", {}, name)), colour, opacity, file);
  }
}

/** As the screen has it, 0 to 1. */
export function colourFrom(hex: string): Triple {
  const at = (start: number): number => Number.parseInt(hex.slice(start, start + 2), 16) / 255;
  return [at(1), at(3), at(5)];
}

/** A file's linear colour as the screen has it. */
export function hexOf(linear: Triple): string {
  const part = (value: number): string => {
    const seen = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
    return Math.round(255 * Math.min(1, Math.max(0, seen))).toString(16).padStart(2, "0");
  };
  return `#${linear.map(part).join("")}`;
}
