/** The viewer's one small state. Functions in `changes.ts` change it; drawing reads it. */

import type { ColourMap } from "../core/colour-map";
import type { Filter } from "../core/enhance";
import type { Series, Stack, Study, Triple } from "../core/facts";
import type { DrawnKind } from "../core/findings";
import type { Fusion } from "../core/fusion";
import type { BodyWish, Hang, Prior } from "../core/hanging";
import type { Mpr, PlaneName, Slab } from "../core/mpr";
import type { KeyImages } from "../core/key-images";
import type { Preferences } from "../core/preferences";
import type { SuvKind } from "../core/suv";
import type { View } from "../core/view";
import type { VolumePlan } from "../core/volume-plan";
import type { WindowChoice } from "../core/voi";
import type { Calibrations } from "./calibrations";
import type { Curve } from "./curves";

/** Tools that act on the picture alone. */
export type PlainTool = "window" | "scroll" | "zoom" | "pan" | "cursor" | "magnifier" | "curve";

export type ToolName = PlainTool | "select" | DrawnKind;

/** How the reader looks at a series in one pane; the last look is kept while others are on the screen. */
export interface Look {
  readonly index: number;
  readonly direction: 1 | -1;
  readonly window: WindowChoice;
  readonly invert: boolean;
  /** null: as the reader's settings have it. */
  readonly smooth: boolean | null;
  readonly hasOverlays: boolean;
  readonly hasShutter: boolean;
  /** For the eye only; of this series alone. */
  readonly filters: readonly Filter[];
  /** Code of a colour map, empty for grey. */
  readonly colourMap: string;
  /** null: as the image comes, neither turned nor moved. */
  readonly view: View | null;
  /** What a player could play is shown frame by frame. */
  readonly asFrames: boolean;
  /** Fitted to the window, and again whenever the window changes its size; rotation and mirror stay. */
  readonly isFitted: boolean;
  /** The presentation state that is applied, by its name. */
  readonly presentation?: string;
}

export interface Cine {
  readonly isPlaying: boolean;
  readonly framesPerSecond: number;
  readonly loops: boolean;
  /** A film that repeats runs back from its end instead of starting again. */
  readonly swings: boolean;
}

export type StackState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly stack: Stack }
  | { readonly kind: "failed"; readonly words: string };

/** What a pane shows of its series: images, pictures cut from its volume, or other contents. */
/** "curved": along a line; "section": the plane across it. */
export type PaneShows = "stack" | "plane" | "curved" | "section" | "volume" | "surface";

/** One picture's place on the page. */
export interface PaneState {
  readonly id: string;
  /** "stack" unless said: the others are of the series' volume. */
  readonly shows: PaneShows;
  /** Which of the three planes, where `shows` is "plane". */
  readonly plane: PlaneName;
  /** Empty: nothing has been put here yet. */
  readonly seriesId: string;
  readonly look: Look;
  /** How the picture lies as long as it is fitted; null: as it comes. */
  readonly hang: Hang | null;
  /** A second series that lies over the pictures; none unless said. */
  readonly fusion?: Fusion | null;
  /** How a body is first seen, where `shows` is "volume"; as the house has it unless said. */
  readonly body?: BodyWish | null;
  /** The image that it was hung for, until its stack is here. */
  readonly wanted: { readonly instanceId: string; readonly frame: number } | null;
}

export type VolumeState =
  | { readonly kind: "loading" }
  | { readonly kind: "ready"; readonly plan: VolumePlan; readonly stackVersion: string }
  /** `reasons` are the passport's. */
  | { readonly kind: "refused"; readonly reasons: readonly string[] }
  | { readonly kind: "failed"; readonly words: string };

export interface BeforeMpr {
  readonly layout: Layout;
  readonly panes: readonly PaneState[];
  readonly activePaneId: string;
}

export interface Layout {
  readonly rows: number;
  readonly columns: number;
}

/** What the other panes do when one does it; `lines`: where the active slice cuts the others. */
export interface Links {
  readonly scroll: boolean;
  readonly window: boolean;
  readonly zoom: boolean;
  readonly lines: boolean;
}
export type LinkName = keyof Links;

/** A point in the patient, shown in every pane of the same frame of reference. */
export interface Cursor {
  readonly lps: Triple;
  readonly frameOfReferenceUid: string;
  /** Where it was set; empty: in another window. */
  readonly paneId: string;
}

export interface ViewerState {
  readonly study: Study;
  readonly series: readonly Series[];
  /** Row by row; as many as the layout has places, and never none. */
  readonly panes: readonly PaneState[];
  readonly activePaneId: string;
  readonly layout: Layout;
  /** The active pane has the whole stage; the others wait behind it. */
  readonly isMaximised: boolean;
  /** The protocol by which the study hangs: a key, or a name of the house's. */
  readonly hungBy: string;
  /** Other studies of the patient, the most fitting to compare with first. */
  readonly priors: readonly Prior[];
  /** How the page was before another study was put beside; null: none is. */
  readonly beforePrior: { readonly layout: Layout; readonly panes: readonly string[]; readonly links: Links } | null;
  /** How the page was before it became three planes; null: it is none. */
  readonly beforeMpr: BeforeMpr | null;
  /** Series as volumes, by the series' id: as the server plans them. */
  readonly volumes: ReadonlyMap<string, VolumeState>;
  /** How each volume is cut, by the series' id; all panes of a series share it. */
  readonly mpr: ReadonlyMap<string, Mpr>;
  /** How deep planes are to look once their volume is planned, by the series' id. */
  readonly slabs?: ReadonlyMap<string, Slab>;
  /** The line that is drawn through each volume, by the series' id. */
  readonly curves?: ReadonlyMap<string, Curve>;
  /** Whether planes show where the others cross them. */
  readonly hasCrosshair: boolean;
  readonly links: Links;
  /** The image that each pane showed when scrolling was linked, by the pane's id. */
  readonly anchors: ReadonlyMap<string, string>;
  readonly cursor: Cursor | null;
  /** Readers' calibration lines, by the image's key. */
  readonly calibrations: Calibrations;
  /** Of the study, in the order of the screen. */
  readonly keyImages: KeyImages;
  readonly stacks: ReadonlyMap<string, StackState>;
  /** The last look at each series, for the next pane that opens it. */
  readonly looks: ReadonlyMap<string, Look>;
  readonly tool: ToolName;
  readonly cine: Cine;
  readonly isStripOpen: boolean;
  readonly isHelpOpen: boolean;
  /** Which panel of the right side is open, by its id; empty: none. */
  readonly openPanel: string;
  /** Which uptake values the reader wants to see; by weight unless said. */
  readonly suvKind?: SuvKind;
  readonly colourMaps: readonly ColourMap[];
  readonly preferences: Preferences;
}

/** Completes a change: what else must be so once this is. */
export type Rule = (before: ViewerState, after: ViewerState) => ViewerState;

export class Store {
  private readonly listeners = new Set<() => void>();
  private readonly rules: Rule[] = [];

  constructor(private current: ViewerState) {}

  get state(): ViewerState {
    return this.current;
  }

  change(make: (state: ViewerState) => ViewerState): void {
    const next = make(this.current);
    if (next !== this.current) {
      this.current = this.rules.reduce((state, rule) => rule(this.current, state), next);
      this.announce();
    }
  }

  /** Tells the listeners to look again, for news that lives outside the state (a frame has come). */
  announce(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }

  addRule(rule: Rule): void {
    this.rules.push(rule);
  }

  subscribe(listener: () => void): void {
    this.listeners.add(listener);
  }
}
