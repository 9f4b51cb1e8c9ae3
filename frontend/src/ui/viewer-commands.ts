/** Every action of the viewer with its name, icon and key; tool row, keyboard and help read this list. */

import { t } from "../core/text";
import { AS_FILED, type WindowChoice } from "../core/voi";
import { FILTERS } from "../core/enhance";
import { ownPresetsFor } from "../core/preferences";
import { choiceOf, type Preset } from "../core/presets";
import {
  activeImage,
  activeLook,
  activeSeries,
  activeStack,
  filedSpeed,
  fit,
  goTo,
  isSmooth,
  resetLook,
  setCine,
  setHelpOpen,
  setOpenPanel,
  setStripOpen,
  setTool,
  setWindow,
  step,
  stepSeries,
  toggleFilter,
  toggleInvert,
  toggleOverlays,
  togglePlaying,
  toggleShutter,
  toggleSmooth,
  turnRepeat,
} from "../state/changes";
import { presetsIn } from "../state/fusion";
import type { ToolName, ViewerState } from "../state/store";
import type { Instrument } from "../tools/tool";
import { flip, oneToOne, rotate, trueSize } from "../tools/turn";
import { zoomBy } from "../tools/zoom";
import { toggleSendTo } from "./send-to";
import { filterName } from "./viewer-marks";
import { screenPxPerMm } from "./viewer-screen";

export interface Command {
  /** What the reader's settings call it: lower-case letters, digits and dashes; it never changes. */
  readonly id: string;
  readonly name: string;
  /** As `KeyboardEvent.key` gives it; the first one is shown. */
  readonly keys: readonly string[];
  readonly group: "tools" | "measure" | "picture" | "stack" | "window" | "volume" | "panes" | "page" | "panels";
  readonly icon?: string;
  /** Stands in the group's menu and not in the row. */
  readonly isInMenu?: boolean;
  /** How the help writes the keys, when not as the first two. */
  readonly shownKeys?: readonly string[];
  readonly run: (key?: string) => void;
  /** When it says no, the key is the browser's. */
  readonly canRun?: () => boolean;
  /** For buttons that stay pressed. */
  readonly isOn?: (state: ViewerState) => boolean;
}

/** Shows words for a moment. */
type Say = (words: string) => void;

const ZOOM_STEP = 1.25;
const PAGE_OF_IMAGES = 10;

export function makeCommands(instrument: Instrument, leave: () => void, say: Say): readonly Command[] {
  return [
    ...toolCommands(instrument),
    ...pictureCommands(instrument, say),
    ...stackCommands(instrument),
    ...windowCommands(instrument),
    ...pageCommands(instrument, leave),
  ];
}

function toolCommands({ store }: Instrument): Command[] {
  const tools: readonly (readonly [ToolName, string, string, string])[] = [
    ["window", t("Window and level"), "w", "sun-medium"],
    ["scroll", t("Scroll"), "s", "layers"],
    ["zoom", t("Zoom"), "z", "zoom-in"],
    ["pan", t("Pan"), "p", "hand"],
    ["cursor", t("3D cursor"), ";", "crosshair"],
    ["magnifier", t("Magnifier"), "F2", "search"],
  ];
  return tools.map(([tool, name, key, icon]) => ({
    id: `tool-${tool}`,
    name,
    keys: [key],
    group: "tools",
    icon,
    run: () => store.change(setTool(tool)),
    isOn: (state) => state.tool === tool,
  }));
}

