/** One pane: its stage, what draws and loads its picture, and the marks over it. */

import type { Series, Stack, Triple } from "../core/facts";
import { fittingScale } from "../core/hanging";
import { t } from "../core/text";
import { FrameLoader, type FrameFailure } from "../io/frames";
import { OverlayLoader } from "../io/overlays";
import { PictureLoader } from "../io/server-pictures";
import type { Traffic } from "../io/traffic";
import { Enhancer } from "../render/enhancer";
import { extentOf, Viewport, type EngineChoice } from "../render/viewport";
import { withScale } from "../state/calibrations";
import type { FrameCache } from "../state/frame-cache";
import { studyIn } from "../state/hanging";
import { activatePane, imageIn, paneOf, seriesIn, stackIn } from "../state/panes";
import type { PaneState, Store } from "../state/store";
import { curveOf, curvePlace, curveStep, isAlong } from "../state/curves";
import { isPlayed } from "../state/video";
import { setAttribute } from "./dom";
import { ContentHost, isContent } from "./viewer-content";
import { ColourBar } from "./viewer-colour-bar";
import { FusionLayer } from "./viewer-fusion";
import { MarksHost, type MarksLayer } from "./viewer-layers";
import { paneNotes } from "./viewer-pane-notes";
import { CurvedSights, drawWords } from "./viewer-curved-sight";
import { PlaneSights, type PlaneSight } from "./viewer-plane-sight";
import { sceneOf, type AutoWindows, type Means, type Scene } from "./viewer-scene";
import { wantedPictures } from "./viewer-server-drawn";
import { PATIENCE_MS, Stage } from "./viewer-stage";
import { isPlanePane, type Volumes } from "./viewer-volumes";

/** What all panes of a page share. */
export interface PaneHouse {
  readonly store: Store;
  readonly cache: FrameCache;
  readonly traffic: Traffic;
  readonly autos: AutoWindows;
  readonly engine: Promise<EngineChoice>;
  /** Whether the server draws the pictures, for a machine that is too weak. */
  readonly isServerDrawn: boolean;
  /** Plans and frames of series that are shown as planes. */
  readonly volumes: Volumes;
  readonly drawSoon: () => void;
  readonly onOutdated: (seriesId: string) => void;
  readonly loadStack: (seriesId: string) => void;
  readonly csrfToken: string;
  /** Where the REST interface lies. */
  readonly apiUrl: string;
}

export class ViewerPane {
  readonly viewport: Viewport;
  private readonly stage: Stage;
  private readonly loader: FrameLoader;
  private readonly overlays: OverlayLoader;
  private readonly pictures: PictureLoader | null;
  private readonly enhancer: Enhancer;
  private readonly fusion: FusionLayer;
  private readonly colourBar = new ColourBar();
  private readonly marks = new MarksHost();
  private readonly content: ContentHost;
  private readonly planes: PlaneSights;
  private readonly curves: CurvedSights;
  private opened: Stack | null = null;
  private current: Scene = { kind: "loading" };
  private awaitedSince = 0;
  private scalePerMm: number | null = null;

  constructor(
    readonly id: string,
    private readonly house: PaneHouse,
  ) {
    const { store, cache } = house;
    const announce = (): void => store.announce();
    this.loader = new FrameLoader(cache, house.traffic, announce, house.onOutdated);
    this.overlays = new OverlayLoader(announce);
    this.pictures = house.isServerDrawn ? new PictureLoader(announce) : null;
    this.enhancer = new Enhancer(house.drawSoon);
    this.fusion = new FusionLayer({ apiUrl: house.apiUrl, volumes: house.volumes, announce, loadStack: house.loadStack });
    this.stage = new Stage(store, () => this.retry());
    this.viewport = new Viewport(this.stage.picture, house.engine, announce);
    this.stage.picture.append(this.marks.root);
    this.content = new ContentHost(this, house);
    this.planes = new PlaneSights(store, house.volumes, house.drawSoon);
    this.curves = new CurvedSights(store, house.csrfToken, house.drawSoon);
    this.stage.picture.after(this.content.root);
    this.stage.picture.after(this.colourBar.root);
    for (const news of ["pointerdown", "focusin", "wheel"]) {
      this.root.addEventListener(news, () => this.activate(), { capture: true, passive: true });
    }
  }

  get root(): HTMLElement {
    return this.stage.root;
  }

  /** Where mouse, pen and fingers work. */
  get picture(): HTMLElement {
    return this.stage.picture;
  }

  get scene(): Scene {
    return this.current;
  }

  /** Undefined for a moment after the layout has taken the pane away. */
  get state(): PaneState | undefined {
    return paneOf(this.house.store.state, this.id);
  }

  addLayer(layer: MarksLayer): SVGGElement {
    return this.marks.addLayer(layer);
  }

  removeLayer(layer: MarksLayer): void {
    this.marks.removeLayer(layer);
  }

  preview(image: HTMLImageElement | null): void {
    this.stage.preview(image);
  }

