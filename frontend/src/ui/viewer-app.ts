/** Ties the parts together: state to loading, loading to drawing, hands to state. */

import type { ViewerPage } from "../io/api";
import { Traffic } from "../io/traffic";
import { chooseEngine } from "../render/choose-engine";
import { chooseSource } from "../render/choose-source";
import { activeLook, activeSeries, activeStack, setHelpOpen } from "../state/changes";
import { FrameCache } from "../state/frame-cache";
import { dropFusions, seeFirstLook } from "../state/fusion";
import { findWanted, hang } from "../state/hanging";
import { followLinks, NO_LINKS } from "../state/links";
import { firstPane, ONE_PANE } from "../state/panes";
import { Store, type StackState } from "../state/store";
import { followPlanes } from "../state/volumes";
import type { MarkNews } from "../io/finding-sync";
import { Cine } from "../tools/cine";
import { Pointers } from "../tools/pointer";
import type { Instrument } from "../tools/tool";
import { isPhone, make } from "./dom";
import { curveCommands } from "./viewer-curve-commands";
import { CurvesOnPage } from "./viewer-curves";
import { adoptFiledSpeed, makeCommands, type Command } from "./viewer-commands";
import { Connection } from "./viewer-connection";
import { fusionCommands, fusionPanel } from "./viewer-fusion-panel";
import { exposeReport, type Report } from "./viewer-debug";
import { exportPanel } from "./viewer-export";
import { Findings } from "./viewer-findings";
import { FirstSight } from "./viewer-first-sight";
import { Help } from "./viewer-help";
import { KeyImagesOnPage } from "./viewer-key-images";
import { listenToKeys, withOwnKeys } from "./viewer-keys";
import { keepSettings } from "./viewer-own-settings";
import { StudyNews } from "./viewer-news";
import { StoredObjects } from "./viewer-objects";
import { PaneControls } from "./viewer-pane-controls";
import { Panes } from "./viewer-panes";
import { passportPanel } from "./viewer-passport";
import { Reconstruct, reconstructCommand } from "./viewer-reconstruct";
import { settingsPanel } from "./viewer-settings";
import { Side } from "./viewer-side";
import { loadStack } from "./viewer-stacks";
import { Spoken } from "./viewer-spoken";
import { SeriesStrip } from "./viewer-strip";
import { surfaceCommands } from "./viewer-surface-commands";
import { tagsPanel } from "./viewer-tags";
import { openTissue, TissuePanel } from "./viewer-tissue-panel";
import { Toolbar } from "./viewer-toolbar";
import { volumeCommands } from "./viewer-volume-commands";
import { Volumes } from "./viewer-volumes";
import { windowPanel } from "./viewer-window-panel";

const CACHE_BYTES = 512 << 20;

export function startViewer(page: ViewerPage, root: HTMLElement): void {
  new ViewerApp(page, root).start();
}

class ViewerApp {
  private readonly store: Store;
  private readonly cache = new FrameCache(CACHE_BYTES);
  private readonly traffic = new Traffic();
  private readonly firstSight = new FirstSight(() => this.goOn());
  private readonly panes: Panes;
  private readonly strip: SeriesStrip;
  private readonly controls: PaneControls;
  private readonly side: Side;
  private readonly toolbar: Toolbar;
  private readonly help: Help;
  private readonly spoken = new Spoken();
  private readonly news: StudyNews;
  private readonly findings: Findings;
  private readonly objects: StoredObjects;
  private readonly keyImages: KeyImagesOnPage;
  private readonly reconstruct: Reconstruct;
  private readonly curves: CurvesOnPage;
  private speedOf = "";
  private isDrawDue = false;

