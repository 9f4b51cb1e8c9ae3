/** A button of the tool row with a sheet under it, which closes when one presses elsewhere. */

import { icon, make, setAttribute } from "./dom";

/** A popover tells whoever holds it that it is to be seen. */
export const WANTED = "popover-wanted";

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
    keepPlaced(this.sheet, this.button);
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
    this.root.parentElement?.dispatchEvent(new Event(WANTED, { bubbles: true }));
    this.sheet.hidden = false;
    setAttribute(this.button, "aria-expanded", "true");
    this.onOpen();
    placeSheet(this.sheet, this.button);
  }

  close(): void {
    this.sheet.hidden = true;
    setAttribute(this.button, "aria-expanded", "false");
  }
}

const EDGE_PX = 8;
const GAP_PX = 6;

/** Lays an open sheet under its button where all of it is on the screen: a tool row may break or be scrolled. */
export function placeSheet(sheet: HTMLElement, button: HTMLElement): void {
  const under = button.getBoundingClientRect();
  const { clientWidth, clientHeight } = document.documentElement;
  const left = Math.max(EDGE_PX, Math.min(under.left, clientWidth - EDGE_PX - sheet.offsetWidth));
  const top = under.bottom + GAP_PX;
  sheet.style.left = `${Math.round(left)}px`;
  sheet.style.top = `${Math.round(top)}px`;
  sheet.style.maxHeight = `${Math.round(clientHeight - top - EDGE_PX)}px`;
}

/** Keeps an open sheet under its button when the window changes or the row is pushed along. */
export function keepPlaced(sheet: HTMLElement, button: HTMLElement): void {
  window.addEventListener("resize", () => sheet.hidden || placeSheet(sheet, button));
  document.addEventListener(
    "scroll",
    ({ target }) => {
      if (!sheet.hidden && target instanceof Element && target.contains(button)) {
        placeSheet(sheet, button);
      }
    },
    { capture: true, passive: true },
  );
}

/** Up and down in a menu, round its ends; false when the key is no such step. */
export function stepInMenu(menu: HTMLElement, key: string): boolean {
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step === undefined) {
    return false;
  }
  const items = [...menu.querySelectorAll<HTMLButtonElement>("button:enabled")].filter((one) => one.checkVisibility());
  const at = items.indexOf(document.activeElement as HTMLButtonElement);
  items[at < 0 && step < 0 ? items.length - 1 : (at + step + items.length) % items.length]?.focus();
  return true;
}
