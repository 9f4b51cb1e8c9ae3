/** The tag browser: every element of the file on the screen, searched, and beside those of another. */

import type { ImageFacts } from "../core/facts";
import { compareTags, matchesTag, uncompared, type ComparedRow } from "../core/tags";
import { t } from "../core/text";
import { fetchTags, type TagTable } from "../io/tags";
import { StackError } from "../io/stack";
import { activeImage } from "../state/changes";
import type { Store } from "../state/store";
import { make, setText } from "./dom";
import type { SidePanel } from "./viewer-side";

const ROWS_AT_ONCE = 300;
const PAUSE_MS = 200;

interface Held {
  readonly facts: ImageFacts;
  readonly table: TagTable;
}

export function tagsPanel(store: Store): SidePanel {
  const content = new Tags(store);
  return {
    id: "tags",
    name: t("Tags of the file"),
    icon: "file-text",
    key: "t",
    root: content.root,
    show: () => content.show(),
    rest: () => content.rest(),
  };
}

class Tags {
  private readonly search = make("input", {
    class: "entry",
    type: "search",
    placeholder: t("Tag, name or value"),
    "aria-label": t("Search the tags"),
    maxlength: 100,
  });
  private readonly pin = make("button", { type: "button", class: "button" });
  private readonly differing = make("input", { type: "checkbox" });
  private readonly differingLabel = make("label", { class: "tags-check", hidden: true }, this.differing, t("Differences only"));
  private readonly note = make("p", { class: "tags-note", role: "status" });
  private readonly list = make("div", { class: "tags-list" });
  private readonly more = make("button", { type: "button", class: "button", hidden: true }, t("Show more"));
  readonly root = make(
    "div",
    { class: "tags-body" },
    make("div", { class: "tags-head" }, this.search, this.pin, this.differingLabel),
    this.note,
    this.list,
    this.more,
  );
  private wanted = "";
  private now: Held | null = null;
  private pinned: Held | null = null;
  private rows: ComparedRow[] = [];
  private shownCount = ROWS_AT_ONCE;
  private pause: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly store: Store) {
    this.search.addEventListener("input", () => this.searchSoon());
    this.differing.addEventListener("change", () => this.fill());
    this.pin.addEventListener("click", () => this.togglePin());
    this.more.addEventListener("click", () => {
      this.shownCount += ROWS_AT_ONCE * 4;
      this.paint();
    });
  }

  show(): void {
    const facts = activeImage(this.store.state);
    if (facts?.instanceId !== this.wanted) {
      this.wanted = facts?.instanceId ?? "";
      clearTimeout(this.pause);
      // Scrolling passes many images: only the one that stays is read.
      this.pause = setTimeout(() => void this.load(), this.now === null ? 0 : PAUSE_MS);
    }
  }

  rest(): void {
    this.wanted = "";
  }

  private searchSoon(): void {
    this.shownCount = ROWS_AT_ONCE;
    if (this.now?.table.isCut === true || this.pinned?.table.isCut === true) {
      clearTimeout(this.pause);
      this.pause = setTimeout(() => void this.load(), PAUSE_MS);
    } else {
      this.fill();
    }
  }

  private async load(): Promise<void> {
    const facts = activeImage(this.store.state);
    if (facts === undefined || facts.instanceId !== this.wanted) {
      this.now = null;
      this.fill(t("There is no image on the screen."));
      return;
    }
    if (facts.reformatted !== undefined) {
      this.now = null;
      this.fill(t("A reformatted picture has no attributes of its own."));
      return;
    }
    // A header that is too long for one answer is searched by the server.
    const search = this.now?.table.isCut === true ? this.search.value.trim() : "";
    try {
      const table = await fetchTags(facts.instanceId, search);
      if (facts.instanceId === this.wanted) {
        this.now = { facts, table: search === "" ? table : { ...table, isCut: true } };
        this.fill();
      }
    } catch (error) {
      if (facts.instanceId === this.wanted) {
        this.now = null;
        const words = error instanceof StackError ? error.message : "";
        this.fill(words || t("The tags could not be loaded."));
      }
    }
  }

  private togglePin(): void {
    this.pinned = this.pinned === null ? this.now : null;
    this.differing.checked = this.pinned !== null && this.differing.checked;
    this.fill();
  }

  private fill(problem = ""): void {
    const { now, pinned } = this;
    const rows = now === null ? [] : pinned === null ? uncompared(now.table.rows) : compareTags(now.table.rows, pinned.table.rows);
    const onlyDiffering = this.differing.checked && pinned !== null;
    this.rows = rows.filter((row) => matchesTag(row, this.search.value) && (row.differs || !onlyDiffering));
    this.pin.disabled = now === null && pinned === null;
    setText(this.pin, pinned === null ? t("Compare others with this image") : t("End the comparison"));
    this.differingLabel.hidden = pinned === null;
    setText(this.note, problem || this.words());
    this.paint();
  }

  private words(): string {
    if (this.now === null) {
      return "";
    }
    const count = t("{count} elements", { count: this.rows.length });
    const cut = this.now.table.isCut ? ` · ${t("There are more: search for them.")}` : "";
    const compared = this.pinned === null ? "" : ` · ${t("This image {one}, compared with {other}", { one: nameOf(this.now), other: nameOf(this.pinned) })}`;
    return count + cut + compared;
  }

  private paint(): void {
    this.list.replaceChildren(...this.rows.slice(0, this.shownCount).map(rowOf));
    this.more.hidden = this.rows.length <= this.shownCount;
  }
}

function nameOf({ facts, table }: Held): string {
  return table.instanceNumber === null ? facts.sopInstanceUid : `#${table.instanceNumber}`;
}

function rowOf(row: ComparedRow): HTMLElement {
  const kind = row.differs ? "tags-row differs" : "tags-row";
  const head = make("div", { class: "tags-name" }, make("code", {}, row.tag), make("span", { class: "tags-vr" }, row.vr), row.name || row.keyword || t("Private"));
  const value = row.isOnlyOther ? make("em", {}, t("not in this image")) : make("span", { dir: "auto" }, row.value);
  const box = make("div", { class: kind }, head, make("div", { class: "tags-value" }, value));
  box.style.setProperty("--depth", `${row.depth}`);
  if (row.differs) {
    const other = row.other === null || row.other === undefined ? make("em", {}, t("not in the other image")) : make("span", { dir: "auto" }, row.other);
    box.append(make("div", { class: "tags-value tags-other" }, "≠ ", other));
  }
  return box;
}
