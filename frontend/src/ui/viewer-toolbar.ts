/** The tool row: modes, picture, window, film, page. */

import { formatLevel } from "../core/format";
import { t } from "../core/text";
import type { WindowChoice } from "../core/voi";
import { activeLook, activeSeries, activeStack, setCine, setWindow, turnRepeat } from "../state/changes";
import { uptakeIn } from "../state/fusion";
import type { Store, ViewerState } from "../state/store";
import type { Instrument } from "../tools/tool";
import { icon, make, setAttribute, setIcon, setText } from "./dom";
import { windowChoices, type Command } from "./viewer-commands";
import { keyName } from "./viewer-keys";
import { SlabControl } from "./viewer-slab";
import { Popover, stepInMenu } from "./viewer-popover";
import { leaving, ToolRow } from "./viewer-tool-row";

export class Toolbar {
  readonly root = make("div", { class: "tools", role: "toolbar", "aria-label": t("Tools") });
  /** What belongs to the page and not to the picture; stands below the panels' icons. */
  readonly ofPage: HTMLElement;
  private readonly buttons = new Map<Command, HTMLButtonElement>();
  private readonly windows: WindowControl;
  private readonly film: FilmControl;
  private readonly slab: SlabControl;

  constructor(
    private readonly instrument: Instrument,
    commands: readonly Command[],
    measures: HTMLElement,
    ofPanes: readonly HTMLElement[],
  ) {
    const { store } = instrument;
    this.windows = new WindowControl(instrument);
    this.slab = new SlabControl(store);
    const play = commands.find(({ icon: name }) => name === "play") as Command;
    this.film = new FilmControl(store, this.button(play));
    const group = (name: Command["group"]): HTMLElement =>
      make(
        "div",
        { class: "tools-group", role: "group" },
        ...commands.filter((one) => one.group === name && one.icon !== undefined && one.isInMenu !== true).map((one) => this.button(one)),
      );
    const picture = group("picture");
    const further = commands.filter((one) => one.group === "picture" && one.isInMenu === true);
    picture.append(leaving(this.menu(t("More of the picture"), "chevron-down", further), "picture-menu"));
    const panes = group("panes");
    const ofVolume = commands.filter((one) => one.group === "volume" && one.icon !== undefined);
    const volume = ofVolume.length === 0 ? [] : [leaving(this.menu(t("Volume"), "box", ofVolume, this.slab.root), "volume-menu")];
    panes.prepend(...ofPanes, ...volume);
    this.root.append(group("tools"), measures, picture, this.windows.root, this.film.root, panes);
    this.ofPage = group("page");
    new ToolRow(this.root);
  }

  show(): void {
    const { state } = this.instrument.store;
    for (const [command, button] of this.buttons) {
      label(button, command);
      if (command.isOn !== undefined) {
        setAttribute(button, "aria-pressed", `${command.isOn(state)}`);
      }
    }
    this.windows.show(state);
    this.film.show(state);
    this.slab.show(state);
  }