  /** Whether the frame is here, or will not come. */
  isSettled(key: string): boolean {
    const { state } = this;
    const isOverlaid = state === undefined || this.fusion.isSettled(this.house.store.state, state, key);
    return (this.has(key) && isOverlaid) || this.failureOf(key) !== undefined;
  }

  /** Goes before the others when frames are asked for. */
  takePrecedence(): void {
    const pane = this.state;
    if (pane !== undefined && isPlanePane(pane)) {
      this.house.volumes.favour(pane.seriesId);
    } else {
      this.house.traffic.favour(this.loader);
    }
  }

  /** Says what the pane wants now. */
  follow(): void {
    const pane = this.state;
    if (pane === undefined) {
      return;
    }
    const { state } = this.house.store;
    const series = seriesIn(state, pane);
    const stack = stackIn(state, pane);
    this.content.follow(pane.shows);
    this.fusion.follow(state, pane);
    if (stack === null || series === undefined) {
      this.opened = null;
      this.loader.close();
      this.pictures?.close();
      if (series?.displayable === true && !state.stacks.has(series.id)) {
        this.house.loadStack(series.id);
      }
    } else if (isPlayed(stack, pane) || isContent(pane.shows) || isPlanePane(pane)) {
      this.opened = null;
      this.loader.close();
    } else if (this.pictures !== null) {
      this.pictures.want(wantedPictures(stack, series.stackUrl, pane.look));
    } else if (stack === this.opened) {
      this.loader.want(pane.look.index, pane.look.direction);
    } else {
      this.opened = stack;
      this.loader.open(stack, series.stackUrl, pane.look.index);
    }
  }

  /** The scale at which this pane's picture fits, for panes that are to share one; null: it has no say. */
  get fittingScale(): number | null {
    const pane = this.state;
    const facts = pane === undefined ? undefined : imageIn(this.house.store.state, pane);
    const isPart = pane?.hang != null && pane.hang.group !== "" && facts !== undefined && !this.root.hidden;
    return isPart ? fittingScale(withScale(this.house.store.state, facts), extentOf(facts), this.viewport.size, pane.hang) : null;
  }

  shareScale(scalePerMm: number | null): void {
    this.scalePerMm = scalePerMm;
  }

  draw(): void {
    const pane = this.state;
    if (pane === undefined || this.root.hidden) {
      return;
    }
    this.viewport.measureNew();
    const { state } = this.house.store;
    const series = seriesIn(state, pane);
    this.current = this.fusion.overlaid(state, pane, this.enhanced(sceneOf(state, pane, this.means(series)), pane));
    const isHeld = this.current.kind === "loading" && !isContent(pane.shows) && this.holdsPicture(pane);
    if (this.current.kind === "picture") {
      this.viewport.show(this.current.shown);
      this.awaitedSince = 0;
    } else if (!isHeld) {
      this.viewport.clear();
    }
    const { shown, size } = this.viewport;
    const isPicture = this.current.kind !== "video" && !isContent(pane.shows);
    const images = !isPicture ? [] : (stackIn(state, pane)?.images ?? []);
    const loaded = isPlanePane(pane) ? this.stepsOf(pane) : images.map(({ key }) => this.has(key));
    this.picture.dataset["tool"] = state.tool;
    const number = state.panes.indexOf(pane) + 1;
    setAttribute(this.root, "data-align", pane.hang?.align || null);
    setAttribute(this.root, "data-plane", pane.shows === "plane" && this.current.kind === "picture" ? pane.plane : null);
    setAttribute(this.root, "data-active", pane.id === state.activePaneId);
    setAttribute(this.root, "aria-label", state.panes.length > 1 ? t("Pane {number}", { number }) : t("Stage"));
    const now = { study: studyIn(state, pane), series, facts: imageIn(state, pane), index: this.indexOf(pane), loaded, size, center: this.centerOf(pane) };
    this.stage.show({ ...now, scene: this.current, isHeld, notes: [...this.fusion.notes(state, pane), ...paneNotes(state, pane, { isServerDrawn: this.pictures !== null && !isPlanePane(pane), ofScene: notesOf(this.current) })] });
    this.colourBar.show(shown);
    this.marks.show(shown, size);
    this.content.draw();
  }

  /** Whether what is on the screen is not yet the picture that it will be. */
  get isDraft(): boolean {
    const pane = this.state;
    if (pane !== undefined && isAlong(pane)) {
      const { picture, wish } = curveOf(this.house.store.state, pane.seriesId);
      const isOfLine = picture !== null && !picture.isDraft && picture.wish === wish;
      return !isOfLine || (pane.shows === "section" && this.planes.isDraft);
    }
    return isPlanePane(pane) && this.planes.isDraft;
  }

  /** A plane's steps through the volume, in place of the stack's images. */
  private stepsOf(pane: PaneState): boolean[] {
    const along = isAlong(pane) ? curveStep(this.house.store.state, pane.seriesId) : null;
    const { count = 0 } = along ?? imageIn(this.house.store.state, pane)?.reformatted ?? {};
    return new Array<boolean>(count).fill(true);
  }

