/** What lies over the pictures of one pane: fetched as they come, put over the one in sight, and named on it. */

import { formatLevel } from "../core/format";
import { makeOverlay, usualEnds, type Fusion, type Overlay, type OverlayPlane } from "../core/fusion";
import type { ImageFacts, Series, Stack } from "../core/facts";
import { shownScale } from "../core/suv";
import { t } from "../core/text";
import type { VolumePlan } from "../core/volume-plan";
import { OverlayPlanes } from "../io/overlay-planes";
import { OverlayCutter } from "../render/overlay-cutter";
import { fusionIn, suvKindOf } from "../state/fusion";
import { imageIn, stackIn } from "../state/panes";
import type { PaneState, ViewerState } from "../state/store";
import { fuseWords } from "./viewer-fusion-words";
import { paletteFor, type Scene } from "./viewer-scene";
import type { Volumes } from "./viewer-volumes";

/** So many pictures on either side of the one in sight are overlaid ahead. */
const AHEAD = 4;

export interface FusionHouse {
  readonly apiUrl: string;
  readonly volumes: Volumes;
  readonly announce: () => void;
  readonly loadStack: (seriesId: string) => void;
}

export class FusionLayer {
  private readonly planes: OverlayPlanes;
  private readonly cutter = new OverlayCutter();
  private readonly ends = new Map<string, readonly [number, number]>();
  private made: Overlay | null = null;

  constructor(private readonly house: FusionHouse) {
    this.planes = new OverlayPlanes(house.apiUrl, house.announce);
  }

  /** Asks for what the pane wants now. */
  follow(state: ViewerState, pane: PaneState): void {
    const fusion = fusionIn(pane);
    if (fusion === null || fusion.isHidden) {
      this.planes.close();
      this.cutter.clear();
      return;
    }
    if (!state.stacks.has(fusion.seriesId)) {
      this.house.loadStack(fusion.seriesId);
    }
    const isAsked = this.wordsAgainst(state, pane, fusion) === "" && this.planFor(state, fusion)?.isCutHere === false;
    this.planes.want(fusion.seriesId, isAsked ? wantedImages(state, pane) : []);
  }

  /** The scene with the overlay in it, once that has come. */
  overlaid(state: ViewerState, pane: PaneState, scene: Scene): Scene {
    const fusion = fusionIn(pane);
    if (fusion === null || fusion.isHidden || scene.kind !== "picture") {
      return scene;
    }
    const fused = this.wordsAgainst(state, pane, fusion) === "" ? this.overlayOf(state, fusion, scene.shown.facts) : null;
    return fused === null ? scene : { ...scene, shown: { ...scene.shown, fused } };
  }

  /** Whether the overlay of an image is here or will not come. */
  isSettled(state: ViewerState, pane: PaneState, key: string): boolean {
    const fusion = fusionIn(pane);
    const facts = stackIn(state, pane)?.images.find((image) => image.key === key);
    if (fusion === null || fusion.isHidden || facts === undefined) {
      return true;
    }
    const isRefused = this.wordsAgainst(state, pane, fusion) !== "" || this.failureOf(state, fusion, facts) !== undefined;
    return isRefused || this.planeOf(state, fusion, facts) !== undefined;
  }

  /** Which series lies over the picture, in which colours; or why it does not yet. */
  notes(state: ViewerState, pane: PaneState): string[] {
    const fusion = fusionIn(pane);
    const series = state.series.find(({ id }) => id === fusion?.seriesId);
    if (fusion === null || series === undefined) {
      return [];
    }
    const title = t("Fused with {series}", { series: seriesWords(series) });
    const facts = imageIn(state, pane);
    if (fusion.isHidden) {
      return [`${title}: ${t("hidden")}`];
    }
    const against = this.wordsAgainst(state, pane, fusion);
    if (against !== null && against !== "") {
      return [`${title}: ${against}`];
    }
    const overlay = facts === undefined ? null : this.overlayOf(state, fusion, facts);
    if (overlay !== null) {
      return [title, [overlayWords(state, overlay), ...timeNote(state, fusion)].join(" · ")];
    }
    const failure = facts === undefined ? undefined : this.failureOf(state, fusion, facts);
    const words = failure === undefined ? t("Loading") : failure || t("The server did not answer.");
    return [`${title}: ${words}`];
  }

  /** However the overlay came here: what cannot be fused is never drawn. null: not known yet. */
  private wordsAgainst(state: ViewerState, pane: PaneState, { seriesId }: Fusion): string | null {
    const series = state.series.find(({ id }) => id === seriesId);
    return series === undefined || imageIn(state, pane) === undefined ? null : fuseWords(state, pane, series);
  }

  retry(): void {
    this.planes.retry();
  }

  dispose(): void {
    this.planes.close();
  }