  /** Less common commands under one button, each with its name and key. */
  private menu(name: string, iconName: string, commands: readonly Command[], ...also: readonly HTMLElement[]): HTMLElement {
    const popover = new Popover(name, name, iconName, () => rows.forEach((show) => show()));
    popover.sheet.classList.add("menu-sheet");
    popover.sheet.addEventListener("keydown", (event) => {
      if (stepInMenu(popover.sheet, event.key)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
    const rows = commands.map((command) => {
      const key = make("kbd");
      const row = make("button", { type: "button", class: "measure-item" }, icon(command.icon ?? "square"), make("span", {}, command.name), key);
      row.addEventListener("click", () => {
        popover.close();
        command.run();
      });
      popover.sheet.append(row);
      return () => {
        setText(key, keyName(command.keys[0] ?? ""));
        setAttribute(row, "aria-pressed", command.isOn === undefined ? null : `${command.isOn(this.instrument.store.state)}`);
      };
    });
    popover.sheet.append(...also);
    return popover.root;
  }

  private button(command: Command): HTMLButtonElement {
    const attributes = { type: "button", class: "tool", "aria-label": command.name };
    const button = leaving(make("button", attributes, icon(command.icon ?? "square")), command.id);
    label(button, command);
    button.addEventListener("click", () => command.run());
    this.buttons.set(command, button);
    return button;
  }
}

/** Says the command's key, which the reader may change at any time. */
function label(button: HTMLElement, { name, keys }: Command): void {
  const [key] = keys;
  const tip = key === undefined ? name : `${name} · ${keyName(key)}`;
  if (button.dataset["tip"] !== tip) {
    button.dataset["tip"] = tip;
    setAttribute(button, "aria-keyshortcuts", key === " " ? "Space" : key);
  }
}

/** Presets in a list, width and level as numbers to type. */
class WindowControl {
  private readonly select = make("select", { class: "entry", "aria-label": t("Window presets") });
  private readonly width = numberField(t("Window width"));
  private readonly level = numberField(t("Window level"));
  readonly root = make(
    "div",
    { class: "tools-group window-control", role: "group" },
    leaving(this.select, "window-presets"),
    leaving(make("label", { class: "number" }, make("span", { "aria-hidden": "true" }, "W"), this.width), "typed-window"),
    leaving(make("label", { class: "number" }, make("span", { "aria-hidden": "true" }, "L"), this.level), "typed-window"),
  );
  private choices: readonly (readonly [string, WindowChoice])[] = [];
  private offered = "";

  private readonly store: Store;

  constructor(private readonly instrument: Instrument) {
    const { store } = instrument;
    this.store = store;
    this.select.addEventListener("change", () => {
      const chosen = this.choices[Number(this.select.value)];
      if (chosen !== undefined) {
        store.change(setWindow(chosen[1]));
      }
    });
    for (const field of [this.width, this.level]) {
      field.addEventListener("change", () => this.typed());
      field.addEventListener("keydown", (event) => event.key === "Enter" && field.blur());
    }
  }

  show(state: ViewerState): void {
    const { shown } = this.instrument.viewport;
    const isGrey = shown !== null && shown.facts.pixelFormat !== "rgb8";
    [this.select, this.width, this.level].forEach((field) => {
      field.disabled = !isGrey;
    });
    this.offer(state);
    if (shown === null || !isGrey) {
      this.width.value = "";
      this.level.value = "";
      return;
    }
    const { voi } = shown;
    const factor = this.factor(state);
    const width = voi.width * factor;
    setUnlessFocused(this.width, formatLevel(width, width));
    setUnlessFocused(this.level, formatLevel(voi.center * factor, width));
  }

  private offer(state: ViewerState): void {
    this.choices = windowChoices(state);
    const look = activeLook(state).window;
    const names = this.choices.map(([name]) => name);
    if (this.offered !== names.join("\n")) {
      this.offered = names.join("\n");
      const own = make("option", { value: "own", hidden: true }, t("Own window"));
      this.select.replaceChildren(own, ...names.map((name, i) => make("option", { value: i }, name)));
    }
    const at = this.choices.findIndex(([, choice]) => isSameChoice(choice, look));
    this.select.value = at < 0 ? "own" : `${at}`;
  }

  /** Uptake is read and typed as SUV. */
  private factor(state: ViewerState): number {
    const series = activeSeries(state);
    return (series === undefined ? null : uptakeIn(state, series))?.factor ?? 1;
  }

  private typed(): void {
    const [width, center] = [Number(this.width.value), Number(this.level.value)];
    if (Number.isFinite(width) && Number.isFinite(center) && width > 0 && this.width.value !== "") {
      const factor = this.factor(this.store.state);
      this.store.change(setWindow({ kind: "manual", window: { center: center / factor, width: width / factor } }));
    } else {
      this.store.announce();
    }
  }
}

class FilmControl {
  private readonly speed = numberField(t("Frames a second"));
  private readonly loop = make(
    "button",
    { type: "button", class: "tool", "aria-label": t("Repeat"), "data-tip": t("Repeat") },
    icon("repeat"),
  );
  readonly root: HTMLElement;

  constructor(
    store: Store,
    private readonly play: HTMLButtonElement,
  ) {
    this.root = make(
      "div",
      { class: "tools-group film-control", role: "group" },
      play,
      leaving(make("label", { class: "number" }, this.speed, make("span", {}, t("fps"))), "film-speed"),
      leaving(this.loop, "film-repeat"),
    );
    this.speed.addEventListener("change", () => {
      store.change(setCine({ framesPerSecond: Number(this.speed.value) || 1 }));
      store.announce();
    });
    this.loop.addEventListener("click", () => store.change(turnRepeat()));
  }

  show(state: ViewerState): void {
    const isFilm = (activeStack(state)?.images.length ?? 0) > 1;
    this.play.disabled = !isFilm;
    this.speed.disabled = !isFilm;
    this.loop.disabled = !isFilm;
    setIcon(this.play.firstElementChild as SVGSVGElement, state.cine.isPlaying ? "pause" : "play");
    const { loops, swings } = state.cine;
    const [name, picture] = !loops ? [t("Play once"), "arrow-right-to-line"] : swings ? [t("There and back"), "arrow-left-right"] : [t("Repeat"), "repeat"];
    setAttribute(this.loop, "aria-pressed", `${loops}`);
    setAttribute(this.loop, "aria-label", name);
    setAttribute(this.loop, "data-tip", `${name} · _`);
    setIcon(this.loop.firstElementChild as SVGSVGElement, picture);
    setUnlessFocused(this.speed, `${state.cine.framesPerSecond}`);
  }
}

function numberField(label: string): HTMLInputElement {
  return make("input", { type: "text", inputmode: "decimal", class: "entry", "aria-label": label, autocomplete: "off" });
}

function setUnlessFocused(field: HTMLInputElement, value: string): void {
  if (document.activeElement !== field && field.value !== value) {
    field.value = value;
  }
}

function isSameChoice(one: WindowChoice, other: WindowChoice): boolean {
  if (one.kind === "preset" && other.kind === "preset") {
    return one.name === other.name;
  }
  if (one.kind === "relative" && other.kind === "relative") {
    return one.name === other.name;
  }
  if (one.kind === "window" || one.kind === "table") {
    return other.kind === one.kind && other.index === one.index;
  }
  return one.kind === other.kind && one.kind !== "manual";
}
