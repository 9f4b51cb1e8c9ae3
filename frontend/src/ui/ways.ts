/** What goes to other archives and comes from them, wherever it is shown: drawn anew as it moves. */

import htmx from "htmx.org";

import { asText, type JsonObject } from "../io/read";

const BURST_MS = 250;

export class Ways {
  private readonly outdated = new Set<string>();
  private timer = 0;

  constructor(
    private readonly place: HTMLElement,
    /** Where rows are drawn by the server. */
    private readonly address: string,
  ) {}

  heard(news: JsonObject): void {
    const id = asText(news["id"]) || asText(news["transfer"]);
    const isList = this.place.querySelector(".peers-ways") !== null;
    if (this.find(id).length > 0 || (isList && isBeginning())) {
      this.drawSoon(id);
    }
  }

  drawAll(): void {
    for (const one of this.place.querySelectorAll<HTMLElement>("[data-way]")) {
      this.drawSoon(one.dataset["way"] ?? "");
    }
  }

  private find(id: string): HTMLElement[] {
    return [...this.place.querySelectorAll<HTMLElement>("[data-way]")].filter((one) => one.dataset["way"] === id);
  }

  private drawSoon(id: string): void {
    this.outdated.add(id);
    this.timer ||= window.setTimeout(() => void this.draw(), BURST_MS);
  }

  private async draw(): Promise<void> {
    const ids = [...this.outdated];
    this.outdated.clear();
    this.timer = 0;
    const isList = this.place.querySelector(".peers-ways") !== null;
    const query = new URLSearchParams(ids.map((id) => ["row", id]));
    if (!isList) {
      query.set("short", "1");
    }
    try {
      const answer = await fetch(`${this.address}?${query.toString()}`, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) {
        return;
      }
      const made = document.createElement("template");
      made.innerHTML = await answer.text();
      for (const one of [...made.content.querySelectorAll<HTMLElement>("[data-way]")].reverse()) {
        this.put(one);
      }
    } catch {
      // The next news draws it; the foot of the page says when none come.
    }
  }

  private put(fresh: HTMLElement): void {
    const before = this.find(fresh.dataset["way"] ?? "");
    if (before.length === 0) {
      this.place.querySelector("#rows")?.prepend(fresh);
      this.place.querySelector(".peers-none")?.remove();
      htmx.process(fresh);
    }
    for (const old of before) {
      const copy = fresh.cloneNode(true) as HTMLElement;
      const had = old.contains(document.activeElement);
      if (old.getAttribute("aria-current") === "true") {
        copy.setAttribute("aria-current", "true");
      }
      old.replaceWith(copy);
      htmx.process(copy);
      if (had) {
        copy.focus({ preventScroll: true });
      }
    }
  }
}

function isBeginning(): boolean {
  const query = new URLSearchParams(window.location.search);
  return !query.get("before") && !query.get("status");
}