  private indexOf(pane: PaneState): number {
    const along = isAlong(pane) ? curveStep(this.house.store.state, pane.seriesId) : null;
    return along?.index ?? imageIn(this.house.store.state, pane)?.reformatted?.index ?? pane.look.index;
  }

  /** Where planes cross, for those of which one number does not say where they lie. */
  private centerOf(pane: PaneState): Triple | null {
    if (isAlong(pane)) {
      return curvePlace(this.house.store.state, pane.seriesId)?.lps ?? null;
    }
    return isPlanePane(pane) ? (this.house.store.state.mpr.get(pane.seriesId)?.center ?? null) : null;
  }

  /** Leaves the page: nothing goes on working for it. */
  dispose(): void {
    this.content.dispose();
    this.planes.rest();
    this.curves.rest();
    this.loader.close();
    this.pictures?.close();
    this.enhancer.dispose();
    this.fusion.dispose();
    this.viewport.dispose();
    this.root.remove();
  }

  private activate(): void {
    this.house.store.change(activatePane(this.id));
  }

  private means(series: Series | undefined): Means {
    const frames: Means["frames"] = {
      pixelsOf: (key) => this.house.cache.get(key),
      failureOf: (key) => this.failureOf(key),
      drawnOf: this.pictures === null ? null : (key) => this.pictures?.of(key),
      hasNoOverlays: (key) => this.overlays.hasFailed(key),
      overlaysOf: (facts) => this.overlays.of(facts, series?.stackUrl ?? ""),
    };
    const content = isContent(this.state?.shows ?? "stack") ? this.content : null;
    const plane = isPlanePane(this.state) ? (pane: PaneState) => this.sightOf(pane) : null;
    return { plane, frames, size: this.viewport.size, autos: this.house.autos, scalePerMm: this.scalePerMm, content };
  }

  private sightOf(pane: PaneState): PlaneSight {
    if (pane.shows !== "curved") {
      this.curves.rest();
    }
    const isUndrawn = pane.shows === "section" && curveOf(this.house.store.state, pane.seriesId).picture === null;
    if (pane.shows === "curved" || isUndrawn) {
      this.planes.rest();
    }
    if (isUndrawn) {
      return { kind: "waiting", words: drawWords() };
    }
    return pane.shows === "curved" ? this.curves.sightOf(pane) : this.planes.sightOf(pane);
  }

  /** Asks once more for what could not be had. */
  retry(): void {
    const { store, loadStack } = this.house;
    const seriesId = this.state?.seriesId ?? "";
    if (store.state.stacks.get(seriesId)?.kind === "failed") {
      loadStack(seriesId);
    } else {
      this.loader.retry();
      this.house.volumes.retry(seriesId);
      this.planes.retry();
      this.curves.retry();
      this.pictures?.retry();
      this.fusion.retry();
      store.announce();
    }
  }

  private has(key: string): boolean {
    return this.house.cache.has(key) || this.pictures?.of(key) !== undefined;
  }

  private failureOf(key: string): FrameFailure | undefined {
    return this.pictures === null ? this.loader.failureOf(key) : this.pictures.failureOf(key);
  }

  /**
   * Puts the filtered samples in. Until they are made the picture before stays, with its own marks;
   * then the unfiltered one is drawn, and says that it is.
   */
  private enhanced(scene: Scene, pane: PaneState): Scene {
    const { filters } = pane.look;
    if (scene.kind !== "picture" || filters.length === 0 || this.pictures !== null) {
      return scene;
    }
    const samples = this.enhancer.samplesOf(scene.shown, filters);
    if (samples !== null) {
      return { ...scene, shown: { ...scene.shown, enhanced: samples, filters } };
    }
    if (!this.enhancer.hasFailed && this.holdsPicture(pane)) {
      return { kind: "loading" };
    }
    const enhancing = this.enhancer.hasFailed ? "failed" : "pending";
    return { ...scene, shown: { ...scene.shown, enhancing } };
  }

  /**
   * While the next image of the same series is on its way, the one on the screen stays for a moment,
   * with its own texts; then the stage is black until the pixels are there.
   */
  private holdsPicture(pane: PaneState): boolean {
    const { shown } = this.viewport;
    if (isPlanePane(pane) && shown?.facts.reformatted?.seriesId === pane.seriesId) {
      return true;
    }
    const isOfSeries = shown !== null && stackIn(this.house.store.state, pane)?.images.includes(shown.facts) === true;
    if (!isOfSeries) {
      return false;
    }
    if (this.awaitedSince === 0) {
      this.awaitedSince = performance.now();
      setTimeout(() => this.house.drawSoon(), PATIENCE_MS);
    }
    return performance.now() - this.awaitedSince < PATIENCE_MS;
  }
}

function notesOf(scene: Scene): readonly string[] {
  return scene.kind === "picture" ? (scene.notes ?? []) : [];
}
