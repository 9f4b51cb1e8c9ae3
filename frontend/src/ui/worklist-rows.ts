/** Most rows that one request may ask for; more news than that and the list is loaded anew. */
const MOST_ASKED = 60;
const PAUSE_MS = 150;
const LONGEST_WAIT_MS = 600;
const MOST_ROWS = 300;

type Words = Record<string, string | undefined>;

/** The rows of the list: which one is chosen, and how they change while one reads. */
export class Rows {
  private readonly changed = new Set<string>();
  private readonly waiting = new Map<string, HTMLTableRowElement>();
  private readonly button: HTMLButtonElement;
  private timer = 0;
  private firstChangeAt = 0;
  private isAsking = false;
  private chosenStudy = "";

  constructor(
    private readonly scroller: HTMLElement,
    private readonly list: HTMLElement,
    private readonly words: Words,
    private readonly onChoose: (row: HTMLTableRowElement) => void,
    private readonly onTap: (row: HTMLTableRowElement) => void,
  ) {
    this.button = document.createElement("button");
    this.button.type = "button";
    this.button.className = "button primary newcomers";
    this.button.hidden = true;
    this.button.addEventListener("click", () => this.showNewcomers());
    scroller.after(this.button);
    scroller.addEventListener("scroll", () => this.settle(), { passive: true });
    scroller.addEventListener("pointerleave", () => this.settle());
    list.addEventListener("click", (event) => this.clicked(event));
    list.addEventListener("dblclick", (event) => {
      const row = rowOf(event.target);
      if (row) {
        this.choose(row);
        this.openChosen();
      }
    });
  }

  get chosen(): HTMLTableRowElement | null {
    return this.chosenStudy ? this.find(this.chosenStudy) : null;
  }

  /** The table was replaced: what waited belongs to the old one. */
  renew(): void {
    this.waiting.clear();
    this.tellCount();
    this.scroller.scrollTop = 0;
    this.mark();
  }

  move(step: number): void {
    const all = this.all();
    const at = all.findIndex((row) => row.dataset["study"] === this.chosenStudy);
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    const row = all[next];
    if (row) {
      this.choose(row);
    }
  }

  first(): void {
    const row = this.all()[0];
    if (row) {
      this.choose(row);
      this.scroller.scrollTop = 0;
    }
  }

  choose(row: HTMLTableRowElement): void {
    this.chosenStudy = row.dataset["study"] ?? "";
    this.mark();
    row.querySelector<HTMLAnchorElement>("a.open")?.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    this.onChoose(row);
  }

  openChosen(): void {
    this.chosen?.querySelector<HTMLAnchorElement>("a.open")?.click();
  }

  /** Have the rows of these studies looked at again, many at once. */
  refresh(studies: Iterable<string>): void {
    for (const study of studies) {
      this.changed.add(study);
    }
    const now = performance.now();
    this.firstChangeAt ||= now;
    window.clearTimeout(this.timer);
    const pause = now - this.firstChangeAt > LONGEST_WAIT_MS ? 0 : PAUSE_MS;
    this.timer = window.setTimeout(() => void this.ask(), pause);
  }

  showNewcomers(): void {
    if (!this.waiting.size) {
      return;
    }
    this.place();
    this.scroller.scrollTo({ top: 0 });
  }

  tellAges(): void {
    for (const time of this.list.querySelectorAll<HTMLTimeElement>("time[data-ago]")) {
      const minutes = Math.floor((Date.now() - Date.parse(time.dateTime)) / 60_000);
      if (minutes < 1) {
        time.textContent = this.words["now"] ?? "";
      } else if (minutes < 60) {
        time.textContent = (this.words["minutes"] ?? "%s").replace("%s", String(minutes));
      } else if (minutes < 24 * 60) {
        time.textContent = (this.words["hours"] ?? "%s").replace("%s", String(Math.floor(minutes / 60)));
      }
    }
  }

  private clicked(event: Event): void {
    const row = rowOf(event.target);
    const isLink = event.target instanceof Element && event.target.closest("a");
    if (row && !isLink) {
      this.choose(row);
      // Fingers have no space key.
      if (event instanceof PointerEvent && event.pointerType === "touch") {
        this.onTap(row);
      }
    }
  }

