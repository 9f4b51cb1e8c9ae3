/**
 * The findings of a study as the page has them, beside what the server has told of them. What
 * differs is still to be sent; so nothing that a reader draws is lost while the server is away.
 */

import type { ImageFacts } from "../core/facts";
import { seenOn } from "../core/finding-places";
import { isSameContent, type Finding } from "../core/findings";
import type { Result } from "../core/measure";

/** What the server has said of a finding. */
export interface Saved {
  readonly id: string;
  /** Priors lie beside the page's own study. */
  readonly studyId: string;
  readonly version: number;
  readonly content: Finding;
  readonly result: Result | null;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly changedBy: string;
  readonly changedAt: string;
  /** The stored object that it was read from, which nobody changes; empty: drawn here. */
  readonly origin: string;
}

/**
 * `waiting`: to be sent. `away`: the server could not be reached, it is tried again. `refused`: the
 * server said no. `conflict`: somebody else was faster.
 */
export type SaveState = "saved" | "waiting" | "sending" | "away" | "refused" | "conflict";

export interface Entry {
  readonly key: string;
  /** null: deleted on this page. */
  readonly local: Finding | null;
  /** null: the server has none, or has it no more. */
  readonly saved: Saved | null;
  readonly state: SaveState;
  readonly reason: string;
}

export interface Layer {
  readonly id: string;
  readonly studyId: string;
  readonly name: string;
  readonly colour: string;
  readonly isVisible: boolean;
  /** The lowest is drawn first. */
  readonly position: number;
  readonly version: number;
}

interface Step {
  readonly key: string;
  readonly before: Finding | null;
  readonly after: Finding | null;
}

const MOST_STEPS = 200;

export class FindingStore {
  private readonly entries = new Map<string, Entry>();
  private readonly layerMap = new Map<string, Layer>();
  private readonly listeners = new Set<() => void>();
  private undone: Step[][] = [];
  private done: Step[][] = [];
  private gesture: { readonly key: string; readonly before: Finding | null } | null = null;
  private selected = "";
  private areShown = true;
  private counter = 0;

  // --- reading ---------------------------------------------------------------------------

  get selectedKey(): string {
    return this.selected;
  }

  /** Whether marks are drawn at all. */
  get isShown(): boolean {
    return this.areShown;
  }

  get canUndo(): boolean {
    return this.done.length > 0;
  }

  get canRedo(): boolean {
    return this.undone.length > 0;
  }

  /** The key of what a hand is moving now; it is not sent before it is let go. */
  get heldKey(): string {
    return this.gesture?.key ?? "";
  }

  entry(key: string): Entry | undefined {
    return this.entries.get(key);
  }

  all(): Entry[] {
    return [...this.entries.values()];
  }

  /** Whether it came with a stored object: it is seen and never changed. */
  isFixed(key: string): boolean {
    return (this.entries.get(key)?.saved?.origin ?? "") !== "";
  }

  finding(key: string): Finding | null {
    return this.entries.get(key)?.local ?? null;
  }

  get selection(): Finding | null {
    return this.finding(this.selected);
  }

  findings(): Finding[] {
    return this.all()
      .map(({ local }) => local)
      .filter((one): one is Finding => one !== null);
  }

  /** What is drawn over one picture, in its pixels; what lies on top comes last. */
  on(facts: ImageFacts): Finding[] {
    return this.areShown
      ? this.findings()
          .filter(({ isVisible, layer }) => isVisible && this.isLayerVisible(layer))
          .flatMap((one) => seenOn(one, facts) ?? [])
          .sort((one, other) => this.positionOf(one.layer) - this.positionOf(other.layer))
      : [];
  }

  private positionOf(layer: string): number {
    return this.layerMap.get(layer)?.position ?? 0;
  }

  /** Whether it is drawn wherever its image is shown. */
  isDrawn(key: string): boolean {
    const one = this.finding(key);
    return one !== null && this.areShown && one.isVisible && this.isLayerVisible(one.layer);
  }

