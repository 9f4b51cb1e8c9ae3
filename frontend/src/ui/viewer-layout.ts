/** Chooses the grid: 25 squares under a button, by pointer or arrow keys. */

import { t } from "../core/text";
import { MOST_COLUMNS, MOST_ROWS, setLayout } from "../state/layouts";
import type { Layout, Store } from "../state/store";
import { make, setText } from "./dom";
import { keyName } from "./viewer-keys";
import { Popover } from "./viewer-popover";
import type { SavedLayouts } from "./viewer-saved-layouts";

export const LAYOUT_KEY = "G";

export class LayoutPicker {
  private readonly popover = new Popover(t("Layout"), `${t("Layout")} · ${keyName(LAYOUT_KEY)}`, "layout-grid", () => this.focus());
  private readonly words = make("p", { class: "layout-words", "aria-live": "polite" });
  private readonly cells: HTMLButtonElement[] = [];
  readonly root = this.popover.root;

  constructor(
    private readonly store: Store,
    private readonly saved: SavedLayouts,
    private readonly onChosen: () => void,
  ) {
    const grid = make("div", { class: "layout-grid" });
    for (let place = 0; place < MOST_ROWS * MOST_COLUMNS; place += 1) {
      grid.append(this.makeCell(place));
    }
    this.popover.sheet.append(grid, this.words, saved.root);
    this.popover.sheet.addEventListener("keydown", (event) => this.obey(event));
  }

  toggle(): void {
    this.popover.toggle();
  }

  private focus(): void {
    const { layout } = this.store.state;
    this.saved.open();
    this.mark(layout);
    this.cells[placeOf(layout)]?.focus();
  }

  private makeCell(place: number): HTMLButtonElement {
    const layout = layoutAt(place);
    const cell = make("button", { type: "button", class: "layout-cell", "aria-label": nameOf(layout), tabindex: "-1" });
    cell.addEventListener("click", () => {
      this.popover.close();
      this.store.change(setLayout(layout));
      this.onChosen();
    });
    cell.addEventListener("pointerenter", () => this.mark(layout));
    cell.addEventListener("focus", () => this.mark(layout));
    this.cells.push(cell);
    return cell;
  }

  /** Colours what the grid would be. */
  private mark(layout: Layout): void {
    this.cells.forEach((cell, place) => {
      const { rows, columns } = layoutAt(place);
      cell.classList.toggle("is-in", rows <= layout.rows && columns <= layout.columns);
    });
    setText(this.words, nameOf(layout));
  }

  private obey(event: KeyboardEvent): void {
    const place = this.cells.findIndex((cell) => cell === document.activeElement);
    const { rows, columns } = layoutAt(Math.max(0, place));
    const steps: Readonly<Record<string, Layout>> = {
      ArrowRight: { rows, columns: columns + 1 },
      ArrowLeft: { rows, columns: columns - 1 },
      ArrowDown: { rows: rows + 1, columns },
      ArrowUp: { rows: rows - 1, columns },
    };
    const next = steps[event.key];
    if (next !== undefined) {
      this.cells[placeOf(next)]?.focus();
      event.preventDefault();
      event.stopPropagation();
    }
  }
}

function layoutAt(place: number): Layout {
  return { rows: Math.floor(place / MOST_COLUMNS) + 1, columns: (place % MOST_COLUMNS) + 1 };
}

function placeOf({ rows, columns }: Layout): number {
  const isInside = rows >= 1 && rows <= MOST_ROWS && columns >= 1 && columns <= MOST_COLUMNS;
  return isInside ? (rows - 1) * MOST_COLUMNS + columns - 1 : -1;
}

function nameOf({ rows, columns }: Layout): string {
  return t("{rows} × {columns}", { rows, columns });
}