function pictureCommands(instrument: Instrument, say: Say): Command[] {
  const { store } = instrument;
  const command = (id: string, name: string, keys: string[], icon: string, run: () => void): Command => ({
    id,
    name,
    keys,
    group: "picture",
    icon,
    run,
  });
  return [
    {
      ...command("fit-to-window", t("Fit to window"), ["f"], "maximize", () => store.change(fit())),
      isOn: (state) => activeLook(state).isFitted,
    },
    inMenu(command("true-size", t("True size"), ["F4"], "ruler-dimension-line", () => truly(instrument, say))),
    inMenu(command("one-to-one", t("One to one"), ["o"], "scan", () => oneToOne(instrument))),
    {
      ...command("invert", t("Invert"), ["i"], "contrast", () => store.change(toggleInvert())),
      isOn: (state) => activeLook(state).invert,
    },
    inMenu(command("rotate-left", t("Rotate left"), ["l"], "rotate-ccw", () => rotate(instrument, -90))),
    command("rotate-right", t("Rotate right"), ["r"], "rotate-cw", () => rotate(instrument, 90)),
    // Lucide names the mirror's axis, we the way that the picture goes.
    inMenu(command("flip-left-to-right", t("Flip left to right"), ["h"], "flip-vertical-2", () => flip(instrument, "horizontal"))),
    inMenu(command("flip-top-to-bottom", t("Flip top to bottom"), ["v"], "flip-horizontal-2", () => flip(instrument, "vertical"))),
    {
      ...command("overlays-of-the-file", t("Overlays of the file"), ["g"], "eye", () => store.change(toggleOverlays())),
      isOn: (state) => activeLook(state).hasOverlays,
    },
    {
      id: "shutter-of-the-file",
      name: t("Shutter of the file"),
      keys: ["u"],
      group: "picture",
      run: () => store.change(toggleShutter()),
      isOn: (state) => activeLook(state).hasShutter,
    },
    command("reset", t("Reset"), ["x"], "undo-2", () => store.change(resetLook())),
    { id: "larger", name: t("Larger"), keys: ["+", "="], group: "picture", run: () => zoomBy(instrument, ZOOM_STEP) },
    { id: "smaller", name: t("Smaller"), keys: ["-"], group: "picture", run: () => zoomBy(instrument, 1 / ZOOM_STEP) },
    {
      id: "smooth-pixels",
      name: t("Smooth pixels"),
      keys: ["n"],
      group: "picture",
      run: () => store.change(toggleSmooth()),
      isOn: (state) => isSmooth(state, activeLook(state)),
    },
  ];
}

function stackCommands({ store }: Instrument): Command[] {
  const command = (id: string, name: string, keys: string[], run: () => void): Command => ({ id, name, keys, group: "stack", run });
  return [
    command("next-image", t("Next image"), ["ArrowDown", "ArrowRight"], () => store.change(step(1))),
    command("previous-image", t("Previous image"), ["ArrowUp", "ArrowLeft"], () => store.change(step(-1))),
    command("ten-images-on", t("Ten images on"), ["PageDown"], () => store.change(step(PAGE_OF_IMAGES))),
    command("ten-images-back", t("Ten images back"), ["PageUp"], () => store.change(step(-PAGE_OF_IMAGES))),
    command("first-image", t("First image"), ["Home"], () => store.change(goTo(0))),
    command("last-image", t("Last image"), ["End"], () => store.change(goTo(Number.MAX_SAFE_INTEGER))),
    command("next-series", t("Next series"), ["]"], () => store.change(stepSeries(1))),
    command("previous-series", t("Previous series"), ["["], () => store.change(stepSeries(-1))),
    {
      ...command("play-or-pause", t("Play or pause"), [" "], () => togglePlay(store)),
      icon: "play",
      isOn: (state) => state.cine.isPlaying,
    },
    command("faster", t("Faster"), ["."], () => store.change((state) => setCine(speedBy(state, 1))(state))),
    command("repeat-of-film", t("Repeat, there and back, once"), ["_"], () => store.change(turnRepeat())),
    command("slower", t("Slower"), [","], () => store.change((state) => setCine(speedBy(state, -1))(state))),
  ];
}

function speedBy(state: ViewerState, by: number): { framesPerSecond: number } {
  return { framesPerSecond: state.cine.framesPerSecond + by };
}

function inMenu(command: Command): Command {
  return { ...command, isInMenu: true };
}

/** On a measured screen and with a known pixel; else the words say what is missing. */
function truly(instrument: Instrument, announce: Say): void {
  const pxPerMm = screenPxPerMm();
  if (pxPerMm === null) {
    announce(t("Measure this screen first: see Your settings."));
    instrument.store.change(setOpenPanel("settings"));
  } else if (!trueSize(instrument, pxPerMm)) {
    announce(t("The file does not say how large its pixels are."));
  }
}

