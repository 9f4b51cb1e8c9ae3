/** Ties the parts together: state to loading, loading to drawing, hands to state. */

import type { ImageFacts, Stack } from "../core/facts";
import { t } from "../core/text";
import type { ViewerPage } from "../io/api";
import { FrameLoader } from "../io/frames";
import { OverlayLoader } from "../io/overlays";
import { fetchStack, StackError } from "../io/stack";
import { chooseEngine } from "../render/choose-engine";
import { Enhancer } from "../render/enhancer";
import { Viewport } from "../render/viewport";
import { activeImage, activeLook, activeSeries, activeStack, setHelpOpen, setStack } from "../state/changes";
import { FrameCache } from "../state/frame-cache";
import { Store, type StackState } from "../state/store";
import { Cine } from "../tools/cine";
import { Pointers } from "../tools/pointer";
import { make } from "./dom";
import { adoptFiledSpeed, makeCommands } from "./viewer-commands";
import { exposeReport, type Report } from "./viewer-debug";
import { Help } from "./viewer-help";
import { PassportPanel } from "./viewer-passport";
import { listenToKeys } from "./viewer-keys";
import { sceneOf, type AutoWindows, type Scene } from "./viewer-scene";
import { PATIENCE_MS, Stage } from "./viewer-stage";
import { StudyNews } from "./viewer-news";
import { SeriesStrip } from "./viewer-strip";
import { Toolbar } from "./viewer-toolbar";
import { ColourBar } from "./viewer-colour-bar";
import { WindowPanel } from "./viewer-window-panel";

const CACHE_BYTES = 512 << 20;

export function startViewer(page: ViewerPage, root: HTMLElement): void {
  new ViewerApp(page, root).start();
}

class ViewerApp {
  private readonly store: Store;
  private readonly cache = new FrameCache(CACHE_BYTES);
  private readonly autos: AutoWindows = new Map();
  private readonly loader: FrameLoader;
  private readonly overlays = new OverlayLoader(() => this.store.announce());
  private readonly stage: Stage;
  private readonly viewport: Viewport;
  private readonly strip: SeriesStrip;
  private readonly toolbar: Toolbar;
  private readonly help: Help;
  private readonly enhancer = new Enhancer(() => this.drawSoon());
  private readonly colourBar = new ColourBar();
  private readonly windowPanel: WindowPanel;
  private readonly passport: PassportPanel;
  private readonly news: StudyNews;
  private opened: Stack | null = null;
  private scene: Scene = { kind: "loading" };
  private isDrawDue = false;
  private awaitedSince = 0;

  constructor(page: ViewerPage, root: HTMLElement) {
    this.store = new Store(firstState(page));
    this.loader = new FrameLoader(
      this.cache,
      () => this.store.announce(),
      (seriesId) => this.news.renewStack(seriesId),
    );
    this.news = new StudyNews(page, this.store);
    this.stage = new Stage(this.store, () => this.retry());
    root.replaceChildren();
    const main = make("div", { class: "reading" });
    main.append(this.stage.root);
    root.append(main);
    this.viewport = new Viewport(this.stage.picture, chooseEngine(location.search), () => this.store.announce());
    this.stage.preview(page.firstPictureUrl);
    const instrument = { store: this.store, viewport: this.viewport };
    const commands = makeCommands(instrument, () => location.assign(page.worklistUrl || "/"));
    this.toolbar = new Toolbar(this.store, this.viewport, commands);
    this.strip = new SeriesStrip(this.store);
    this.help = new Help(this.store, commands);
    this.passport = new PassportPanel(this.store);
    main.append(this.passport.root);
    this.windowPanel = new WindowPanel(this.store, this.viewport);
    main.append(this.windowPanel.root);
    this.stage.picture.after(this.colourBar.root);
    root.prepend(this.toolbar.root);
    main.prepend(this.strip.root);
    main.append(this.help.root);
    new Pointers(this.stage.picture, instrument);
    new Cine(this.store, (key) => this.cache.has(key) || this.loader.failureOf(key) !== undefined);
    listenToKeys(commands, () => this.closeHelp());
    exposeReport(this.viewport, () => this.report());
    root.dataset["state"] = "ready";
  }

  start(): void {
    this.store.subscribe(() => this.follow());
    this.follow();
    this.news.listen();
    this.stage.picture.focus({ preventScroll: true });
  }

  /** After every change: fetch what is wanted now, and draw once in the next frame. */
  private follow(): void {
    const { state } = this.store;
    const series = activeSeries(state);
    const stack = activeStack(state);
    const look = activeLook(state);
    if (stack !== null && series !== undefined) {
      if (stack !== this.opened) {
        const isOther = this.opened?.seriesId !== stack.seriesId;
        this.opened = stack;
        this.loader.open(stack, series.stackUrl, look.index);
        if (isOther) {
          adoptFiledSpeed(this.store);
        }
      } else {
        this.loader.want(look.index, look.direction);
      }
    } else {
      this.opened = null;
      this.loader.close();
      if (series?.displayable === true && !state.stacks.has(series.id)) {
        void this.loadStack(series.id);
      }
    }
    this.drawSoon();
  }

