/** The reader's settings: changed here, kept by the server, in force at once. */

import {
  CORNER_FIELDS,
  CORNERS,
  cornerOf,
  cornersFor,
  DRAG_TOOLS,
  HOUSE_PREFERENCES,
  placeField,
  type Corner,
  type CornerField,
  type DragTool,
  type Preferences,
} from "../core/preferences";
import { t } from "../core/text";
import { activeSeries } from "../state/changes";
import type { SettingsKeeper } from "../state/settings";
import type { Instrument } from "../tools/tool";
import { make, setText } from "./dom";
import { KeyEditor } from "./viewer-settings-keys";
import type { Command } from "./viewer-commands";
import { screenPart } from "./viewer-screen";
import type { SidePanel } from "./viewer-side";

type Choice = readonly [string, string];

export function settingsPanel(instrument: Instrument, keeper: SettingsKeeper, commands: () => readonly Command[]): SidePanel {
  const content = new Settings(instrument, keeper, commands);
  return { id: "settings", name: t("Your settings"), icon: "settings", key: "y", root: content.root, show: () => content.show() };
}

class Settings {
  private readonly note = make("p", { class: "settings-note", role: "status" });
  private readonly body = make("div");
  readonly root = make("div", { class: "settings-body" }, this.note, this.body);
  private readonly keyEditor: KeyEditor;
  private shown: Preferences | null = null;
  private shownModality = "";

  constructor(
    private readonly instrument: Instrument,
    private readonly keeper: SettingsKeeper,
    commands: () => readonly Command[],
  ) {
    this.keyEditor = new KeyEditor(keeper, commands);
  }

  show(): void {
    const now = this.keeper.preferences;
    const modality = activeSeries(this.instrument.store.state)?.modality ?? "";
    setText(this.note, this.words());
    this.keyEditor.show();
    if (this.shown === now && this.shownModality === modality) {
      return;
    }
    const focused = document.activeElement?.id ?? "";
    this.shown = now;
    this.shownModality = modality;
    this.body.replaceChildren(
      this.mouse(now),
      this.windows(now, modality),
      this.corners(now, modality),
      this.marks(now),
      this.films(now),
      section(t("This screen"), screenPart()),
      section(t("Keys"), this.keyEditor.root),
      this.reset(),
    );
    if (focused.startsWith("settings-")) {
      document.getElementById(focused)?.focus();
    }
  }

  private words(): string {
    const { problem, isSaving } = this.keeper;
    return problem || (isSaving ? t("Saving") : t("Settings follow your account to every screen."));
  }

  private mouse(now: Preferences): HTMLElement {
    const tools: Choice[] = DRAG_TOOLS.map((tool) => [tool, toolName(tool)]);
    const { mouse } = now;
    // Of now, not of when this was drawn: two changes may come before the next frame.
    const change = (part: Partial<Preferences["mouse"]>): void => this.keeper.change({ mouse: { ...this.keeper.preferences.mouse, ...part } });
    return section(
      t("Mouse"),
      select(t("Left button"), "left", [["", t("By screen")], ...tools], mouse.left ?? "", (tool) =>
        change({ left: tool === "" ? null : (tool as DragTool) }),
      ),
      select(t("Middle button"), "middle", tools, mouse.middle, (tool) => change({ middle: tool as DragTool })),
      select(t("Right button"), "right", tools, mouse.right, (tool) => change({ right: tool as DragTool })),
      select(t("Wheel"), "wheel", [["scroll", t("Scroll")], ["zoom", t("Zoom")]], mouse.wheel, (way) =>
        change({ wheel: way as "scroll" | "zoom" }),
      ),
      check(t("Wheel turned round"), "reversed", mouse.isWheelReversed, (isWheelReversed) => change({ isWheelReversed })),
    );
  }

  private windows(now: Preferences, modality: string): HTMLElement {
    const name = make("input", { class: "entry", id: "settings-preset", maxlength: 60, placeholder: t("Name of the window"), "aria-label": t("Name of the window") });
    const add = make("button", { type: "button", class: "button" }, t("Keep this window"));
    add.addEventListener("click", () => {
      const { shown } = this.instrument.viewport;
      const label = name.value.trim();
      if (shown === null || shown.facts.pixelFormat === "rgb8" || label === "") {
        name.focus();
        return;
      }
      const { center, width } = shown.voi;
      this.keeper.change({ presets: [...this.keeper.preferences.presets, { label, modality: modality || "*", center, width }] });
    });
    const rows = now.presets.map((preset) => {
      const remove = make("button", { type: "button", class: "button" }, t("Remove"));
      remove.setAttribute("aria-label", `${t("Remove")}: ${preset.label}`);
      remove.addEventListener("click", () => this.keeper.change({ presets: this.keeper.preferences.presets.filter((one) => one !== preset) }));
      const words = `${preset.label} · ${preset.modality === "*" ? t("all") : preset.modality} · W ${round(preset.width)} L ${round(preset.center)}`;
      return make("div", { class: "settings-row" }, make("span", { dir: "auto" }, words), remove);
    });
    return section(t("Your windows"), ...rows, make("div", { class: "settings-row" }, name, add));
  }

