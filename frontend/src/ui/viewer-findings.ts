/** Findings on the page: store, server, hand, drawing, panel and commands tied together. */

import { tryMeasure, valuesOf, valueUnit } from "../core/finding-plane";
import { isHere } from "../core/finding-places";
import { kindName, markLines } from "../core/finding-text";
import { hasStatistics, isDrawnKind, isOn, isSamePoints, type Finding } from "../core/findings";
import type { ImageFacts, Stack } from "../core/facts";
import { overlayValues, type Overlay, type OverlayPlane } from "../core/fusion";
import type { Result } from "../core/measure";
import { asKind, BY_WEIGHT, relativeKinds, withOther } from "../core/other-values";
import { shownScale } from "../core/suv";
import { t } from "../core/text";
import type { Size, View } from "../core/view";
import type { ViewerPage } from "../io/api";
import { FindingApi } from "../io/finding-api";
import { FindingSync, type MarkNews } from "../io/finding-sync";
import { MarksDrawing, type DrawnMark, type PointerHint } from "../render/marks-layer";
import type { Shown } from "../render/viewport";
import { activeStack, goTo, openSeries, setTool, togglePanel } from "../state/changes";
import { areSame } from "../state/calibrations";
import { FindingStore, type Layer } from "../state/findings";
import { showPlaneOf } from "../state/mark-planes";
import { suvKindOf } from "../state/fusion";
import { activatePane } from "../state/panes";
import { Marking } from "../tools/marking";
import type { Instrument } from "../tools/tool";
import { make } from "./dom";
import type { Command } from "./viewer-commands";
import { FINDINGS_PANEL, findingsPanel } from "./viewer-findings-panel";
import type { MarksLayer } from "./viewer-layers";
import { exportRow } from "./viewer-mark-exports";
import { MarkEditor } from "./viewer-mark-editor";
import { MeasureBar } from "./viewer-measure-bar";
import { findingCommands, measureTools, selectTool } from "./viewer-measure-commands";
import type { SidePanel } from "./viewer-side";

const MEASUREMENT_COLOUR = "#ffd24a";
const ANNOTATION_COLOUR = "#8fd3ff";
/** What those may do who only read. */
const FOR_ALL: ReadonlySet<string> = new Set(["show-or-hide-all-marks", "next-finding-on-this-image"]);
const NOTICE_MS = 6_000;

interface Reading {
  readonly line: Finding | null;
  /** Of the series that lay over the picture. */
  readonly plane: OverlayPlane | null;
  readonly result: Result | string;
}

export class Findings {
  readonly marking: Marking;
  readonly bar: MeasureBar;
  readonly panel: SidePanel;
  readonly commands: readonly Command[];
  /** What lies over the page: the editor of words, and notices. */
  readonly overPage: readonly HTMLElement[];
  private readonly findings = new FindingStore();
  private readonly sync: FindingSync;
  private readonly api: FindingApi;
  private readonly editor: MarkEditor;
  private readonly notice = make("p", { class: "mark-notice", role: "status", hidden: true });
  private readonly readings = new WeakMap<Finding, Reading>();
  private noticeTimer: ReturnType<typeof setTimeout> | undefined;
  private jumpTo: Finding | null = null;

