/** The panel that has series made by the server: what, how, how far it is, and the result. */

import {
  BODIES,
  defaultPlane,
  defaultSpacingMm,
  fieldsOf,
  KINDS,
  MODES,
  outputsOf,
  parametersOf,
  PLANES,
  TISSUES,
  type Body,
  type Choice,
  type Field,
  type Kind,
  type Mode,
  type Plane,
  type Tissue,
} from "../core/reconstruction-wish";
import { t } from "../core/text";
import type { ViewerPage } from "../io/api";
import { JobApi, JobError } from "../io/reconstructions";
import type { JsonObject } from "../io/read";
import { activeSeries, activeStack, setOpenPanel } from "../state/changes";
import type { Store } from "../state/store";
import { make, setText } from "./dom";
import type { Command } from "./viewer-commands";
import { kindName, ReconstructionList, valueName } from "./viewer-reconstruct-list";
import type { SidePanel } from "./viewer-side";

const PANEL = "reconstruct";

export function reconstructCommand(store: Store): Command {
  return { id: "reconstruct", name: t("Reconstruct …"), keys: [], group: "volume", icon: "images", run: () => store.change(setOpenPanel(PANEL)) };
}

export class Reconstruct {
  private readonly kind = select(KINDS, kindName);
  private readonly plane = select(PLANES);
  private readonly mode = select(MODES);
  private readonly tissue = select(TISSUES);
  private readonly body = select(BODIES);
  private readonly spacing = number(0.05, 1000, 0.5);
  private readonly thickness = number(0, 1000, 0.5);
  private readonly views = number(2, 360, 1);
  private readonly lowest = number(-1e9, 1e9, 1);
  private readonly highest = number(-1e9, 1e9, 1);
  private readonly lines: readonly (readonly [Field, HTMLElement])[] = [
    ["plane", row(t("Plane"), this.plane)],
    ["mode", row(t("Mode"), this.mode)],
    ["thickness", row(t("Thickness (mm)"), this.thickness)],
    ["spacing", row(t("Every (mm)"), this.spacing)],
    ["views", row(t("Views"), this.views)],
    ["body", row(t("Preset"), this.body)],
    ["tissue", row(t("Tissue"), this.tissue)],
    ["range", row(t("From"), this.lowest)],
    ["range", row(t("To"), this.highest)],
  ];
  private readonly outputs = make("fieldset", { class: "reconstruct-outputs" });
  private readonly go = make("button", { type: "submit", class: "button primary" }, t("Reconstruct"));
  private readonly note = make("p", { class: "reconstruct-note", role: "status" });
  private readonly source = make("p", { class: "reconstruct-source", dir: "auto" });
  private readonly list: ReconstructionList;
  private readonly api: JobApi;
  private readonly root: HTMLElement;
  private shown: string | undefined;
  private isReady = false;