  /** How the upper series is a volume, and whether its frames are cut here; null: not known yet, or it is none. */
  private planFor(state: ViewerState, fusion: Fusion): { readonly plan: VolumePlan; readonly stack: Stack; readonly isCutHere: boolean } | null {
    const [volume, stack] = [state.volumes.get(fusion.seriesId), overlayStack(state, fusion)];
    if (volume?.kind !== "ready" || stack === null) {
      return null;
    }
    return { plan: volume.plan, stack, isCutHere: this.house.volumes.serverReason(volume.plan, stack) === "" };
  }

  private planeOf(state: ViewerState, fusion: Fusion, facts: ImageFacts): OverlayPlane | undefined {
    const found = this.planFor(state, fusion);
    if (found === null) {
      return undefined;
    }
    const { plan, stack, isCutHere } = found;
    return isCutHere ? this.cutter.planeOf(plan, stack, this.house.volumes.slicesOf(plan), facts) : this.planes.planeOf(fusion.seriesId, facts);
  }

  /** Why there is no overlay and will be none; undefined: it is on its way. */
  private failureOf(state: ViewerState, fusion: Fusion, facts: ImageFacts): string | undefined {
    const volume = state.volumes.get(fusion.seriesId);
    if (volume?.kind === "refused") {
      return volume.reasons.join(" ");
    }
    if (volume?.kind === "failed") {
      return volume.words;
    }
    const found = this.planFor(state, fusion);
    if (found?.isCutHere !== true) {
      return this.planes.failureOf(fusion.seriesId, facts);
    }
    const { here, failed } = this.house.volumes.arrived(found.plan);
    return failed > 0 && here + failed === found.plan.keys.length ? t("Some of its images could not be loaded.") : undefined;
  }

  private overlayOf(state: ViewerState, fusion: Fusion, facts: ImageFacts): Overlay | null {
    const plane = this.planeOf(state, fusion, facts);
    const series = state.series.find(({ id }) => id === fusion.seriesId);
    const found = state.stacks.get(fusion.seriesId);
    const palette = paletteFor(state, fusion.colourMap);
    if (plane === undefined || series === undefined || found?.kind !== "ready" || palette === null) {
      return null;
    }
    const kind = suvKindOf(state);
    const { made } = this;
    const scale = shownScale(series, found.stack, kind);
    if (made !== null && made.plane === plane && made.fusion === fusion && made.palette === palette && made.unit === scale.unit) {
      return made;
    }
    const name = `${series.id} ${scale.unit}`;
    const usual = this.ends.get(name) ?? usualEnds(found.stack, scale.unit, scale.factor, plane);
    this.ends.set(name, usual);
    this.made = makeOverlay({ fusion, plane, palette, usual }, scale);
    return this.made;
  }
}

/** The picture in sight, then its neighbours as the reader goes. */
function wantedImages(state: ViewerState, pane: PaneState): ImageFacts[] {
  const now = imageIn(state, pane);
  const images = pane.shows === "stack" ? (stackIn(state, pane)?.images ?? []) : [];
  const { index, direction } = pane.look;
  const steps = Array.from({ length: AHEAD }, (_, step) => [step + 1, -step - 1]).flat();
  const others = steps.map((step) => images[index + step * direction]);
  return [now, ...others].filter((facts): facts is ImageFacts => facts !== undefined);
}

export function seriesWords({ seriesNumber, modality, seriesDescription, bodyPartExamined }: Series): string {
  const number = seriesNumber === null ? "" : `${t("Se")} ${seriesNumber}`;
  return [number, modality, seriesDescription || bodyPartExamined].filter((part) => part !== "").join(" · ");
}

function overlayWords(state: ViewerState, { fusion, ends: [low, high], unit }: Overlay): string {
  const name = state.colourMaps.find(({ code }) => code === fusion.colourMap)?.label ?? "";
  const levels = [low, high].map((value) => formatLevel(value, high - low)).join(" – ");
  return `${unit} ${levels} · ${name} · ${Math.round(fusion.opacity * 100)}\u00a0%`.trim();
}

/** Which of several time points lies over the picture. */
function timeNote({ volumes }: ViewerState, { seriesId }: Fusion): string[] {
  const volume = volumes.get(seriesId);
  if (volume?.kind !== "ready" || volume.plan.timePoints < 2) {
    return [];
  }
  const { timePoint, timePoints } = volume.plan;
  return [t("Time point {number} of {count}", { number: timePoint + 1, count: timePoints })];
}

/** The stack of the series that lies over a pane; null when it is not here. */
export function overlayStack(state: ViewerState, fusion: Fusion | null): Stack | null {
  const found = fusion === null ? undefined : state.stacks.get(fusion.seriesId);
  return found?.kind === "ready" ? found.stack : null;
}
