/** The reconstructions of a study: bars that move, cancel, try again, open, download. */

import { t } from "../core/text";
import { JobError, readJobNews, type JobApi, type ReconstructionJob } from "../io/reconstructions";
import { asNumber, asText, type JsonObject } from "../io/read";
import { openSeries } from "../state/changes";
import type { Store } from "../state/store";
import { icon, make, setText } from "./dom";

const SHOWN_FILES = 6;

const kindNames: Readonly<Record<string, () => string>> = {
  mpr: () => t("Planes (MPR)"),
  mip: () => t("Highest values (MIP)"),
  minip: () => t("Lowest values (MinIP)"),
  mean: () => t("Mean of slabs"),
  rotating_mip: () => t("Turning MIP"),
  curved: () => t("Curved MPR"),
  surface: () => t("Surface"),
  volume_rendering: () => t("Volume rendering"),
};

const valueNames: Readonly<Record<string, () => string>> = {
  axial: () => t("Axial"),
  coronal: () => t("Coronal"),
  sagittal: () => t("Sagittal"),
  thin: () => t("Thin planes"),
  mip: () => t("Highest values"),
  minip: () => t("Lowest values"),
  mean: () => t("Mean"),
  bone: () => t("Bone"),
  dense_bone: () => t("Dense bone"),
  soft_tissue: () => t("Soft tissue"),
  lung: () => t("Lung"),
  range: () => t("A range of values"),
  best: () => t("As suits the series"),
  angio: () => t("Vessels and bone"),
  skin: () => t("Skin"),
  surface: () => t("Surface"),
  translucent: () => t("Translucent"),
  bright: () => t("Bright structures"),
  mp4: () => t("Film (MP4)"),
  gif: () => t("GIF animation"),
  dicom: () => t("Series in this study"),
  png: () => t("PNG pictures (ZIP)"),
  nifti: () => "NIfTI",
  npy: () => "NumPy",
  json: () => "JSON",
  stl: () => "STL",
  glb: () => "GLB",
};

/** The name of a parameter's value; one that we do not know stands for itself. */
export function valueName(value: string): string {
  return valueNames[value]?.() ?? value;
}

export function kindName(kind: string): string {
  return kindNames[kind]?.() ?? kind;
}

/** The parameters that tell jobs of a kind apart. */
function howOf({ parameters }: ReconstructionJob): string {
  const text = (name: string): string => valueName(asText(parameters[name]));
  const thickness = asNumber(parameters["thickness_mm"]);
  const views = asNumber(parameters["views"]);
  return [text("plane"), text("tissue"), text("preset"), text("mode"), thickness === null ? "" : `${thickness} mm`, views === null ? "" : `${views}`].filter((part) => part !== "").join(" · ");
}

function statusName(status: string): string {
  switch (status) {
    case "queued":
      return t("waiting");
    case "running":
      return t("running");
    case "done":
      return t("done");
    case "failed":
      return t("failed");
    default:
      return t("cancelled");
  }
}

export class ReconstructionList {
  readonly root = make("ul", { class: "reconstruct-list", "aria-label": t("Reconstructions of this study") });
  private readonly lines = new Map<string, HTMLLIElement>();
  private readonly jobs = new Map<string, ReconstructionJob>();

  constructor(
    private readonly api: JobApi,
    private readonly store: Store,
  ) {
    // A result may be known before its series has joined the strip.
    store.subscribe(() => this.lines.forEach((line, id) => this.unlock(line, id)));
  }

  async load(): Promise<void> {
    try {
      const jobs = await this.api.list(this.store.state.study.id);
      [...jobs].reverse().forEach((job) => this.draw(job));
    } catch {
      // The form says when the server is away.
    }
  }

  /** Fetches a job and draws it. */
  async renew(id: string): Promise<void> {
    try {
      this.draw(await this.api.read(id));
    } catch (error) {
      // Others' jobs are told of too, and are not ours to see.
      if (!(error instanceof JobError)) {
        throw error;
      }
    }
  }

  hear(payload: JsonObject): void {
    const news = readJobNews(payload);
    const job = this.jobs.get(news.id);
    if (job === undefined) {
      return;
    }
    if (job.status !== news.status) {
      void this.renew(news.id).catch(() => undefined);
    } else if (news.progress > job.progress) {
      this.draw({ ...job, progress: news.progress });
    }
  }

  private draw(job: ReconstructionJob): void {
    const known = this.jobs.get(job.id);
    if (known !== undefined && known.status === job.status && known.progress <= job.progress && this.move(job)) {
      this.jobs.set(job.id, job);
      return;
    }
    this.jobs.set(job.id, job);
    const line = this.lines.get(job.id) ?? make("li", {});
    if (!this.lines.has(job.id)) {
      this.lines.set(job.id, line);
      this.root.prepend(line);
    }
    line.className = job.status;
    line.replaceChildren(...this.partsOf(job));
    this.unlock(line, job.id);
  }

  /** Moves the bar of a job that still runs, so that nobody's pointer or focus is lost. */
  private move(job: ReconstructionJob): boolean {
    const bar = this.lines.get(job.id)?.querySelector("progress");
    if (bar === undefined || bar === null) {
      return false;
    }
    bar.value = job.progress;
    return true;
  }

  private partsOf(job: ReconstructionJob): HTMLElement[] {
    const isOpen = job.status === "queued" || job.status === "running";
    const head = make("div", { class: "reconstruct-head" }, make("span", { class: "reconstruct-kind" }, kindName(job.kind), make("span", { class: "reconstruct-how" }, howOf(job))), make("span", { class: "reconstruct-status" }, statusName(job.status)));
    if (isOpen) {
      head.append(make("progress", { max: 1, value: job.progress, "aria-label": kindName(job.kind) }), this.act("x", t("Cancel"), job, () => this.api.cancel(job.id)));
    } else if (job.status !== "done") {
      head.append(this.act("rotate-cw", t("Try again"), job, () => this.api.retry(job.id)));
    } else if (job.resultId !== "") {
      const open = make("button", { type: "button", class: "button reconstruct-open" }, t("Open"));
      open.addEventListener("click", () => this.store.change(openSeries(job.resultId)));
      head.append(open);
    }
    const parts: HTMLElement[] = [head];
    if (job.reason !== "") {
      parts.push(make("p", { class: "reconstruct-reason", dir: "auto" }, job.reason));
    }
    const files = job.files.filter(({ url }) => url !== "");
    parts.push(...files.slice(0, SHOWN_FILES).map(({ url, name }) => make("a", { class: "reconstruct-file", href: url, download: name }, icon("download"), name)));
    return parts;
  }

  private act(iconName: string, name: string, job: ReconstructionJob, run: () => Promise<void>): HTMLElement {
    const button = make("button", { type: "button", class: "tool", "aria-label": name, "data-tip": name }, icon(iconName));
    button.addEventListener("click", () => {
      button.disabled = true;
      void run()
        .catch((error: unknown) => {
          const words = error instanceof JobError ? error.message : t("The server cannot be reached.");
          const note = this.lines.get(job.id)?.querySelector(".reconstruct-status");
          if (note) {
            setText(note, words);
          }
        })
        .then(() => this.renew(job.id))
        .catch(() => undefined)
        .finally(() => (button.disabled = false));
    });
    return button;
  }

  private unlock(line: HTMLElement, id: string): void {
    const open = line.querySelector<HTMLButtonElement>(".reconstruct-open");
    if (open !== null) {
      open.disabled = !this.store.state.series.some((one) => one.id === this.jobs.get(id)?.resultId);
    }
  }
}
