/** The pages of other archives: query and import, transfers, peers; all by key too. */

import htmx from "htmx.org";

import { Live } from "./live";
import { wireMenus } from "./menus";
import { Ways } from "./ways";

const words = document.getElementById("words")?.dataset ?? {};
const badge = document.getElementById("live");

wireMenus();
wireSeries();
wireTrouble();
document.addEventListener("keydown", (event) => pressed(event));
document.addEventListener("click", (event) => {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>("tr.row") : null;
  if (row !== null) {
    choose(row);
  }
});
document.getElementById("narrow")?.addEventListener("change", (event) => {
  (event.currentTarget as HTMLFormElement).requestSubmit();
});
if (words["events"]) {
  const ways = new Ways(document.body, words["rows"] ?? "");
  new Live(badge, words["events"], Number(words["newest"] ?? "0"), {
    onStudies: () => undefined,
    // What was found stays on the page: only what moves is drawn anew.
    onReset: () => ways.drawAll(),
    onWays: (news) => ways.heard(news),
  }).open();
}

/** A study's series open below it and close again; they are asked for once. */
function wireSeries(): void {
  document.addEventListener("htmx:beforeRequest", (event) => {
    const form = event.target;
    if (!(form instanceof HTMLFormElement) || !form.hasAttribute("data-series")) {
      return;
    }
    const inside = form.closest("tr")?.nextElementSibling;
    if (!(inside instanceof HTMLElement)) {
      return;
    }
    const isThere = inside.querySelector(".peers-inside") !== null;
    const opens = inside.hidden;
    inside.hidden = isThere ? !opens : false;
    form.querySelector("button")?.setAttribute("aria-expanded", String(!inside.hidden));
    if (isThere) {
      event.preventDefault();
    }
  });
}

/** What could not be asked for says so where it was to appear. */
function wireTrouble(): void {
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => {
      const target = (event as CustomEvent<{ target?: Element }>).detail.target;
      const place = target instanceof HTMLTableRowElement ? target.querySelector(".c-progress") : target;
      const line = document.createElement("p");
      line.className = "way-trouble";
      line.setAttribute("role", "alert");
      line.textContent = words["failed"] ?? "";
      place?.querySelector(".way-trouble")?.remove();
      place?.append(line);
    });
  }
}

// --- keys ---------------------------------------------------------------------------------
function pressed(event: KeyboardEvent): void {
  const isField = event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
  if (isField || event.ctrlKey || event.metaKey || event.altKey) {
    return;
  }
  const acts: Readonly<Record<string, () => unknown>> = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    i: () => press("[data-import] button"),
    c: () => press('[data-act="cancel"]'),
    r: () => press('[data-act="retry"]'),
    Enter: () => press("[data-series] button") || press("[data-result]") || press("form button"),
    "/": () => document.getElementById("id_name")?.focus(),
  };
  const isControl = event.target instanceof Element && event.target.closest("a, button, summary") !== null;
  const act = event.key === "Enter" && isControl ? undefined : acts[event.key];
  if (act !== undefined) {
    event.preventDefault();
    act();
  }
}

function chosen(): HTMLElement | null {
  return document.querySelector<HTMLElement>('tr.row[aria-current="true"]');
}

function move(by: number): void {
  const all = [...document.querySelectorAll<HTMLElement>("tr.row")];
  const now = chosen();
  const at = now === null ? (by > 0 ? -1 : all.length) : all.indexOf(now);
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  if (next !== undefined) {
    choose(next);
    next.focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest" });
  }
}

function choose(row: HTMLElement): void {
  chosen()?.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
}

/** Presses what the chosen row has of this kind; false when it has none. */
function press(what: string): boolean {
  const found = chosen()?.querySelector<HTMLElement>(what) ?? null;
  found?.click();
  return found !== null;
}

htmx.config.historyCacheSize = 0;
