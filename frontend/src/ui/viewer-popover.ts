/** A button of the tool row with a sheet under it, which closes when one presses elsewhere. */

import { icon, make, setAttribute } from "./dom";

export class Popover {
  readonly button: HTMLButtonElement;
  readonly sheet: HTMLElement;
  readonly root: HTMLElement;

  constructor(
    name: string,
    tip: string,
    iconName: string,
    private readonly onOpen: () => void,
  ) {
    this.button = make(
      "button",
      {
        type: "button",
        class: "tool",
        "aria-label": name,
        "aria-haspopup": "true",
        "aria-expanded": "false",
        "data-tip": tip,
      },
      icon(iconName),
    );
    this.sheet = make("div", { class: "popover-sheet", role: "group", "aria-label": name, hidden: true });
    this.root = make("div", { class: "popover" }, this.button, this.sheet);
    this.button.addEventListener("click", () => this.toggle());
    this.sheet.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        this.close();
        this.button.focus();
        event.preventDefault();
        event.stopPropagation();
      }
    });
    document.addEventListener("pointerdown", ({ target }) => {
      if (target instanceof Node && !this.root.contains(target)) {
        this.close();
      }
    });
  }

  toggle(): void {
    if (!this.sheet.hidden) {
      this.close();
      return;
    }
    this.sheet.hidden = false;
    setAttribute(this.button, "aria-expanded", "true");
    this.keepInside();
    this.onOpen();
  }

  /** The tool row may break into two: the sheet opens to the side where there is room. */
  private keepInside(): void {
    this.sheet.classList.remove("to-right");
    this.sheet.classList.toggle("to-right", this.sheet.getBoundingClientRect().left < 0);
  }

  close(): void {
    this.sheet.hidden = true;
    setAttribute(this.button, "aria-expanded", "false");
  }
}
