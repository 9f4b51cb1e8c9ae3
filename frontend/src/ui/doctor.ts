/** The modality doctor: fetches the page every few seconds, calmly, and shows what has changed. */

import { byId, wireMenus } from "./menus";

const PAUSE_MS = 3_000;
const PATIENCE_MS = 10_000;

const badge = byId("live");
let timer = 0;
let shown = "";

wireMenus();
byId<HTMLSelectElement>("show").addEventListener("change", (event) => {
  (event.currentTarget as HTMLSelectElement).form?.requestSubmit();
});
byId("calls").addEventListener("click", (event) => clicked(event));
document.addEventListener("keydown", (event) => pressed(event));
document.addEventListener("visibilitychange", () => again(0));
window.addEventListener("popstate", () => again(0));
say("on");
again(PAUSE_MS);

function again(pauseMs: number): void {
  window.clearTimeout(timer);
  if (document.visibilityState === "visible") {
    timer = window.setTimeout(() => void look(), pauseMs);
  }
}

/** Reads the page as it would be now; a page that cannot be read is tried again. */
async function look(): Promise<void> {
  const address = window.location.href;
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS), headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) {
      window.location.reload();
      return;
    }
    const text = await answer.text();
    if (address === window.location.href) {
      draw(new DOMParser().parseFromString(text, "text/html"));
    }
    say("on");
  } catch {
    say("off");
  }
  again(PAUSE_MS);
}

function draw(page: Document): void {
  for (const id of ["calls", "call"]) {
    const old = byId(id);
    const fresh = page.getElementById(id);
    if (fresh !== null && fresh.innerHTML !== old.innerHTML && !isRead(old)) {
      replace(old, fresh);
    }
  }
  const body = page.querySelector(".doctor-body");
  document.querySelector(".doctor-body")?.classList.toggle("has-call", body?.classList.contains("has-call") ?? false);
}

/** Whether somebody is marking text there, which a new drawing would undo. */
function isRead(part: HTMLElement): boolean {
  const chosen = window.getSelection();
  return chosen !== null && !chosen.isCollapsed && part.contains(chosen.anchorNode);
}

/** Takes the new content over; focus, place and what was unfolded stay. */
function replace(old: HTMLElement, fresh: HTMLElement): void {
  const focused = document.activeElement instanceof HTMLAnchorElement && old.contains(document.activeElement);
  const address = focused ? (document.activeElement as HTMLAnchorElement).href : "";
  const isSame = old.id === "calls" || shown === window.location.pathname;
  const unfolded = [...old.querySelectorAll("details")].map((one) => one.open);
  const top = old.scrollTop;
  old.replaceChildren(...fresh.childNodes);
  if (isSame) {
    old.scrollTop = top;
    for (const [index, one] of [...old.querySelectorAll("details")].entries()) {
      one.open = unfolded[index] ?? one.open;
    }
  }
  if (old.id === "call") {
    shown = window.location.pathname;
  }
  if (address !== "") {
    [...old.querySelectorAll("a")].find((one) => one.href === address)?.focus({ preventScroll: true });
  }
}

/** A whole row opens its call, in place; with a modifier key the browser does as always. */
function clicked(event: MouseEvent): void {
  const row = event.target instanceof Element ? event.target.closest("tbody tr") : null;
  const link = row?.querySelector<HTMLAnchorElement>("a.open");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) {
    return;
  }
  event.preventDefault();
  choose(link);
}

function choose(link: HTMLAnchorElement): void {
  for (const row of document.querySelectorAll("#calls tr[aria-current]")) {
    row.removeAttribute("aria-current");
  }
  link.closest("tr")?.setAttribute("aria-current", "true");
  window.history.pushState(null, "", link.href);
  again(0);
}

/** j and k move through the calls. */
function pressed(event: KeyboardEvent): void {
  const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || (event.key !== "j" && event.key !== "k")) {
    return;
  }
  const links = [...document.querySelectorAll<HTMLAnchorElement>("#calls a.open")];
  const now = links.findIndex((one) => one.closest("tr")?.hasAttribute("aria-current"));
  const next = links[Math.max(0, now + (event.key === "j" ? 1 : -1))];
  if (next !== undefined) {
    next.focus();
    choose(next);
  }
}

function say(state: "on" | "off"): void {
  badge.dataset["state"] = state;
  const text = badge.querySelector(".live-text");
  if (text !== null) {
    text.textContent = badge.dataset[state] ?? "";
  }
}