  private async loadStack(seriesId: string): Promise<void> {
    const series = this.store.state.series.find(({ id }) => id === seriesId);
    if (series === undefined) {
      return;
    }
    this.store.change(setStack(seriesId, { kind: "loading" }));
    let next: StackState;
    try {
      next = { kind: "ready", stack: await fetchStack(series.stackUrl) };
    } catch (error) {
      next = { kind: "failed", words: error instanceof StackError ? error.message : t("The answer was not readable.") };
    }
    this.store.change(setStack(seriesId, next));
  }

  private retry(): void {
    const { state } = this.store;
    if (state.stacks.get(state.activeSeriesId)?.kind === "failed") {
      void this.loadStack(state.activeSeriesId);
    } else {
      this.loader.retry();
      this.store.announce();
    }
  }

  private drawSoon(): void {
    if (!this.isDrawDue) {
      this.isDrawDue = true;
      requestAnimationFrame(() => {
        this.isDrawDue = false;
        this.draw();
      });
    }
  }

  private draw(): void {
    const { state } = this.store;
    const frames = {
      pixelsOf: (key: string) => this.cache.get(key),
      failureOf: (key: string) => this.loader.failureOf(key),
      hasNoOverlays: (key: string) => this.overlays.hasFailed(key),
      overlaysOf: (facts: ImageFacts) => this.overlays.of(facts, activeSeries(state)?.stackUrl ?? ""),
    };
    this.scene = this.enhanced(sceneOf(state, frames, this.viewport.size, this.autos));
    const isHeld = this.scene.kind === "loading" && this.holdsPicture();
    if (this.scene.kind === "picture") {
      this.viewport.show(this.scene.shown);
      this.awaitedSince = 0;
    } else if (!isHeld) {
      this.viewport.clear();
    }
    const loaded = (activeStack(state)?.images ?? []).map(({ key }) => this.cache.has(key));
    const size = this.viewport.size;
    this.stage.picture.dataset["tool"] = state.tool;
    const index = activeLook(state).index;
    const now = { series: activeSeries(state), facts: activeImage(state), index, loaded, size };
    this.stage.show({ ...now, scene: this.scene, isHeld });
    this.strip.show(loaded.filter(Boolean).length / Math.max(1, loaded.length));
    this.toolbar.show();
    this.help.show();
    this.windowPanel.show();
    this.colourBar.show(this.viewport.shown);
    this.passport.show();
  }

  /**
   * Puts the filtered samples in. Until they are made the picture before stays, with its own marks;
   * then the unfiltered one is drawn, and says that it is.
   */
  private enhanced(scene: Scene): Scene {
    const { filters } = activeLook(this.store.state);
    if (scene.kind !== "picture" || filters.length === 0) {
      return scene;
    }
    const samples = this.enhancer.samplesOf(scene.shown, filters);
    if (samples !== null) {
      return { ...scene, shown: { ...scene.shown, enhanced: samples, filters } };
    }
    if (!this.enhancer.hasFailed && this.holdsPicture()) {
      return { kind: "loading" };
    }
    const enhancing = this.enhancer.hasFailed ? "failed" : "pending";
    return { ...scene, shown: { ...scene.shown, enhancing } };
  }

  /**
   * While the next image of the same series is on its way, the one on the screen stays for a moment,
   * with its own texts; then the stage is black until the pixels are there.
   */
  private holdsPicture(): boolean {
    const { shown } = this.viewport;
    const isOfSeries = shown !== null && activeStack(this.store.state)?.images.includes(shown.facts) === true;
    if (!isOfSeries) {
      return false;
    }
    if (this.awaitedSince === 0) {
      this.awaitedSince = performance.now();
      setTimeout(() => this.drawSoon(), PATIENCE_MS);
    }
    return performance.now() - this.awaitedSince < PATIENCE_MS;
  }

  private closeHelp(): boolean {
    const wasOpen = this.store.state.isHelpOpen;
    this.store.change(setHelpOpen(false));
    return wasOpen;
  }

  private report(): Report {
    const { state } = this.store;
    const images = activeStack(state)?.images ?? [];
    const { shown } = this.viewport;
    return {
      imageKey: shown?.facts.key ?? null,
      sopInstanceUid: shown?.facts.sopInstanceUid ?? null,
      seriesId: state.activeSeriesId,
      studyId: state.study.id,
      index: shown === null ? activeLook(state).index : images.indexOf(shown.facts),
      count: images.length,
      loaded: images.filter(({ key }) => this.cache.has(key)).length,
      voi: this.scene.kind === "picture" ? this.scene.voi : null,
      scene: this.scene.kind,
      cachedBytes: this.cache.usedBytes,
    };
  }
}

function firstState(page: ViewerPage): Store["state"] {
  const { stack } = page;
  const stacks = new Map<string, StackState>();
  if (stack !== null) {
    stacks.set(stack.seriesId || page.activeSeriesId, { kind: "ready", stack });
  }
  return {
    study: page.study,
    series: page.series,
    activeSeriesId: page.activeSeriesId,
    stacks,
    looks: new Map(),
    tool: matchMedia("(pointer: coarse)").matches ? "scroll" : "window",
    cine: { isPlaying: false, framesPerSecond: 15, loops: true },
    isStripOpen: true,
    isHelpOpen: false,
    isWindowPanelOpen: false,
    colourMaps: page.colourMaps,
    isPassportOpen: false,
  };
}