export function togglePlay(store: Instrument["store"]): void {
  store.change(togglePlaying());
}

/** Takes over the film speed that the open series asks for. */
export function adoptFiledSpeed(store: Instrument["store"]): void {
  store.change((state) => setCine({ framesPerSecond: filedSpeed(activeImage(state), state.preferences.framesPerSecond) })(state));
}

/** The windows on offer for what is on the screen: the file's own, automatic, presets. */
export function windowChoices(state: ViewerState): readonly (readonly [string, WindowChoice])[] {
  const facts = activeImage(state);
  const [windows, luts] = [facts?.windows ?? [], facts?.voiLuts ?? []];
  // The first of the file's own is "As filed" already.
  const tables = luts
    .map((table, index) => [table.explanation || `LUT ${index + 1}`, { kind: "table", index }] as const)
    .slice(1);
  const filed = windows
    .map(({ explanation }, index) => {
      const name = explanation || t("Window {number}", { number: index + 1 });
      return [name, { kind: "window", index }] as const;
    })
    .slice(luts.length > 0 ? 0 : 1);
  const presets = presetsNow(state).map((preset) => [preset.label, choiceOf(preset)] as const);
  const own = ownPresetsFor(state.preferences, activeSeries(state)?.modality ?? "").map(
    ({ label, center, width }) => [label, { kind: "manual", window: { center, width } }] as const,
  );
  const automatic = [t("Automatic"), { kind: "auto" }] as const;
  return [[t("As filed"), AS_FILED] as const, ...tables, ...filed, automatic, ...own, ...presets];
}

function presetsNow(state: ViewerState): readonly Preset[] {
  const stack = activeStack(state);
  return stack === null ? [] : presetsIn(state, stack);
}

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

function windowCommands(instrument: Instrument): Command[] {
  const { store } = instrument;
  const automatic = (): void =>
    store.change(setWindow({ kind: "auto", of: instrument.viewport.shown?.facts.key ?? "" }));
  return [
    { id: "as-filed", name: t("As filed"), keys: ["0"], group: "window", run: () => store.change(setWindow(AS_FILED)) },
    { id: "automatic", name: t("Automatic"), keys: ["a"], group: "window", run: automatic },
    {
      id: "window-preset-of-this-number",
      name: t("Window preset of this number"),
      keys: DIGITS,
      shownKeys: ["1", "…", "9"],
      group: "window",
      run: (key) => {
        const preset = presetsNow(store.state).find((one) => `${one.key}` === key);
        if (preset !== undefined) {
          store.change(setWindow(choiceOf(preset)));
        }
      },
    },
    ...FILTERS.map((name, i): Command => ({
      id: `filter-${name}`,
      name: filterName(name),
      keys: [["D", "C", "S", "E"][i] as string],
      group: "window",
      run: () => store.change(toggleFilter(name)),
      isOn: (state) => activeLook(state).filters.some((one) => one.name === name),
    })),
  ];
}

function pageCommands({ store }: Instrument, leave: () => void): Command[] {
  return [
    {
      id: "series-list",
      name: t("Series list"),
      keys: ["b"],
      group: "page",
      icon: "panel-left",
      run: () => store.change((state) => setStripOpen(!state.isStripOpen)(state)),
      isOn: (state) => state.isStripOpen,
    },
    {
      id: "all-keys",
      name: t("All keys"),
      keys: ["?"],
      group: "page",
      icon: "keyboard",
      run: () => store.change((state) => setHelpOpen(!state.isHelpOpen)(state)),
      isOn: (state) => state.isHelpOpen,
    },
    {
      id: "send-to",
      name: t("Send to another archive"),
      keys: ["F3"],
      group: "page",
      run: () => toggleSendTo(),
      canRun: () => document.querySelector("details[data-send]") !== null,
    },
    { id: "back-to-the-worklist", name: t("Back to the worklist"), keys: ["q"], group: "page", run: leave },
  ];
}
