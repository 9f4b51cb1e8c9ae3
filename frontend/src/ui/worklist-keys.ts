import { byId } from "./menus";
import type { Preview } from "./worklist-preview";
import type { Rows } from "./worklist-rows";

/** Every act of the list by key; `?` shows them all. */
export function wireKeys(rows: Rows, preview: Preview): void {
  const search = byId<HTMLInputElement>("search");
  const help = byId<HTMLDialogElement>("keys");
  const page = (rel: string): void => document.querySelector<HTMLAnchorElement>(`.pager a[rel="${rel}"]`)?.click();
  const acts: Record<string, () => void> = {
    j: () => rows.move(1),
    ArrowDown: () => rows.move(1),
    k: () => rows.move(-1),
    ArrowUp: () => rows.move(-1),
    g: () => rows.first(),
    n: () => rows.showNewcomers(),
    "[": () => page("prev"),
    "]": () => page("next"),
    "/": () => {
      search.focus();
      search.select();
    },
    "?": () => help.showModal(),
    " ": () => {
      if (!rows.chosen) {
        rows.move(1);
      }
      if (rows.chosen) {
        preview.toggle(rows.chosen);
      }
    },
    Enter: () => rows.openChosen(),
    Escape: () => preview.close(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) {
      return;
    }
    const target = event.target;
    if (isField(target)) {
      if (event.key === "Escape" || (event.key === "ArrowDown" && target === search)) {
        // By itself the browser would empty a search field at Escape, and the list would be whole again.
        event.preventDefault();
        target.blur();
        if (event.key === "ArrowDown") {
          rows.move(1);
        }
      }
      return;
    }
    const isControl = target instanceof Element && target.closest("a, button, summary, label") !== null;
    const isRow = target instanceof Element && target.closest("tr.row") !== null;
    if ((event.key === "Enter" && isControl) || (event.key === " " && isControl && !isRow)) {
      return;
    }
    const act = acts[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
}

function isField(target: EventTarget | null): target is HTMLElement {
  return (
    target instanceof HTMLSelectElement ||
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLInputElement && target.type !== "hidden")
  );
}
