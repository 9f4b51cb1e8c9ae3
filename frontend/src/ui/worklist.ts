import htmx from "htmx.org";

import { byId, wireMenus } from "./menus";
import { wireKeys } from "./worklist-keys";
import { Live } from "./live";
import { wireSendTo } from "./send-to";
import { Preview } from "./worklist-preview";
import { Rows } from "./worklist-rows";

const TYPING_PAUSE_MS = 250;
const AGO_EVERY_MS = 30_000;

const words = byId("words").dataset;
const filters = byId<HTMLFormElement>("filters");
const list = byId("list");

wireMenus();
const preview = new Preview(byId("preview"), words["previewFailed"] ?? "");
const rows = new Rows(
  byId("list-scroll"),
  list,
  words,
  (row) => preview.follow(row),
  (row) => preview.show(row),
);
wireFilters();
wireTrouble();
wireKeys(rows, preview);
wireSendTo();
new Live(byId("live"), words["events"] ?? "", Number(words["newest"] ?? "0"), {
  onStudies: (studies) => rows.refresh(studies),
  onReset: () => reload(),
}).open();
window.setInterval(() => rows.tellAges(), AGO_EVERY_MS);

function reload(): void {
  void htmx.ajax("get", window.location.pathname + window.location.search, { target: "#list" });
}

/** Narrow the list as one types or picks; the address keeps only what is set. */
function wireFilters(): void {
  let asked = serialize();
  let timer = 0;
  const narrow = (): void => {
    window.clearTimeout(timer);
    const now = serialize();
    if (now !== asked) {
      asked = now;
      htmx.trigger(filters, "narrow", {});
    }
  };
  filters.addEventListener("input", (event) => {
    window.clearTimeout(timer);
    const isText = event.target instanceof HTMLInputElement && ["search", "text"].includes(event.target.type);
    timer = window.setTimeout(narrow, isText ? TYPING_PAUSE_MS : 0);
  });
  filters.addEventListener("change", narrow);
  document.body.addEventListener("htmx:configRequest", (event) => {
    const form = (event as CustomEvent<{ formData: FormData; elt: Element }>).detail;
    if (form.elt === filters) {
      dropEmpty(form.formData);
    }
  });
  list.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-sort-to]") : null;
    if (link) {
      byId<HTMLInputElement>("filter-sort").value = link.dataset["sortTo"] ?? "";
      asked = serialize();
    }
  });
  list.addEventListener("htmx:afterSwap", () => {
    rows.renew();
    const chosen = filters.querySelectorAll('input[name="modality"]:checked').length;
    for (const count of filters.querySelectorAll<HTMLElement>("[data-count-of]")) {
      count.textContent = chosen ? String(chosen) : "";
    }
    const set = new FormData(filters);
    set.delete("sort");
    dropEmpty(set);
    byId("clear").hidden = [...set.keys()].length === 0;
  });
}

function serialize(): string {
  return new URLSearchParams(new FormData(filters) as unknown as Record<string, string>).toString();
}

function dropEmpty(form: FormData): void {
  for (const name of new Set(form.keys())) {
    if (form.getAll(name).every((value) => value === "")) {
      form.delete(name);
    }
  }
}

/** A list that could not be loaded says so and offers to try again. */
function wireTrouble(): void {
  const trouble = document.createElement("div");
  trouble.className = "message error list-trouble";
  trouble.setAttribute("role", "alert");
  trouble.hidden = true;
  const text = document.createElement("span");
  text.textContent = words["failed"] ?? "";
  const again = document.createElement("button");
  again.type = "button";
  again.className = "button";
  again.textContent = words["retry"] ?? "";
  again.addEventListener("click", reload);
  trouble.append(text, again);
  list.before(trouble);
  const show = (): void => {
    trouble.hidden = false;
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) {
    document.body.addEventListener(name, show);
  }
  list.addEventListener("htmx:afterSwap", () => {
    trouble.hidden = true;
  });
}
