import { byId, wireMenus } from "./menus";
import { type Chosen, fromInput, readDrop } from "./upload-files";
import { Queue, type Verdict } from "./upload-queue";
import { Report } from "./upload-report";

wireMenus();
const form = document.querySelector<HTMLFormElement>("#upload");
if (form) {
  wireUpload(form);
}

function wireUpload(form: HTMLFormElement): void {
  const words = byId("words").dataset;
  const drop = byId("drop");
  const input = byId<HTMLInputElement>("files");
  const report = new Report(words);
  let queue: Queue | null = null;

  const start = (chosen: Chosen[]): void => {
    if (!isPlaceChosen(form)) {
      report.say(words["choose"] ?? "");
      return;
    }
    if (!chosen.length) {
      report.say(words["nothing"] ?? "");
      return;
    }
    if (queue?.isRunning) {
      queue.add(chosen);
      return;
    }
    report.begin();
    queue = new Queue(
      { address: form.action, token: field(form, "csrfmiddlewaretoken"), facility: field(form, "facility"), words },
      {
        onVerdict: (verdict: Verdict) => report.add(verdict),
        onProgress: (progress) => report.progress(progress),
        onEnd: (progress, isCancelled) => report.end(progress, isCancelled),
      },
    );
    queue.add(chosen);
  };

  byId("pick-files").addEventListener("click", () => {
    input.removeAttribute("webkitdirectory");
    input.click();
  });
  byId("pick-folder").addEventListener("click", () => {
    input.setAttribute("webkitdirectory", "");
    input.click();
  });
  input.addEventListener("change", () => {
    const chosen = fromInput(input);
    input.value = "";
    start(chosen);
  });
  byId("cancel").addEventListener("click", () => queue?.cancel());
  form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("beforeunload", (event) => {
    if (queue?.isRunning) {
      event.preventDefault();
    }
  });
  wireDrop(drop, async (items) => {
    report.say("");
    start(await readDrop(items, (count) => report.reading(count)));
  });
}

function wireDrop(drop: HTMLElement, onDrop: (items: DataTransferItemList) => Promise<void>): void {
  // A file that misses the box must not replace the page.
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => event.preventDefault());
  document.addEventListener("dragenter", () => drop.classList.add("over"));
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) {
      drop.classList.remove("over");
    }
  });
  document.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (event.dataTransfer) {
      void onDrop(event.dataTransfer.items);
    }
  });
}

function isPlaceChosen(form: HTMLFormElement): boolean {
  const select = form.querySelector<HTMLSelectElement>("select[name=facility]");
  select?.closest(".field")?.classList.toggle("wrong", !select.value);
  if (select && !select.value) {
    select.focus();
  }
  return !select || select.value !== "";
}

function field(form: HTMLFormElement, name: string): string {
  return String(new FormData(form).get(name) ?? "");
}