  constructor(
    page: ViewerPage,
    private readonly store: Store,
  ) {
    this.api = new JobApi(`${page.apiUrl}reconstructions/`, page.person.csrfToken);
    this.list = new ReconstructionList(this.api, store);
    const form = make("form", { class: "reconstruct-form" }, this.source, row(t("What"), this.kind), ...this.lines.map(([, line]) => line), this.outputs, this.go, this.note);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.start();
    });
    this.kind.addEventListener("change", () => this.offerOutputs());
    form.addEventListener("change", () => this.arrange());
    const all = make("a", { class: "reconstruct-all", href: "/reconstructions/" }, t("All reconstructions"));
    this.root = make("div", { class: "reconstruct-body" }, form, this.list.root, all);
    this.mode.value = "mean";
    this.views.value = "36";
    this.lowest.value = "200";
    this.offerOutputs();
    this.arrange();
  }

  get panel(): SidePanel {
    return { id: PANEL, name: t("Reconstructions"), icon: "images", key: "Ctrl+j", root: this.root, show: () => this.show() };
  }

  /** What the stream of news says of a job. */
  hear(payload: JsonObject): void {
    this.list.hear(payload);
  }

  /** Has a series made by somebody else's wish; the panel shows how far it is. */
  async make(seriesId: string, kind: Kind | "curved", parameters: JsonObject): Promise<void> {
    this.store.change(setOpenPanel(PANEL));
    await this.create(seriesId, kind, parameters);
  }

  private show(): void {
    if (!this.isReady) {
      this.isReady = true;
      void this.ask();
    }
    const { state } = this.store;
    const series = activeSeries(state);
    const stack = activeStack(state);
    if (series === undefined || stack === null || series.id === this.shown) {
      return;
    }
    this.shown = series.id;
    const facts = stack.images[Math.floor(stack.images.length / 2)];
    this.plane.value = defaultPlane(facts);
    this.spacing.value = `${defaultSpacingMm(facts)}`;
    this.thickness.value = this.kind.value === "mpr" ? this.spacing.value : "";
    setText(this.source, [series.seriesNumber === null ? "" : `#${series.seriesNumber}`, series.seriesDescription || series.modality].join(" ").trim());
    setText(this.note, "");
    this.go.disabled = false;
  }

  /** Offers what this installation can make; a role that may look only is told so. */
  private async ask(): Promise<void> {
    void this.list.load();
    try {
      const { kinds, mayAsk } = await this.api.kinds();
      for (const option of this.kind.options) {
        option.hidden = option.disabled = !kinds.includes(option.value);
      }
      this.go.disabled = !mayAsk;
      setText(this.note, mayAsk ? "" : t("Your role may look at reconstructions only."));
    } catch {
      setText(this.note, t("The server cannot be reached."));
    }
  }

  private offerOutputs(): void {
    const kind = this.kind.value as Kind;
    const boxes = outputsOf(kind).map((output, place) =>
      make("label", {}, make("input", { type: "checkbox", value: output, checked: place === 0 }), valueName(output)),
    );
    this.outputs.replaceChildren(make("legend", {}, t("As")), ...boxes);
    this.thickness.value = kind === "mpr" ? this.spacing.value : "";
  }

  private arrange(): void {
    const fields = fieldsOf(this.choice());
    this.lines.forEach(([field, line]) => (line.hidden = !fields.includes(field)));
    this.thickness.placeholder = this.kind.value === "mpr" ? "" : t("the whole volume");
    this.thickness.required = this.kind.value === "mpr" && fields.includes("thickness");
    this.lowest.required = fields.includes("range");
  }

  private choice(): Choice {
    const chosen = [...this.outputs.querySelectorAll<HTMLInputElement>("input:checked")];
    return {
      kind: this.kind.value as Kind,
      plane: this.plane.value as Plane,
      mode: this.mode.value as Mode,
      tissue: this.tissue.value as Tissue,
      body: this.body.value as Body,
      spacingMm: this.spacing.valueAsNumber,
      thicknessMm: this.thickness.valueAsNumber,
      views: this.views.valueAsNumber,
      lowest: this.lowest.valueAsNumber,
      highest: this.highest.valueAsNumber,
      outputs: chosen.map(({ value }) => value),
    };
  }

  private async start(): Promise<void> {
    const choice = this.choice();
    const series = activeSeries(this.store.state);
    if (series === undefined) {
      return;
    }
    if (choice.outputs.length === 0) {
      setText(this.note, t("Choose at least one output."));
      return;
    }
    await this.create(series.id, choice.kind, parametersOf(choice) as JsonObject);
  }

  private async create(series: string, kind: string, parameters: JsonObject): Promise<void> {
    const wasDisabled = this.go.disabled;
    this.go.disabled = true;
    setText(this.note, t("Asking the server …"));
    try {
      const id = await this.api.create({ series, kind, parameters });
      setText(this.note, "");
      await this.list.renew(id);
    } catch (error) {
      setText(this.note, error instanceof JobError ? error.message : t("The server cannot be reached."));
    } finally {
      this.go.disabled = wasDisabled;
    }
  }
}

function select(values: readonly string[], name: (value: string) => string = valueName): HTMLSelectElement {
  return make("select", { class: "entry" }, ...values.map((value) => make("option", { value }, name(value))));
}

function number(min: number, max: number, step: number): HTMLInputElement {
  return make("input", { class: "entry", type: "number", min, max, step: step < 1 ? "any" : step });
}

function row(name: string, field: HTMLElement): HTMLLabelElement {
  return make("label", { class: "reconstruct-row" }, make("span", {}, name), field);
}
