/** The export panel: what, as what, with what; then how far it is, and the file. */

import { exportBody, FORMATS, isMoving, isPicture, SCOPES, type ExportChoice, type Format, type Scope } from "../core/export-wish";
import { t } from "../core/text";
import type { ViewerPage } from "../io/api";
import { ExportApi, ExportError, type StudyExport } from "../io/exports";
import type { JsonObject } from "../io/read";
import { activeImage, activeLook, activeSeries, activeStack } from "../state/changes";
import { fusionWish } from "../state/fusion";
import type { Store } from "../state/store";
import { icon, make, setText } from "./dom";
import type { SidePanel } from "./viewer-side";

const POLL_MS = 1000;
const KEY = "Ctrl+s";

export function exportPanel(page: ViewerPage, store: Store): SidePanel {
  const content = new Exports(new ExportApi(page.apiUrl, page.person.csrfToken), store);
  return {
    id: "export",
    name: t("Export"),
    icon: "download",
    key: KEY,
    root: content.root,
    show: () => content.show(),
  };
}

function scopeNames(): Readonly<Record<Scope, string>> {
  return { image: t("This image"), series: t("This series"), key: t("Key images"), study: t("The whole study") };
}

function formatNames(): Readonly<Record<Format, string>> {
  return {
    png: t("PNG picture"),
    jpeg: t("JPEG picture"),
    tiff: t("TIFF picture"),
    mp4: t("MP4 video"),
    gif: t("GIF animation"),
    pdf: t("PDF sheets"),
    print: t("Sheets to print"),
    dicom: t("DICOM (ZIP)"),
  };
}

class Exports {
  private readonly scope = select(SCOPES, scopeNames(), "image");
  private readonly format = select(FORMATS, formatNames(), "png");
  private readonly marks = check(true);
  private readonly demographics = check(false);
  private readonly deidentify = check(false);
  private readonly dates = select(["remove", "shift", "keep"], { remove: t("removed"), shift: t("shifted"), keep: t("kept") }, "remove");
  private readonly descriptions = select(["remove", "clean"], { remove: t("removed"), clean: t("cleaned") }, "remove");
  private readonly characteristics = check(false);
  private readonly burnedIn = select(
    ["refuse", "leave_out", "accept"],
    { refuse: t("ask"), leave_out: t("leave out"), accept: t("export") },
    "refuse",
  );
  private readonly go = make("button", { type: "button", class: "button primary" }, icon("download"), t("Export"));
  private readonly note = make("p", { class: "export-note", role: "status" });
  private readonly list = make("ul", { class: "export-list", "aria-label": t("Exports of this visit") });
  private readonly pictureRows = [row(t("Marks and scale"), this.marks), row(t("Patient and study"), this.demographics)];
  private readonly nameRows = [
    row(t("Dates"), this.dates),
    row(t("Descriptions"), this.descriptions),
    row(t("Age, sex, size, weight"), this.characteristics),
    row(t("Pictures that may show a name"), this.burnedIn),
  ];
  readonly root = make(
    "div",
    { class: "export-body" },
    row(t("What"), this.scope),
    row(t("As"), this.format),
    ...this.pictureRows,
    row(t("De-identified"), this.deidentify),
    ...this.nameRows,
    this.go,
    this.note,
    this.list,
  );

  constructor(
    private readonly api: ExportApi,
    private readonly store: Store,
  ) {
    for (const field of [this.scope, this.format, this.deidentify, this.demographics]) {
      field.addEventListener("change", () => this.show());
    }
    this.go.addEventListener("click", () => void this.start());
  }

  show(): void {
    const format = this.format.value as Format;
    const isPictureForm = isPicture(format);
    this.pictureRows.forEach((line) => (line.hidden = !isPictureForm));
    this.nameRows.forEach((line, place) => (line.hidden = !this.deidentify.checked || (isPictureForm && place < 3)));
    this.demographics.disabled = this.deidentify.checked;
    this.go.disabled = this.body() === null;
  }