  constructor(page: ViewerPage, root: HTMLElement) {
    this.store = new Store(firstState(page));
    this.store.addRule(findWanted);
    this.store.addRule(dropFusions);
    this.store.addRule(seeFirstLook);
    this.store.addRule(followLinks);
    this.store.addRule(followPlanes);
    const marks = { onNews: (news: MarkNews) => this.findings.hear(news), onReset: () => this.findings.reload(), onKeyImages: () => void this.keyImages.load() };
    const connection = new Connection(page.seriesUrl, () => this.panes.retryFailed());
    this.news = new StudyNews(page, this.store, marks, (state) => connection.hear(state), (news) => this.reconstruct.hear(news));
    this.panes = this.makePanes(page.apiUrl, page.person.csrfToken);
    const main = make("div", { class: "reading" });
    const first = root.querySelector<HTMLImageElement>("img.first-picture");
    root.replaceChildren(main);
    main.append(this.panes.root);
    this.panes.active.preview(first);
    const instrument = this.makeInstrument();
    const tissue = new TissuePanel(instrument, page.apiUrl, page.person.csrfToken);
    this.findings = new Findings(page, instrument);
    this.objects = new StoredObjects(page.apiUrl, this.store, (markId) => this.findings.isDrawn(markId));
    this.keyImages = new KeyImagesOnPage(page, this.store, { open: (named) => this.objects.open(named), say: (words) => this.findings.say(words) });
    this.panes.onPane((pane) => {
      new Pointers(pane.picture, instrument, this.findings.marking);
      this.objects.attach(pane);
      pane.addLayer(tissue.makeLayer());
      pane.addLayer(this.findings.makeLayer());
    });
    this.side = new Side(this.store);
    const settings = keepSettings(page, this.store, root);
    this.registerPanels(instrument, page.apiUrl);
    this.side.registerPanel(this.keyImages.panel);
    this.side.registerPanel(tissue.panel);
    this.reconstruct = new Reconstruct(page, this.store);
    this.side.registerPanel(this.reconstruct.panel);
    this.curves = new CurvesOnPage(this.store, this.panes, this.reconstruct, (words) => this.findings.say(words), page);
    this.side.registerPanel(exportPanel(page, this.store));
    this.side.registerPanel(settingsPanel(instrument, settings, () => commands));
    const leave = (): void => location.assign(page.worklistUrl || "/");
    this.strip = new SeriesStrip(this.store);
    this.controls = new PaneControls(page, this.store, this.panes, this.strip, (words) => this.findings.say(words));
    const commands: readonly Command[] = withOwnKeys([...makeCommands(instrument, leave, (words) => this.findings.say(words)), ...this.findings.commands, ...this.keyImages.commands, ...this.controls.commands, ...volumeCommands(this.store), ...curveCommands(this.store), reconstructCommand(this.store), ...fusionCommands(this.store), ...surfaceCommands(this.store, () => openTissue(this.store)), ...this.side.commands()], settings);
    this.toolbar = new Toolbar(instrument, commands, this.findings.bar.root, this.controls.tools);
    this.help = new Help(this.store, commands);
    this.side.addBelow(this.toolbar.ofPage);
    root.prepend(this.toolbar.root);
    main.append(connection.root);
    main.prepend(this.strip.root);
    main.append(this.side.root, this.help.root, this.spoken.root, ...this.findings.overPage);
    new Cine(this.store, (key) => this.panes.active.isSettled(key));
    listenToKeys(commands, () => this.closeHelp() || this.findings.cancel());
    exposeReport(() => this.panes.active.viewport, () => this.report(), () => this.findings.report());
    root.dataset["state"] = "ready";
  }

  start(): void {
    this.store.subscribe(() => this.follow());
    this.follow();
    this.panes.active.picture.focus({ preventScroll: true });
  }

  /** What may wait until the first picture is seen. */
  private goOn(): void {
    this.traffic.goAhead();
    this.news.listen();
    this.findings.start();
    void this.keyImages.load();
  }

