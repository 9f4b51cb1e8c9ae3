/** The sheet of a body view: its colours over the histogram, or its window; and the box that cuts it. */

import {
  boundsOf,
  isWhole,
  moveSide,
  type BodyLook,
  type BodyOffer,
  type ClipBox,
} from "../core/body-look";
import { t } from "../core/text";
import { make } from "./dom";
import { TransferEditor } from "./viewer-transfer";

type Axis = 0 | 1 | 2;
type End = "low" | "high";

/** The sides of the box, in lps. */
const SIDES: readonly (readonly [Axis, End])[] = [
  [0, "low"],
  [0, "high"],
  [1, "low"],
  [1, "high"],
  [2, "high"],
  [2, "low"],
];

export class BodySheet {
  private readonly editor: TransferEditor;
  private readonly shaded = make("input", { type: "checkbox" });
  private readonly center = numberEntry(t("Window level"));
  private readonly width = numberEntry(t("Window width"));
  private readonly colours: HTMLElement;
  private readonly windows: HTMLElement;
  private readonly whyNot = make("p", { class: "window-note", hidden: true });
  private readonly sliders = new Map<string, HTMLInputElement>();
  private readonly whole = make("button", { type: "button", class: "button" }, t("Show all of it"));
  readonly root: HTMLElement;
  private bounds: ClipBox = { low: [0, 0, 0], high: [1, 1, 1] };
  private look: BodyLook | null = null;

  constructor(private readonly onLook: (look: BodyLook, isMoving: boolean) => void) {
    this.editor = new TransferEditor((points, isMoving) => this.change({ points }, isMoving));
    this.shaded.addEventListener("change", () => this.change({ isShaded: this.shaded.checked }));
    for (const field of [this.center, this.width]) {
      field.addEventListener("change", () => this.typed());
    }
    this.colours = make("div", {}, this.editor.root, make("label", { class: "body-shaded" }, this.shaded, t("Light and shade")));
    this.windows = make("div", { class: "body-windows" }, labelled(t("Window level"), this.center), labelled(t("Window width"), this.width));
    this.whole.addEventListener("click", () => this.change({ clip: null }));
    this.root = make(
      "div",
      { class: "body-sheet", role: "group", "aria-label": t("Colours and cutting"), hidden: true },
      this.colours, this.windows, this.whyNot, this.box(),
    );
    // Keys of the page scroll and turn; here they move what has the focus.
    this.root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.toggle();
      }
      event.stopPropagation();
    });
  }

  toggle(): void {
    this.root.hidden = !this.root.hidden;
  }

  offer(offer: BodyOffer): void {
    this.bounds = boundsOf(offer.corners);
    this.editor.offer(offer.histogram);
    this.whyNot.textContent = offer.whyNot;
    this.whyNot.hidden = offer.whyNot === "";
    for (const [axis, end] of SIDES) {
      const slider = this.sliders.get(`${axis}${end}`);
      if (slider !== undefined) {
        [slider.min, slider.max] = ["0", `${this.bounds.high[axis] - this.bounds.low[axis]}`];
        slider.step = "any";
      }
    }
  }

  show(look: BodyLook): void {
    this.look = look;
    this.colours.hidden = look.mode !== "composite";
    this.windows.hidden = look.mode === "composite";
    this.editor.show(look.points);
    this.shaded.checked = look.isShaded;
    setUnlessFocused(this.center, look.window.center);
    setUnlessFocused(this.width, look.window.width);
    const box = look.clip ?? this.bounds;
    for (const [axis, end] of SIDES) {
      const slider = this.sliders.get(`${axis}${end}`);
      if (slider !== undefined) {
        slider.value = `${end === "low" ? box.low[axis] - this.bounds.low[axis] : this.bounds.high[axis] - box.high[axis]}`;
        slider.setAttribute("aria-valuetext", t("{number} mm", { number: Math.round(Number(slider.value)) }));
      }
    }
    this.whole.disabled = look.clip === null;
  }

  private change(part: Partial<BodyLook>, isMoving = false): void {
    if (this.look !== null) {
      this.onLook({ ...this.look, ...part }, isMoving);
    }
  }

  private typed(): void {
    const [center, width] = [Number(this.center.value), Number(this.width.value)];
    if (Number.isFinite(center) && Number.isFinite(width) && width > 0) {
      this.change({ window: { center, width } });
    }
  }

  /** A slider for each side: how many millimetres of it are cut away. */
  private box(): HTMLElement {
    const rows = SIDES.map(([axis, end]) => {
      const slider = make("input", { type: "range", min: 0, max: 1, value: 0, "aria-label": sideWords(axis, end) });
      const cut = (isMoving: boolean): void => {
        const value = Number(slider.value);
        const place = end === "low" ? this.bounds.low[axis] + value : this.bounds.high[axis] - value;
        const moved = moveSide(this.look?.clip ?? this.bounds, this.bounds, axis, end, place);
        this.change({ clip: isWhole(moved, this.bounds) ? null : moved }, isMoving);
      };
      slider.addEventListener("input", () => cut(true));
      slider.addEventListener("change", () => cut(false));
      this.sliders.set(`${axis}${end}`, slider);
      return make("label", { class: "body-cut" }, make("span", {}, sideWords(axis, end)), slider);
    });
    return make("fieldset", { class: "body-box" }, make("legend", {}, t("Cut away")), ...rows, this.whole);
  }
}

function sideWords(axis: Axis, end: End): string {
  const names = [
    [t("From the right"), t("From the left")],
    [t("From the front"), t("From behind")],
    [t("From the feet"), t("From the head")],
  ];
  return names[axis]?.[end === "low" ? 0 : 1] ?? "";
}

function numberEntry(label: string): HTMLInputElement {
  return make("input", { type: "text", inputmode: "decimal", class: "entry", "aria-label": label, autocomplete: "off" });
}

function labelled(words: string, field: HTMLElement): HTMLElement {
  return make("label", { class: "body-number" }, make("span", {}, words), field);
}

function setUnlessFocused(field: HTMLInputElement, value: number): void {
  if (document.activeElement !== field) {
    field.value = `${Number(value.toPrecision(6))}`;
  }
}
