import { byId } from "./menus";
import type { Progress, Status, Verdict } from "./upload-queue";

const FINE: Status[] = ["stored", "duplicate", "healed"];
const MOST_FINE = 500;
const MOST_TROUBLE = 2_000;

/** What became of the files: a bar, totals, and a line for each. */
export class Report {
  private readonly section = byId("progress");
  private readonly text = byId("progress-text");
  private readonly bytes = byId("progress-bytes");
  private readonly bar = byId<HTMLProgressElement>("bar");
  private readonly body = byId("verdicts");
  private readonly counts = new Map<Status, number>();
  private readonly shown = { fine: 0, trouble: 0, hidden: 0 };
  private drawn = 0;

  constructor(private readonly words: Record<string, string | undefined>) {
    byId<HTMLInputElement>("only-trouble").addEventListener("change", (event) => {
      const isOn = event.target instanceof HTMLInputElement && event.target.checked;
      this.section.classList.toggle("only-trouble", isOn);
    });
  }

  say(text: string): void {
    if (text) {
      this.section.hidden = false;
    }
    this.text.textContent = text;
  }

  reading(count: number): void {
    this.say((this.words["reading"] ?? "").replace("%1", String(count)));
  }

  begin(): void {
    this.section.hidden = false;
    document.body.classList.add("busy");
    byId("cancel").hidden = false;
    byId("after").hidden = true;
  }

  add(verdict: Verdict): void {
    this.counts.set(verdict.status, (this.counts.get(verdict.status) ?? 0) + 1);
    const isFine = FINE.includes(verdict.status);
    if (isFine ? this.shown.fine < MOST_FINE : this.shown.trouble < MOST_TROUBLE) {
      this.shown[isFine ? "fine" : "trouble"] += 1;
      this.body.append(this.line(verdict));
    } else {
      this.shown.hidden += 1;
    }
    this.drawLater();
  }

  progress(progress: Progress): void {
    if (!progress.files) {
      return;
    }
    this.bar.value = progress.bytes ? progress.bytesSent / progress.bytes : 1;
    const isStoring = progress.isAllSent && progress.filesDone < progress.files;
    this.text.textContent = isStoring
      ? (this.words["storing"] ?? "")
      : this.fill("sending", progress.filesDone, progress.files);
    this.bytes.textContent = `${size(progress.bytesSent)} / ${size(progress.bytes)}`;
  }

  end(progress: Progress, isCancelled: boolean): void {
    this.text.textContent = isCancelled
      ? this.fill("stopped", progress.filesDone, progress.files)
      : this.fill(progress.files === 1 ? "doneOne" : "done", progress.files, progress.files);
    this.bar.value = 1;
    byId("cancel").hidden = true;
    byId("after").hidden = false;
    document.body.classList.remove("busy");
    this.draw();
  }

  private fill(name: string, first: number, second: number): string {
    return (this.words[name] ?? "").replace("%1", first.toLocaleString()).replace("%2", second.toLocaleString());
  }

  private line(verdict: Verdict): HTMLTableRowElement {
    const row = document.createElement("tr");
    row.className = `verdict ${verdict.status}`;
    const word = document.createElement("span");
    word.className = "word";
    word.textContent = this.words[verdict.status] ?? verdict.status;
    const name = document.createElement("bdi");
    name.textContent = verdict.name;
    const [first, file, why] = [0, 1, 2].map(() => row.insertCell()) as [
      HTMLTableCellElement,
      HTMLTableCellElement,
      HTMLTableCellElement,
    ];
    first.append(word);
    file.className = "file";
    file.append(name);
    why.className = "why";
    why.dir = "auto";
    why.textContent = verdict.reason;
    return row;
  }

  private drawLater(): void {
    if (!this.drawn) {
      this.drawn = window.requestAnimationFrame(() => this.draw());
    }
  }

  private draw(): void {
    this.drawn = 0;
    const totals = [...this.counts].map(([status, count]) => {
      const item = document.createElement("li");
      item.className = `total ${status}`;
      const number = document.createElement("strong");
      number.className = "num";
      number.textContent = count.toLocaleString();
      item.append(number, ` ${this.words[status] ?? status}`);
      return item;
    });
    byId("totals").replaceChildren(...totals);
    const hidden = byId("hidden-count");
    hidden.hidden = this.shown.hidden === 0;
    hidden.textContent = this.fill("more", this.shown.hidden, 0);
  }
}

function size(bytes: number): string {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;
  let unit = 0;
  let value = bytes;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 1 ? 1 : 0;
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: units[unit],
    unitDisplay: "short",
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  }).format(value);
}