  private choice(): ExportChoice {
    const format = this.format.value as Format;
    return {
      scope: this.scope.value as Scope,
      format,
      hasMarks: this.marks.checked,
      hasDemographics: this.demographics.checked,
      isDeidentified: this.deidentify.checked,
      dates: this.dates.value as ExportChoice["dates"],
      descriptions: this.descriptions.value as ExportChoice["descriptions"],
      characteristics: this.characteristics.checked,
      burnedIn: this.burnedIn.value as ExportChoice["burnedIn"],
      framesPerSecond: isMoving(format) ? this.store.state.cine.framesPerSecond : null,
    };
  }

  private body(): JsonObject | null {
    const { state } = this.store;
    return exportBody(this.choice(), {
      studyId: state.study.id,
      seriesId: activeSeries(state)?.id ?? "",
      facts: activeImage(state),
      look: activeLook(state),
      presets: activeStack(state)?.presets ?? [],
      fusion: fusionWish(state),
    }) as JsonObject | null;
  }

  private async start(): Promise<void> {
    const body = this.body();
    if (body === null) {
      return;
    }
    this.go.disabled = true;
    setText(this.note, t("Asking the server …"));
    try {
      const made = await this.api.create(body);
      setText(this.note, made.leftOut.join(" "));
      void this.follow(made, this.addLine());
    } catch (error) {
      const words = error instanceof ExportError ? error.message : t("The server cannot be reached.");
      setText(this.note, words);
      if (error instanceof ExportError && error.mayName) {
        this.burnedIn.focus();
      }
    } finally {
      this.go.disabled = false;
    }
  }

  private addLine(): HTMLLIElement {
    const line = make("li", {});
    this.list.prepend(line);
    return line;
  }

  /** Shows how far an export is until its file is there; then the browser fetches it. */
  private async follow(first: StudyExport, line: HTMLLIElement): Promise<void> {
    let current = first;
    const drop = make("button", { type: "button", class: "tool", "aria-label": t("Delete") }, icon("x"));
    let isDropped = false;
    drop.addEventListener("click", () => {
      isDropped = true;
      line.remove();
      void this.api.delete(first.id).catch(() => undefined);
    });
    const words = make("span", { class: "export-words" });
    const bar = make("progress", { max: Math.max(1, first.imageCount), value: 0 });
    line.append(words, bar, drop);
    while (!isDropped && (current.state === "waiting" || current.state === "running")) {
      setText(words, `${formatNames()[current.format as Format]} · ${t("{done} of {count}", { done: current.doneCount, count: current.imageCount })}`);
      bar.value = current.doneCount;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      current = await this.api.read(first.id).catch(() => current);
    }
    if (!isDropped) {
      bar.remove();
      this.finish(current, words);
    }
  }

  private finish(current: StudyExport, words: HTMLElement): void {
    const name = formatNames()[current.format as Format];
    if (current.state === "failed") {
      words.classList.add("failed");
      setText(words, `${name}: ${current.problem}`);
      return;
    }
    const isPage = current.fileName === "";
    const link = make("a", { href: current.url, class: "export-link", ...(isPage ? { target: "_blank", rel: "noopener" } : { download: current.fileName }) });
    link.append(isPage ? t("Open the sheets") : current.fileName);
    words.replaceChildren(link);
    link.click();
  }
}

function select<T extends string>(values: readonly T[], names: Readonly<Record<T, string>>, chosen: T): HTMLSelectElement {
  const field = make("select", { class: "entry" });
  field.append(...values.map((value) => make("option", { value, selected: value === chosen }, names[value])));
  return field;
}

function check(isOn: boolean): HTMLInputElement {
  return make("input", { type: "checkbox", checked: isOn });
}

function row(name: string, field: HTMLElement): HTMLLabelElement {
  return make("label", { class: "export-row" }, make("span", {}, name), field);
}