  /** Fetch the changed rows in one request at a time; what changes meanwhile waits for the next. */
  private async ask(): Promise<void> {
    if (this.isAsking || !this.changed.size) {
      return;
    }
    this.isAsking = true;
    this.firstChangeAt = 0;
    const studies = [...this.changed].slice(0, MOST_ASKED);
    studies.forEach((study) => this.changed.delete(study));
    try {
      const query = new URLSearchParams(window.location.search);
      query.delete("at");
      studies.forEach((study) => query.append("study", study));
      const table = this.list.querySelector("table");
      const response = await fetch(`${this.words["rows"] ?? ""}?${query.toString()}`);
      if (response.ok && !response.redirected) {
        const text = await response.text();
        if (table === this.list.querySelector("table")) {
          this.take(studies, text);
        } else {
          // The table was replaced while the rows travelled.
          studies.forEach((study) => this.changed.add(study));
        }
      }
    } catch {
      studies.forEach((study) => this.changed.add(study));
    } finally {
      this.isAsking = false;
      if (this.changed.size) {
        this.timer = window.setTimeout(() => void this.ask(), LONGEST_WAIT_MS);
      }
    }
  }

  private take(studies: string[], html: string): void {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const rows = [...holder.content.querySelectorAll<HTMLTableRowElement>("tr.row")];
    const here = new Set(rows.map((row) => row.dataset["study"] ?? ""));
    for (const row of rows) {
      const study = row.dataset["study"] ?? "";
      const old = this.find(study);
      if (old) {
        this.replace(old, row);
      } else {
        this.waiting.set(study, row);
      }
    }
    for (const study of studies) {
      if (!here.has(study)) {
        this.waiting.delete(study);
        this.find(study)?.remove();
      }
    }
    this.mark();
    this.settle();
    this.tellCount();
  }

  private replace(old: HTMLTableRowElement, row: HTMLTableRowElement): void {
    const hadFocus = old.contains(document.activeElement);
    row.classList.add("fresh");
    old.replaceWith(row);
    if (hadFocus) {
      row.querySelector<HTMLAnchorElement>("a.open")?.focus({ preventScroll: true });
    }
  }

  /** Put new rows in when nobody's eye or pointer is on the list; else they wait above it. */
  private settle(): void {
    const isLookedAt = this.scroller.scrollTop > 8 || this.list.querySelector("tbody:hover") !== null;
    if (this.waiting.size && !isLookedAt) {
      this.place();
    }
  }

  private place(): void {
    const table = this.list.querySelector("table");
    const body = table?.tBodies[0];
    if (!table || !body) {
      return;
    }
    const turn = table.dataset["sort"] === "-patient" ? -1 : 1;
    const token = (row: HTMLTableRowElement): string => row.dataset["token"] ?? "";
    for (const row of this.waiting.values()) {
      const all = this.all();
      const next = all.find((other) => (token(other) > token(row) ? 1 : -1) * turn > 0);
      const isBeyond = next ? next === all[0] && !("first" in table.dataset) : !("last" in table.dataset);
      if (!isBeyond) {
        row.classList.add("fresh");
        body.insertBefore(row, next ?? null);
        document.getElementById("empty")?.remove();
      }
    }
    for (const extra of this.all().slice(MOST_ROWS)) {
      extra.remove();
    }
    this.waiting.clear();
    this.tellCount();
  }

  private tellCount(): void {
    const count = this.waiting.size;
    this.button.hidden = count === 0;
    const one = this.words["newOne"] ?? "";
    this.button.textContent = count === 1 ? one : (this.words["newMany"] ?? "%s").replace("%s", String(count));
  }

  private mark(): void {
    for (const row of this.all()) {
      if (row.dataset["study"] === this.chosenStudy) {
        row.setAttribute("aria-current", "true");
      } else {
        row.removeAttribute("aria-current");
      }
    }
  }

  private all(): HTMLTableRowElement[] {
    return [...this.list.querySelectorAll<HTMLTableRowElement>("tr.row")];
  }

  private find(study: string): HTMLTableRowElement | null {
    return this.list.querySelector<HTMLTableRowElement>(`tr.row[data-study="${CSS.escape(study)}"]`);
  }
}

function rowOf(target: EventTarget | null): HTMLTableRowElement | null {
  return target instanceof Element ? target.closest<HTMLTableRowElement>("tr.row") : null;
}
