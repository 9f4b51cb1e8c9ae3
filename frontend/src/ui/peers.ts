/** The pages of other archives: query and import, transfers, peers; all by key too. */

import htmx from "htmx.org";

import { Live } from "./live";
import { wireMenus } from "./menus";
import { RowKeys } from "./row-keys";
import { Ways } from "./ways";

const words = document.getElementById("words")?.dataset ?? {};
const badge = document.getElementById("live");

wireMenus();
wireSeries();
wireTrouble();
const keys = new RowKeys("tr.row", {
  i: (rows) => rows.press("[data-import] button"),
  c: (rows) => rows.press('[data-act="cancel"]'),
  r: (rows) => rows.press('[data-act="retry"]'),
  Enter: (rows) => rows.press("[data-series] button") || rows.press("[data-result]") || rows.press("form button"),
  "/": () => document.getElementById("id_name")?.focus(),
});
document.addEventListener("click", (event) => {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>("tr.row") : null;
  if (row !== null) {
    keys.choose(row);
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

htmx.config.historyCacheSize = 0;