  private corners(now: Preferences, modality: string): HTMLElement {
    const key = modality || "*";
    const texts = cornersFor(now, modality);
    const places: Choice[] = [["", t("Not shown")], ...CORNERS.map((corner): Choice => [corner, cornerName(corner)])];
    const fields = CORNER_FIELDS.map((field) =>
      select(fieldName(field), `corner-${field}`, places, cornerOf(texts, field) ?? "", (corner) => {
        const { preferences } = this.keeper;
        const placed = placeField(cornersFor(preferences, modality), field, corner === "" ? null : (corner as Corner));
        this.keeper.change({ corners: { ...preferences.corners, [key]: placed } });
      },
      ),
    );
    const note = make("p", { class: "settings-note" }, t("Warnings and the patient's banner always stay."));
    return section(t("Corners for {modality}", { modality: modality || t("all") }), note, ...fields);
  }

  private marks(now: Preferences): HTMLElement {
    const { marks } = now;
    const change = (part: Partial<Preferences["marks"]>): void => this.keeper.change({ marks: { ...this.keeper.preferences.marks, ...part } });
    const colour = make("input", { type: "color", id: "settings-colour", value: marks.colour ?? "#ffd166" });
    colour.addEventListener("change", () => change({ colour: colour.value }));
    return section(
      t("Marks on pictures"),
      make("label", { class: "settings-row" }, t("Colour"), colour),
      number(t("Text, px"), "text", marks.textPx ?? 13, [10, 28], (textPx) => change({ textPx })),
      number(t("Line, px"), "line", marks.linePx ?? 1.5, [0.5, 6], (linePx) => change({ linePx })),
    );
  }

  private films(now: Preferences): HTMLElement {
    return section(
      t("Page, pictures and films"),
      check(t("Smaller tools and rows"), "compact", now.isCompact, (isCompact) => this.keeper.change({ isCompact })),
      check(t("Smooth pixels"), "smooth", now.smooth, (smooth) => this.keeper.change({ smooth })),
      check(t("Repeat"), "loops", now.loops, (loops) => this.keeper.change({ loops })),
      number(t("Frames a second"), "fps", now.framesPerSecond ?? 15, [1, 60], (fps) =>
        this.keeper.change({ framesPerSecond: Math.round(fps) }),
      ),
    );
  }

  private reset(): HTMLElement {
    const button = make("button", { type: "button", class: "button", id: "settings-reset" }, t("All as the house has it"));
    button.addEventListener("click", () => this.keeper.change(HOUSE_PREFERENCES));
    return make("div", { class: "settings-row" }, button);
  }
}

function section(name: string, ...parts: readonly HTMLElement[]): HTMLElement {
  return make("section", { class: "settings-section" }, make("h3", {}, name), ...parts);
}

function select(name: string, id: string, choices: readonly Choice[], value: string, onChange: (value: string) => void): HTMLElement {
  const field = make("select", { class: "entry", id: `settings-${id}` }, ...choices.map(([key, words]) => make("option", { value: key }, words)));
  field.value = value;
  field.addEventListener("change", () => onChange(field.value));
  return make("label", { class: "settings-row" }, name, field);
}

function check(name: string, id: string, value: boolean, onChange: (value: boolean) => void): HTMLElement {
  const field = make("input", { type: "checkbox", id: `settings-${id}`, checked: value });
  field.addEventListener("change", () => onChange(field.checked));
  return make("label", { class: "settings-row" }, name, field);
}

function number(name: string, id: string, value: number, [low, high]: readonly [number, number], onChange: (value: number) => void): HTMLElement {
  const field = make("input", { type: "number", class: "entry", id: `settings-${id}`, min: low, max: high, step: "any", value });
  field.addEventListener("change", () => {
    const typed = Number(field.value);
    if (field.value !== "" && typed >= low && typed <= high) {
      onChange(typed);
    } else {
      field.value = `${value}`;
    }
  });
  return make("label", { class: "settings-row" }, name, field);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

export function toolName(tool: DragTool): string {
  return { window: t("Window and level"), scroll: t("Scroll"), zoom: t("Zoom"), pan: t("Pan") }[tool];
}

function cornerName(corner: Corner): string {
  return { top_left: t("Top left"), top_right: t("Top right"), bottom_left: t("Bottom left"), bottom_right: t("Bottom right") }[corner];
}

function fieldName(field: CornerField): string {
  const names: Readonly<Record<CornerField, string>> = {
    patient_name: t("Patient's name"),
    patient_id: t("Patient ID"),
    patient_birth_date: t("Birth date"),
    patient_sex: t("Sex"),
    patient_age: t("Age"),
    facility: t("Facility"),
    study_date: t("Study date"),
    study_description: t("Study description"),
    accession_number: t("Accession number"),
    series: t("Series, modality, side"),
    series_description: t("Series description"),
    body_part_examined: t("Body part"),
    image: t("Image number"),
    window_name: t("Name of the window"),
    window: t("Window"),
    zoom: t("Zoom"),
    slice_thickness: t("Slice thickness"),
    slice_position: t("Slice position"),
    matrix: t("Rows and columns"),
  };
  return names[field];
}