  constructor(
    page: ViewerPage,
    private readonly instrument: Instrument,
  ) {
    const { store } = instrument;
    const { mayMeasure: mayMark, username, csrfToken } = page.person;
    this.api = new FindingApi(page.apiUrl, page.study.id, csrfToken);
    this.sync = new FindingSync(this.findings, this.api, username);
    this.editor = new MarkEditor(instrument, this.findings, (words) => this.say(words));
    this.marking = new Marking(instrument, this.findings, this.editor, mayMark);
    this.overPage = [this.editor.root, this.notice];
    const parts = {
      instrument,
      findings: this.findings,
      marking: this.marking,
      editor: this.editor,
      say: (words: string) => this.say(words),
    };
    const [select, tools, actions] = [selectTool(parts), measureTools(parts), findingCommands(parts)];
    const forAll = actions.filter(({ id }) => FOR_ALL.has(id));
    this.commands = mayMark ? [select.command, ...tools.map(({ command }) => command), ...actions] : forAll;
    this.bar = new MeasureBar(this.findings, select, tools, actions, () => store.change(togglePanel(FINDINGS_PANEL)));
    this.bar.root.hidden = !mayMark;
    this.panel = findingsPanel(store, this.findings, {
      mayMark,
      jump: (finding) => this.jump(finding),
      resultOf: (finding) => this.resultOf(finding, instrument.viewport.shown),
      colourOf: (finding) => this.colourOf(finding),
      saveLayer: (layer) => void this.saveLayer(layer),
      retry: () => this.sync.flush(),
      exports: exportRow(this.api, mayMark, (words) => this.say(words)),
    });
    this.findings.subscribe(() => {
      this.followLines(username);
      store.announce();
    });
    store.subscribe(() => {
      this.followJump();
      this.openStudies();
    });
    this.guardLeaving();
    document.addEventListener("keydown", (event) => this.nudge(event), { capture: true });
  }

  start(): void {
    this.sync.open(this.instrument.store.state.study.id);
    this.openStudies();
  }

  /** Priors that lie in a pane bring their marks. */
  private openStudies(): void {
    const { panes, series } = this.instrument.store.state;
    const shown = new Set(panes.map(({ seriesId }) => seriesId));
    for (const { id, studyId } of series) {
      if (shown.has(id) && studyId !== "") {
        this.sync.open(studyId);
      }
    }
  }

  /** Readers' lines scale their pictures, for all that shows millimetres. */
  private followLines(username: string): void {
    const { store } = this.instrument;
    const lines = this.findings.lines();
    const calibrations = new Map(lines.map((line) => [line.instanceId, { line, by: this.findings.entry(line.key)?.saved?.changedBy ?? username }]));
    if (!areSame(calibrations, store.state.calibrations)) {
      store.change((state) => ({ ...state, calibrations }));
    }
  }

  /** For tests and support: what is drawn, as numbers. */
  report(): readonly object[] {
    return this.findings.all().map(({ key, local, saved, state }) => ({
      key,
      state,
      id: saved?.id ?? null,
      version: saved?.version ?? null,
      kind: local?.kind ?? null,
      points: local?.points ?? null,
      result: local === null ? null : this.resultOf(local, this.instrument.viewport.shown),
    }));
  }

  /** News of other people's marks, and the echo of our own. */
  hear(news: MarkNews): void {
    this.sync.hear(news);
  }

  /** The stream has lost its place: everything is read again. */
  reload(): void {
    this.sync.reload();
  }

  /** Escape. */
  cancel(): boolean {
    if (this.marking.cancel()) {
      return true;
    }
    const { store } = this.instrument;
    const hasTool = store.state.tool === "select" || isDrawnKind(store.state.tool);
    if (hasTool) {
      store.change(setTool("window"));
    }
    return hasTool;
  }

  show(): void {
    this.bar.show(this.instrument.store.state);
  }

  /** The layer of one pane. */
  makeLayer(): MarksLayer {
    const drawing = new MarksDrawing(matchMedia("(pointer: coarse)").matches);
    return {
      draw: (group: SVGGElement, shown: Shown, view: View, size: Size) => {
        const marks = this.findings.on(shown.facts).map((finding) => this.drawnMark(finding, shown));
        const draft = this.marking.seen(shown.facts);
        const all = draft === null ? marks : [...marks, this.drawnDraft(draft, shown)];
        const isActive = this.instrument.viewport.shown === shown;
        drawing.draw(group, all, shown, view, size, isActive ? this.hint() : null);
      },
    };
  }

  /** Whether a mark that the server keeps is drawn as a finding of this page. */
  isDrawn(id: string): boolean {
    const key = this.findings.keyOf(id);
    return key !== undefined && this.findings.isDrawn(key);
  }

  // --- what a mark shows -------------------------------------------------------------------

