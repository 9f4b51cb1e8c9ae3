/** Lists that go by key: j and k choose a row, letters press what it has. */

export class RowKeys {
  /** `acts` beside j, k and the arrows; each may press something of the chosen row. */
  constructor(
    private readonly selector: string,
    private readonly acts: Readonly<Record<string, (rows: RowKeys) => unknown>>,
  ) {
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  choose(row: HTMLElement): void {
    this.chosen()?.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
  }

  /** Presses what the chosen row has of this kind; false when it has none. */
  press(what: string): boolean {
    const found = this.chosen()?.querySelector<HTMLElement>(what) ?? null;
    found?.click();
    return found !== null;
  }

  private chosen(): HTMLElement | null {
    return document.querySelector<HTMLElement>(`${this.selector}[aria-current="true"]`);
  }

  private pressed(event: KeyboardEvent): void {
    const isField = event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
    if (isField || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const steps: Readonly<Record<string, number>> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
    const by = steps[event.key];
    const isControl = event.target instanceof Element && event.target.closest("a, button, summary") !== null;
    const act = event.key === "Enter" && isControl ? undefined : this.acts[event.key];
    if (by !== undefined) {
      event.preventDefault();
      this.move(by);
    } else if (act !== undefined) {
      event.preventDefault();
      act(this);
    }
  }

  private move(by: number): void {
    const all = [...document.querySelectorAll<HTMLElement>(this.selector)];
    const now = this.chosen();
    const at = now === null ? (by > 0 ? -1 : all.length) : all.indexOf(now);
    const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
    if (next !== undefined) {
      this.choose(next);
      next.focus({ preventScroll: true });
      next.scrollIntoView({ block: "nearest" });
    }
  }
}