  /** The calibration line that an image's lengths follow: the one changed last. */
  lineOf(instanceId: string): Finding | null {
    const lines = this.all().filter(({ local }) => local?.kind === "calibration" && local.instanceId === instanceId);
    const age = ({ local, saved }: Entry): string =>
      saved !== null && local !== null && isSameContent(saved.content, local) ? saved.changedAt : "9";
    return lines.reduce<Entry | null>((one, other) => (one === null || age(other) >= age(one) ? other : one), null)?.local ?? null;
  }

  /** The lines that scale images, one an image. */
  lines(): Finding[] {
    const scaled = this.findings().filter(({ kind }) => kind === "calibration");
    const lines = [...new Set(scaled.map(({ instanceId }) => instanceId))].map((id) => this.lineOf(id));
    return lines.filter((one): one is Finding => one !== null);
  }

  layers(): Layer[] {
    return [...this.layerMap.values()];
  }

  layer(name: string): Layer | undefined {
    return this.layerMap.get(name);
  }

  isLayerVisible(name: string): boolean {
    return this.layerMap.get(name)?.isVisible ?? true;
  }

  /** The names of all layers there are: named by marks, or with a look of their own. */
  layerNames(): string[] {
    const named = this.findings().map(({ layer }) => layer);
    return [...new Set([...named, ...this.layerMap.keys()])].sort();
  }

  // --- the reader's doing ----------------------------------------------------------------

  newKey(): string {
    this.counter += 1;
    return `own-${this.counter}`;
  }

  select(key: string): void {
    if (this.selected !== key) {
      this.selected = key;
      this.announce();
    }
  }

  show(areShown: boolean): void {
    this.areShown = areShown;
    this.announce();
  }

  add(...findings: readonly Finding[]): void {
    this.perform(findings.map((after) => ({ key: after.key, before: null, after })));
    this.select(findings.at(-1)?.key ?? this.selected);
  }

  change(next: Finding): void {
    const before = this.finding(next.key);
    if (before !== null && !this.isFixed(next.key) && !isSameContent(before, next)) {
      this.perform([{ key: next.key, before, after: next }]);
    }
  }

  remove(key: string): void {
    const before = this.finding(key);
    if (before !== null && !this.isFixed(key)) {
      this.perform([{ key, before, after: null }]);
    }
  }

  /** A drag begins: what it moves becomes one step when it ends. */
  hold(key: string): void {
    this.gesture = { key, before: this.finding(key) };
  }

  adjust(next: Finding): void {
    this.write(next.key, next);
    this.announce();
  }

  letGo(): void {
    const { gesture } = this;
    this.gesture = null;
    if (gesture === null) {
      return;
    }
    const after = this.finding(gesture.key);
    const isChanged = gesture.before !== null && after !== null && !isSameContent(gesture.before, after);
    if (isChanged) {
      this.remember([{ key: gesture.key, before: gesture.before, after }]);
    }
    this.announce();
  }

  /** The drag never was. */
  abandon(): void {
    const { gesture } = this;
    this.gesture = null;
    if (gesture !== null) {
      this.write(gesture.key, gesture.before);
      this.announce();
    }
  }

  undo(): void {
    this.replay(this.done, this.undone, (step) => [step.after, step.before]);
  }

  redo(): void {
    this.replay(this.undone, this.done, (step) => [step.before, step.after]);
  }

  /** What somebody else has changed meanwhile is not overwritten by an old step. */
  private replay(
    from: Step[][],
    to: Step[][],
    way: (step: Step) => readonly [Finding | null, Finding | null],
  ): void {
    const steps = from.pop();
    if (steps === undefined) {
      return;
    }
    const fitting = steps.filter((step) => isSame(this.finding(step.key), way(step)[0]));
    for (const step of fitting) {
      this.write(step.key, way(step)[1]);
    }
    if (fitting.length > 0) {
      to.push(fitting);
      const kept = fitting.map(({ key }) => key).find((key) => this.finding(key) !== null);
      this.selected = kept ?? "";
    }
    this.announce();
  }

  private perform(steps: readonly Step[]): void {
    for (const { key, after } of steps) {
      this.write(key, after);
    }
    this.remember(steps);
    if (this.finding(this.selected) === null) {
      this.selected = "";
    }
    this.announce();
  }