  private drawnMark(finding: Finding, shown: Shown): DrawnMark {
    const entry = this.findings.entry(finding.key);
    return {
      finding,
      lines: markLines(finding, this.resultOf(this.findings.finding(finding.key) ?? finding, shown)),
      colour: this.colourOf(finding),
      isSelected: finding.key === this.findings.selectedKey,
      isLoose: entry !== undefined && ["away", "refused", "conflict"].includes(entry.state),
    };
  }

  private drawnDraft(draft: Finding, shown: Shown): DrawnMark {
    const now = draft.family === "annotation" ? null : this.measureNow(draft, shown);
    const result = now === null || typeof now === "string" ? now : asKind(now, suvKindOf(this.instrument.store.state));
    // While points are still missing there is nothing to say.
    const lines = typeof result === "string" ? [] : markLines(draft, result);
    return { finding: draft, lines, colour: this.colourOf(draft), isSelected: true, isLoose: false };
  }

  private colourOf(finding: Finding): string {
    const { colour } = this.instrument.store.state.preferences.marks;
    const ofKind = colour ?? (finding.family === "measurement" ? MEASUREMENT_COLOUR : ANNOTATION_COLOUR);
    return finding.colour || (this.findings.layer(finding.layer)?.colour ?? ofKind);
  }

  /** The server's numbers when they are of these points; until then the same formulas, here. */
  private resultOf(finding: Finding, shown: Shown | null): Result | string | null {
    if (finding.family === "annotation") {
      return null;
    }
    const saved = this.findings.entry(finding.key)?.saved ?? null;
    const kind = suvKindOf(this.instrument.store.state);
    if (saved?.result !== null && saved !== null && isSamePoints(saved.content.points, finding.points)) {
      return asKind(saved.result, kind);
    }
    const isSeen = shown !== null && isHere(finding, shown.facts);
    const result = isSeen ? this.measureNow(finding, shown) : null;
    return result === null || typeof result === "string" ? result : asKind(result, kind);
  }

  private measureNow(finding: Finding, shown: Shown): Result | string {
    const line = this.findings.lineOf(finding.instanceId);
    const known = this.readings.get(finding);
    const fused = shown.fused?.fusion.seriesId === finding.otherId ? (shown.fused ?? null) : null;
    if (known !== undefined && known.line === line && known.plane === (fused?.plane ?? null)) {
      return known.result;
    }
    const { facts, pixels, drawn } = shown;
    // Of a picture that the server drew there are no values here: the server works them out.
    const values = hasStatistics(finding.kind) && drawn === null ? valuesOf(facts, pixels, this.scaleOf(finding)) : null;
    const own = tryMeasure(finding.kind, finding.points, facts, line, values);
    const result = typeof own === "string" ? own : this.withKinds(finding, own);
    const both = fused === null || typeof result === "string" ? result : this.withFused(finding, result, { facts, fused });
    this.readings.set(finding, { line, plane: fused?.plane ?? null, result: both });
    return both;
  }

  private withKinds({ seriesId }: Finding, result: Result): Result {
    const kinds = relativeKinds(this.stackOf(seriesId)?.suvFactors);
    const isUptake = [result.unit, result.statistics["unit"]].includes(BY_WEIGHT);
    return isUptake ? ({ ...result, statistics: { ...result.statistics, suv_kinds: kinds } } as unknown as Result) : result;
  }

  /** The values of the series that lies over the picture, at the same pixels; as the server works them out. */
  private withFused(finding: Finding, result: Result, { facts, fused }: { facts: ImageFacts; fused: Overlay }): Result {
    const series = this.instrument.store.state.series.find(({ id }) => id === fused.fusion.seriesId);
    const stack = this.stackOf(fused.fusion.seriesId);
    if (!hasStatistics(finding.kind) || series === undefined || stack === null) {
      return result;
    }
    const { factor, kind, unit: uptake } = shownScale(series, stack, "bw");
    const [first] = stack.images;
    const unit = kind !== null || first === undefined ? uptake : valueUnit(first, series.modality);
    const kinds = relativeKinds(stack.suvFactors);
    const other = tryMeasure(finding.kind, finding.points, facts, null, overlayValues(facts, fused, factor, unit));
    return typeof other === "string" ? result : withOther(result, other, { unit, modality: series.modality, series: series.id, suv_kinds: kinds });
  }

