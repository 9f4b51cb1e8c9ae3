/** The page of reconstruction jobs: bars that move, cancel, try again, all by key too. */

import { JobApi, JobError, readJobNews, type JobNews } from "../io/reconstructions";
import { Live } from "./live";
import { byId, wireMenus } from "./menus";
import { RowKeys } from "./row-keys";

const BURST_MS = 150;

const words = byId("words").dataset;
const rows = byId("rows");
const trouble = byId("trouble");
const api = new JobApi(words["api"] ?? "", words["token"] ?? "");
const outdated = new Set<string>();
let timer = 0;

wireMenus();
byId<HTMLFormElement>("narrow").addEventListener("change", (event) => (event.currentTarget as HTMLFormElement).requestSubmit());
rows.addEventListener("click", (event) => clicked(event));
const keys = new RowKeys("tr[data-job]", {
  c: (chosen) => chosen.press('[data-act="cancel"]'),
  r: (chosen) => chosen.press('[data-act="retry"]'),
  Enter: (chosen) => chosen.press("[data-result]") || chosen.press("a.result") || chosen.press("a.open"),
});
new Live(byId("live"), words["events"] ?? "", Number(words["newest"] ?? "0"), {
  onStudies: () => undefined,
  onReset: () => window.location.reload(),
  onJobs: (payload) => heard(readJobNews(payload)),
}).open();

function rowOf(id: string): HTMLElement | null {
  return document.getElementById(`j-${id}`);
}

/** Moves the bar; anything else is drawn anew by the server. Jobs that are not on the page stay away. */
function heard(news: JobNews): void {
  const row = rowOf(news.id);
  if (row === null) {
    if (news.status === "queued" && isBeginning()) {
      drawSoon(news.id);
    }
    return;
  }
  if (row.dataset["status"] !== news.status) {
    drawSoon(news.id);
    return;
  }
  const bar = row.querySelector("progress");
  const percent = row.querySelector(".percent");
  if (bar !== null && percent !== null && news.progress > bar.value) {
    bar.value = news.progress;
    percent.textContent = `${Math.round(100 * news.progress)} %`;
  }
}

function isBeginning(): boolean {
  const query = new URLSearchParams(window.location.search);
  return !query.get("before") && !query.get("status");
}

function drawSoon(id: string): void {
  outdated.add(id);
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void draw(), BURST_MS);
}

async function draw(): Promise<void> {
  const ids = [...outdated];
  outdated.clear();
  try {
    const query = new URLSearchParams(ids.map((id) => ["job", id]));
    const answer = await fetch(`${words["rows"] ?? ""}?${query.toString()}`, { credentials: "same-origin" });
    if (!answer.ok || answer.redirected) {
      throw new Error(`${answer.status}`);
    }
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    for (const row of [...made.content.querySelectorAll<HTMLElement>("tr[data-job]")].reverse()) {
      place(row);
    }
    trouble.hidden = true;
  } catch {
    say(words["failed"] ?? "");
  }
}

function place(row: HTMLElement): void {
  const before = rowOf(row.dataset["job"] ?? "");
  if (before === null) {
    rows.prepend(row);
    document.querySelector(".jobs-none")?.remove();
    return;
  }
  const had = before.contains(document.activeElement);
  if (before.getAttribute("aria-current") === "true") {
    row.setAttribute("aria-current", "true");
  }
  before.replaceWith(row);
  if (had) {
    row.focus({ preventScroll: true });
  }
}

function clicked(event: Event): void {
  const target = event.target instanceof Element ? event.target : null;
  const row = target?.closest<HTMLElement>("tr[data-job]") ?? null;
  if (row === null) {
    return;
  }
  keys.choose(row);
  const act = target?.closest<HTMLElement>("[data-act]")?.dataset["act"];
  if (act !== undefined) {
    void run(row, act);
  }
}

async function run(row: HTMLElement, act: string): Promise<void> {
  const id = row.dataset["job"] ?? "";
  const buttons = row.querySelectorAll("button");
  buttons.forEach((button) => (button.disabled = true));
  try {
    await (act === "cancel" ? api.cancel(id) : api.retry(id));
    trouble.hidden = true;
  } catch (error) {
    say(error instanceof JobError && error.message !== "" ? error.message : (words["failed"] ?? ""));
    buttons.forEach((button) => (button.disabled = false));
  }
  drawSoon(id);
}

function say(text: string): void {
  trouble.textContent = text;
  trouble.hidden = false;
}
