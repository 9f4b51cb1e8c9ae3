/** One row of tools at every width: what has no room stands behind its last button, by name. */

import { leavingRow, type RowGroup } from "../core/tool-row";
import { t } from "../core/text";
import { make, setAttribute } from "./dom";
import { Popover, stepInMenu, WANTED } from "./viewer-popover";

const MORE_AROUND_PX = 12;

/** What leaves a narrow row, first the first; what is not named here stays. Two fingers zoom and move, one scrolls. */
const LEAVING = [
  "film-repeat",
  "film-speed",
  "overlays-of-the-file",
  "rotate-right",
  "one-more-window",
  "typed-window",
  "tool-cursor",
  "tool-magnifier",
  "invert",
  "links",
  "this-pane-alone",
  "tool-ellipse",
  "fit-to-window",
  "tool-zoom",
  "tool-pan",
  "play-or-pause",
  "picture-menu",
  "reset",
  "volume-menu",
  "prior-beside",
  "window-presets",
  "tool-select",
  "layouts",
];

/** When this thing leaves a narrow row. */
export function leaving<E extends HTMLElement>(element: E, id: string): E {
  const rank = LEAVING.indexOf(id);
  setAttribute(element, "data-leaves", rank < 0 ? null : rank);
  return element;
}

interface Unit {
  readonly element: HTMLElement;
  readonly leaves: number | null;
  widthPx: number;
}

interface Group {
  readonly home: HTMLElement;
  /** Where its things stand while they are not in the row. */
  readonly away: HTMLElement;
  readonly units: readonly Unit[];
  aroundPx: number;
}

export class ToolRow {
  private readonly more = new Popover(t("Further tools"), t("Further tools"), "ellipsis", () => this.focusFirst());
  private readonly groups: readonly Group[];

  constructor(private readonly row: HTMLElement) {
    this.groups = ([...row.children] as HTMLElement[]).map((home) => ({
      home,
      away: make("div", { class: "tools-away", role: "group", "aria-label": home.getAttribute("aria-label"), hidden: true }),
      units: ([...home.children] as HTMLElement[]).map((element) => ({ element, leaves: rankOf(element), widthPx: 0 })),
      aroundPx: 0,
    }));
    const { root, sheet } = this.more;
    root.classList.add("tools-more");
    root.hidden = true;
    sheet.append(...this.groups.map(({ away }) => away));
    sheet.addEventListener(WANTED, () => sheet.hidden && this.more.toggle());
    sheet.addEventListener("click", ({ target }) => this.closeAfter(target));
    sheet.addEventListener("keydown", (event) => this.step(event));
    row.append(root);
    const watcher = new ResizeObserver(() => this.arrange());
    watcher.observe(row);
    this.groups.forEach(({ units }) => units.forEach(({ element }) => watcher.observe(element)));
  }

  private arrange(): void {
    this.measure();
    const gapPx = Number.parseFloat(getComputedStyle(this.groups[0]?.home ?? this.row).columnGap) || 0;
    const groups: readonly RowGroup[] = this.groups.map(({ units, aroundPx }) => ({ aroundPx, gapPx, units }));
    const style = getComputedStyle(this.row);
    const roomPx = this.row.clientWidth - Number.parseFloat(style.paddingLeft) - Number.parseFloat(style.paddingRight);
    const buttonPx = this.groups[0]?.units[0]?.widthPx ?? 0;
    const gone: ReadonlySet<unknown> = leavingRow(groups, roomPx, buttonPx + MORE_AROUND_PX);
    const held = document.activeElement;
    this.groups.forEach((group) => place(group, gone));
    this.more.root.hidden = gone.size === 0;
    if (gone.size === 0) {
      this.more.close();
    }
    if (held instanceof HTMLElement && held !== document.activeElement && this.row.contains(held)) {
      (held.checkVisibility() ? held : this.more.button).focus();
    }
  }

  /** Widths are those in the row; what is away keeps the one that it had there. */
  private measure(): void {
    for (const group of this.groups) {
      for (const unit of group.units) {
        if (unit.element.parentElement === group.home) {
          unit.widthPx = unit.element.offsetWidth;
        }
      }
      const style = getComputedStyle(group.home);
      const around = [style.paddingLeft, style.paddingRight, style.borderInlineEndWidth].map(Number.parseFloat);
      group.aroundPx = around.reduce((sum, px) => sum + px, 0);
    }
  }

  private focusFirst(): void {
    steps(this.more.sheet)[0]?.focus();
  }

  /** A choice is made: the sheet goes, unless what was pressed opens a sheet of its own. */
  private closeAfter(target: EventTarget | null): void {
    const button = target instanceof Element ? target.closest("button") : null;
    if (button !== null && !button.hasAttribute("aria-haspopup")) {
      const hadFocus = this.more.sheet.contains(document.activeElement);
      this.more.close();
      if (hadFocus) {
        this.more.button.focus();
      }
    }
  }

  private step(event: KeyboardEvent): void {
    if (event.target instanceof HTMLButtonElement && stepInMenu(this.more.sheet, event.key)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }
}

function rankOf(element: HTMLElement): number | null {
  const rank = element.dataset["leaves"];
  return rank === undefined ? null : Number(rank);
}

function steps(sheet: HTMLElement): HTMLElement[] {
  return [...sheet.querySelectorAll<HTMLElement>("button:enabled, select:enabled, input:enabled")].filter((one) => one.checkVisibility());
}

/** Puts each thing where it belongs now, in the group's own order; nothing is moved that is there already. */
function place({ home, away, units }: Group, gone: ReadonlySet<unknown>): void {
  for (const [where, isThere] of [[home, false], [away, true]] as const) {
    const wanted = units.filter((unit) => gone.has(unit) === isThere).map(({ element }) => element);
    if (wanted.some((element, i) => where.children[i] !== element) || where.children.length !== wanted.length) {
      where.replaceChildren(...wanted);
    }
    where.hidden = wanted.length === 0;
  }
}