  private stackOf(seriesId: string): Stack | null {
    const stack = this.instrument.store.state.stacks.get(seriesId);
    return stack?.kind === "ready" ? stack.stack : null;
  }

  private scaleOf({ seriesId }: Finding): { modality: string; suvFactor: number | null } {
    const { series, stacks } = this.instrument.store.state;
    const stack = stacks.get(seriesId);
    return {
      modality: series.find(({ id }) => id === seriesId)?.modality ?? "",
      suvFactor: stack?.kind === "ready" ? stack.stack.suvFactor : null,
    };
  }

  private hint(): PointerHint | null {
    const { tool } = this.instrument.store.state;
    const at = this.marking.pointerAt;
    const isBusy = this.marking.isDrawing || this.findings.selectedKey !== "";
    return at === null || !isDrawnKind(tool) || isBusy ? null : { at: [at.x, at.y], text: kindName(tool) };
  }

  // --- ways ----------------------------------------------------------------------------------

  /** Opens the series if need be, goes to the image, selects the finding. */
  private jump(finding: Finding): void {
    const { store } = this.instrument;
    const { panes, series } = store.state;
    if (!series.some(({ id }) => id === finding.seriesId)) {
      this.say(t("Its study is not on the page now."));
      return;
    }
    if (finding.plane !== null) {
      store.change(showPlaneOf(finding, finding.plane));
      this.findings.select(finding.key);
      return;
    }
    const pane = panes.find(({ seriesId, shows }) => seriesId === finding.seriesId && shows === "stack");
    this.jumpTo = finding;
    store.change(pane === undefined ? openSeries(finding.seriesId) : activatePane(pane.id));
    this.followJump();
  }

  private followJump(): void {
    const finding = this.jumpTo;
    const stack = activeStack(this.instrument.store.state);
    if (finding === null || stack === null || stack.seriesId !== finding.seriesId) {
      return;
    }
    this.jumpTo = null;
    const isIt = ({ instanceId, frame }: ImageFacts): boolean => isOn(finding, instanceId, frame);
    const index = stack.images.findIndex(isIt);
    if (index >= 0) {
      this.instrument.store.change(goTo(index));
      this.findings.select(finding.key);
    }
  }

  private async saveLayer(layer: Layer): Promise<void> {
    try {
      this.findings.putLayer(await this.api.saveLayer(layer));
    } catch {
      this.say(t("The layer could not be saved; it is so on this page alone."));
    }
  }

  /** Shows words over the pictures for a moment. */
  say(words: string): void {
    this.notice.textContent = words;
    this.notice.hidden = false;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => (this.notice.hidden = true), NOTICE_MS);
  }

  /** Arrows move the selected one while the tool that moves is chosen. */
  private nudge(event: KeyboardEvent): void {
    const steps: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const step = steps[event.key];
    const isOnPicture = event.target instanceof Element && event.target.closest(".picture") !== null;
    if (step === undefined || !isOnPicture || this.instrument.store.state.tool !== "select" || event.ctrlKey) {
      return;
    }
    if (this.marking.nudge(...step)) {
      event.preventDefault();
      event.stopPropagation();
    }
  }

  /** What is not sent yet goes out; what cannot be sent is told before the page closes. */
  private guardLeaving(): void {
    addEventListener("pagehide", () => this.sync.flush());
    addEventListener("online", () => this.sync.flush());
    addEventListener("beforeunload", (event) => {
      const isLost = this.findings.all().some(({ state }) => state === "away" || state === "refused" || state === "conflict");
      this.sync.flush();
      if (isLost) {
        event.preventDefault();
      }
    });
  }
}