  private makePanes(apiUrl: string, csrfToken: string): Panes {
    const isServerDrawn = chooseSource(location.search) === "server";
    const onOutdated = (seriesId: string): void => this.news.renewStack(seriesId);
    return new Panes({
      volumes: new Volumes(this.store, this.cache, this.traffic, isServerDrawn, onOutdated),
      store: this.store,
      cache: this.cache,
      traffic: this.traffic,
      autos: new Map(),
      engine: isServerDrawn ? Promise.resolve("canvas") : chooseEngine(location.search),
      isServerDrawn,
      drawSoon: () => this.drawSoon(),
      onOutdated,
      loadStack: (seriesId) => void loadStack(this.store, seriesId),
      apiUrl,
      csrfToken,
    });
  }

  /** What tools, commands and panels work on: always the active pane. */
  private makeInstrument(): Instrument {
    const { panes, store } = this;
    return {
      store,
      get viewport() {
        return panes.active.viewport;
      },
    };
  }

  private registerPanels(instrument: Instrument, apiUrl: string): void {
    this.side.registerPanel(this.findings.panel);
    this.side.registerPanel(windowPanel(instrument));
    this.side.registerPanel(fusionPanel(instrument, apiUrl));
    this.side.registerPanel(passportPanel(this.store));
    this.side.registerPanel(tagsPanel(this.store));
    this.side.registerPanel(this.objects.panel);
  }

  /** After every change: fetch what is wanted now, and draw once in the next frame. */
  private follow(): void {
    this.panes.follow();
    const stack = activeStack(this.store.state);
    if (stack !== null && stack.seriesId !== this.speedOf) {
      this.speedOf = stack.seriesId;
      adoptFiledSpeed(this.store);
    }
    this.drawSoon();
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
    this.panes.draw();
    this.strip.show((key) => this.cache.has(key));
    this.toolbar.show();
    this.findings.show();
    this.controls.show();
    this.curves.show();
    this.help.show();
    this.spoken.show(this.store.state, this.panes.active.scene);
    this.side.show();
    this.firstSight.note(this.panes.active.scene.kind !== "loading");
  }

  private closeHelp(): boolean {
    const wasOpen = this.store.state.isHelpOpen;
    this.store.change(setHelpOpen(false));
    return wasOpen;
  }

  private report(): Report {
    const { state } = this.store;
    const images = activeStack(state)?.images ?? [];
    const { scene, viewport } = this.panes.active;
    const { shown } = viewport;
    return {
      panes: this.panes.report(),
      imageKey: shown?.facts.key ?? null,
      sopInstanceUid: shown?.facts.sopInstanceUid ?? null,
      seriesId: activeSeries(state)?.id ?? "",
      studyId: state.study.id,
      index: shown === null ? activeLook(state).index : images.indexOf(shown.facts),
      count: images.length,
      loaded: images.filter(({ key }) => this.cache.has(key)).length,
      voi: scene.kind === "picture" ? scene.voi : null,
      scene: scene.kind,
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
  const pane = firstPane(page.activeSeriesId);
  const state: Store["state"] = {
    study: page.study,
    series: page.series,
    panes: [pane],
    activePaneId: pane.id,
    layout: ONE_PANE,
    isMaximised: false,
    links: NO_LINKS,
    anchors: new Map(),
    cursor: null,
    stacks,
    calibrations: new Map(),
    keyImages: [],
    looks: new Map(),
    tool: page.preferences.mouse.left ?? (matchMedia("(pointer: coarse)").matches ? "scroll" : "window"),
    cine: { isPlaying: false, framesPerSecond: 15, loops: page.preferences.loops, swings: false },
    isStripOpen: !isPhone(),
    isHelpOpen: false,
    openPanel: "",
    colourMaps: page.colourMaps,
    preferences: page.preferences,
    hungBy: "",
    priors: page.priors,
    beforePrior: null,
    beforeMpr: null,
    volumes: new Map(),
    mpr: new Map(),
    hasCrosshair: true,
  };
  const hung = page.hung === null ? state : hang(page.hung)(state);
  return seeFirstLook(hung, hung);
}
