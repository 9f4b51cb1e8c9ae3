/** The row under a volume that is seen as a body: presets, sides, turning, and what opens the sheet. */

import type { BodyLook, Rendering } from "../core/body-look";
import { SIDES, type Side } from "../core/body-view";
import { t } from "../core/text";
import { icon, make, setAttribute, setIcon } from "./dom";

export interface BodyActions {
  readonly choose: (rendering: Rendering) => void;
  readonly side: (side: Side) => void;
  readonly play: () => void;
  readonly speed: (by: number) => void;
  readonly reset: () => void;
  readonly openSheet: () => void;
  readonly save: () => void;
}

const SPEEDS = [0.5, 1, 2] as const;

export class BodyBar {
  private readonly presets = make("select", { class: "entry", "aria-label": t("Preset") });
  private readonly speeds = make("select", { class: "entry body-speed", "aria-label": t("Speed") });
  private readonly playing = button("play", t("Turn round"), "Space");
  readonly root: HTMLElement;
  private renderings: readonly Rendering[] = [];

  constructor(actions: BodyActions) {
    this.presets.addEventListener("change", () => {
      const chosen = this.renderings.find(({ code }) => code === this.presets.value);
      if (chosen !== undefined) {
        actions.choose(chosen);
      }
    });
    this.speeds.append(...SPEEDS.map((by) => make("option", { value: by, selected: by === 1 }, `${by}×`)));
    this.speeds.addEventListener("change", () => actions.speed(this.speed));
    this.playing.addEventListener("click", () => actions.play());
    const sides = SIDES.map((side, n) => {
      const made = make("button", { type: "button", class: "body-side", "aria-label": sideName(side), "data-tip": `${sideName(side)} · ${n + 1}` }, sideLetter(side));
      made.addEventListener("click", () => actions.side(side));
      return made;
    });
    this.root = make(
      "div",
      { class: "body-bar", role: "toolbar", "aria-label": t("Volume") },
      this.presets,
      make("div", { class: "body-sides", role: "group", "aria-label": t("Seen from") }, ...sides),
      this.playing,
      this.speeds,
      pressed(button("sliders-horizontal", t("Colours and cutting"), ""), actions.openSheet),
      pressed(button("download", t("Save the picture"), ""), actions.save),
      pressed(button("undo-2", t("Reset"), "X"), actions.reset),
    );
  }

  get speed(): number {
    return Number(this.speeds.value) || 1;
  }

  offer(renderings: readonly Rendering[]): void {
    this.renderings = renderings;
    const option = ({ code, label }: Rendering): HTMLElement => make("option", { value: code }, t(label));
    const group = (name: string, isOf: (one: Rendering) => boolean): HTMLElement =>
      make("optgroup", { label: name }, ...renderings.filter(isOf).map(option));
    this.presets.replaceChildren(
      group(t("Colours"), ({ mode }) => mode === "composite"),
      group(t("Projections"), ({ mode }) => mode !== "composite"),
    );
  }

  show(look: BodyLook, isTurning: boolean): void {
    if (this.presets.value !== look.preset) {
      this.presets.value = look.preset;
    }
    setIcon(this.playing.firstElementChild as SVGSVGElement, isTurning ? "pause" : "play");
    setAttribute(this.playing, "aria-pressed", `${isTurning}`);
  }
}

function button(name: string, words: string, key: string): HTMLButtonElement {
  const tip = key === "" ? words : `${words} · ${key === "Space" ? t("Space") : key}`;
  return make("button", { type: "button", class: "tool", "aria-label": words, "data-tip": tip }, icon(name));
}

function pressed(made: HTMLButtonElement, run: () => void): HTMLButtonElement {
  made.addEventListener("click", run);
  return made;
}

export function sideName(side: Side): string {
  switch (side) {
    case "front":
      return t("From the front");
    case "back":
      return t("From behind");
    case "left":
      return t("From the left");
    case "right":
      return t("From the right");
    case "head":
      return t("From the head");
    case "feet":
      return t("From the feet");
  }
}

/** As on a picture's edge. */
function sideLetter(side: Side): string {
  return { front: "A", back: "P", left: "L", right: "R", head: "H", feet: "F" }[side];
}