  private remember(steps: readonly Step[]): void {
    this.done = [...this.done, [...steps]].slice(-MOST_STEPS);
    this.undone = [];
  }

  private write(key: string, local: Finding | null): void {
    const before = this.entries.get(key);
    const saved = before?.saved ?? null;
    if (this.isFixed(key)) {
      return;
    }
    if (local === null && saved === null && before?.state !== "sending") {
      this.entries.delete(key);
      return;
    }
    const isSaved = isSame(local, saved?.content ?? null);
    // What is on its way, or is for the reader to decide, stays so whatever is drawn meanwhile.
    const isKept = before?.state === "sending" || (before?.state === "conflict" && !isSaved);
    const state = isKept ? before.state : isSaved ? "saved" : "waiting";
    this.entries.set(key, { key, local, saved, state, reason: "" });
  }

  // --- the server's doing ----------------------------------------------------------------

  /** Takes what the server says; what the reader has changed since stays, to be sent. */
  adopt(key: string, saved: Saved | null, sent: Finding | null | undefined = undefined): void {
    const before = this.entries.get(key);
    const content = saved?.content ?? null;
    const known = sent === undefined ? (before?.saved?.content ?? null) : sent;
    const isTouched = before !== undefined && !isSame(before.local, known);
    const local = isTouched ? before.local : content;
    if (local === null && saved === null) {
      this.entries.delete(key);
      this.selected = this.selected === key ? "" : this.selected;
    } else {
      const state = isSame(local, content) ? "saved" : "waiting";
      this.entries.set(key, { key, local, saved, state, reason: "" });
    }
    this.announce();
  }

  mark(key: string, state: SaveState, reason = ""): void {
    const entry = this.entries.get(key);
    if (entry !== undefined && (entry.state !== state || entry.reason !== reason)) {
      this.entries.set(key, { ...entry, state, reason });
      this.announce();
    }
  }

  /** A version that came while the reader's own waits: the reader decides between the two. */
  contest(key: string, saved: Saved | null): void {
    const entry = this.entries.get(key);
    if (entry === undefined || !isDirty(entry) || isSame(entry.local, saved?.content ?? null)) {
      this.adopt(key, saved);
      return;
    }
    this.entries.set(key, { ...entry, saved, state: "conflict", reason: "" });
    this.announce();
  }

  /** Ends a conflict: the reader's own is sent over theirs, or theirs is taken. */
  settle(key: string, keepsOwn: boolean): void {
    const entry = this.entries.get(key);
    if (entry === undefined) {
      return;
    }
    if (keepsOwn) {
      this.mark(key, "waiting");
    } else {
      this.entries.set(key, { ...entry, local: entry.saved?.content ?? null, state: "saved", reason: "" });
      if (entry.saved === null) {
        this.entries.delete(key);
      }
      this.announce();
    }
  }

  keyOf(id: string): string | undefined {
    return this.all().find(({ saved }) => saved?.id === id)?.key;
  }

  /** The layers of one study as they are now; one name is one layer for the eye, whatever study it is of. */
  setLayers(layers: readonly Layer[], studyId: string): void {
    for (const [name, layer] of this.layerMap) {
      if (layer.studyId === studyId) {
        this.layerMap.delete(name);
      }
    }
    layers.filter(({ name }) => !this.layerMap.has(name)).forEach((layer) => this.layerMap.set(layer.name, layer));
    this.announce();
  }

  putLayer(layer: Layer): void {
    this.layerMap.set(layer.name, layer);
    this.announce();
  }

  subscribe(listener: () => void): void {
    this.listeners.add(listener);
  }

  announce(): void {
    for (const listener of this.listeners) {
      listener();
    }
  }
}

export function isSame(one: Finding | null, other: Finding | null): boolean {
  return one === null || other === null ? one === other : isSameContent(one, other);
}

/** Whether what the page holds is not what the server holds. */
export function isDirty({ local, saved }: Entry): boolean {
  return !isSame(local, saved?.content ?? null);
}
