/**
 * The hand on findings: draws new ones, selects, moves, shapes. A press and a drag draw as well as
 * presses one by one. Shift keeps to the screen's horizontal or vertical; points of others attract.
 */

import {
  canEnd,
  finishedPoints,
  isComplete,
  isOfTwoLines,
  seenPoints,
  simplified,
  withPoint,
  type Draft,
} from "../core/finding-draw";
import { findHit, findSnap, reachOf, straight, toCanvas, type Hit } from "../core/finding-hit";
import { isHere, isOfGrid, isShapedOn, placeOn } from "../core/finding-places";
import { moveHandle, shifted } from "../core/finding-shapes";
import { familyOf, isDrawnKind, type DrawnKind, type Finding, type Place } from "../core/findings";
import type { ImageFacts } from "../core/facts";
import type { Pair } from "../core/measure-plane";
import { applyMatrix, canvasFromImage, invertMatrix, type Matrix, type Point } from "../core/view";
import { extentOf, type Shown } from "../render/viewport";
import { activeSeries } from "../state/changes";
import type { FindingStore } from "../state/findings";
import type { Instrument } from "./tool";

/** What a pointer event says beyond its place. */
export interface Press {
  readonly shiftKey: boolean;
  readonly pointerType: string;
}

/** Asks in words for what a drawing cannot say; null: the reader wants it not. */
export interface Asking {
  /** Completes a new finding with its text or length, or drops it. */
  complete(finding: Finding): Promise<Finding | null>;
  /** Opens the words of one that is there. */
  edit(finding: Finding): void;
}

type Grip =
  | { readonly kind: "draw"; readonly from: Point; readonly hasPlaced: boolean; readonly isFree: boolean }
  | { readonly kind: "shape"; readonly start: Finding; readonly handle: number | null; readonly from: Pair }
  | { readonly kind: "pick"; readonly key: string; readonly from: Point };

const CLICK_PX = 4;
const FREEHAND_STEP_PX = 3;
const CLOSE_PX = 10;
const FREEHAND_TOLERANCE = 0.3;
const DRAFT_KEY = "draft";
const MOST_POINTS = 1000;

export class Marking {
  private draft: (Draft & { readonly place: DrawnPlace }) | null = null;
  private hover: Pair | null = null;
  private pointer: Point | null = null;
  private grip: Grip | null = null;

  constructor(
    private readonly instrument: Instrument,
    private readonly store: FindingStore,
    private readonly asking: Asking,
    private readonly mayMark: boolean,
  ) {}

  get isDrawing(): boolean {
    return this.draft !== null;
  }

  /** Where the pointer is, in CSS px of its picture, while a tool that draws is chosen. */
  get pointerAt(): Point | null {
    return this.pointer;
  }

  /** What is being drawn on this frame now. */
  seen(facts: ImageFacts): Finding | null {
    const { draft } = this;
    if (draft === null || !isHere(draft.place, facts)) {
      return null;
    }
    return findingOf(DRAFT_KEY, draft.kind, seenPoints(draft, this.hover, facts.pixelAspect), draft.place);
  }

  // --- the pointer -----------------------------------------------------------------------

  /** Takes the press when it is about findings; otherwise the chosen tool has it. */
  press(at: Point, how: Press): boolean {
    const sight = this.sight();
    if (sight === null) {
      return false;
    }
    const kind = this.drawnKind();
    const hit = this.hitAt(sight, at, how);
    if (this.draft === null && hit !== null && this.mayShape(hit, kind)) {
      this.take(hit, sight, at);
      return true;
    }
    if (kind !== null) {
      this.beginDrawing(kind, sight, at, how);
      return true;
    }
    this.grip = { kind: "pick", key: hit?.key ?? "", from: at };
    return this.tool() === "select";
  }

  /** Returns whether the drag is about findings. */
  move(at: Point, how: Press): boolean {
    const { grip } = this;
    const sight = this.sight();
    if (grip === null || sight === null) {
      return false;
    }
    if (grip.kind === "draw") {
      this.moveDrawing(grip, sight, at, how);
    } else if (grip.kind === "shape") {
      this.moveShape(grip, sight, at, how);
    }
    return grip.kind !== "pick";
  }

  release(at: Point, how: Press): void {
    const { grip } = this;
    this.grip = null;
    if (grip?.kind === "shape") {
      this.store.letGo();
    } else if (grip?.kind === "pick" && isNear(grip.from, at)) {
      this.store.select(grip.key);
    } else if (grip?.kind === "draw") {
      this.releaseDrawing(grip, at, how);
    }
  }

  /** More fingers came, or the system took the pointer. */
  interrupt(): void {
    if (this.grip?.kind === "shape") {
      this.store.abandon();
    } else if (this.grip?.kind === "draw" && this.grip.hasPlaced && this.draft !== null) {
      const points = this.draft.points.slice(0, -1);
      this.draft = points.length === 0 ? null : { ...this.draft, points };
    }
    this.grip = null;
    this.redraw();
  }

  /** The pointer moves with no button down; returns the cursor that fits, or empty. */
  glide(at: Point | null, how: Press): string {
    const sight = this.sight();
    const kind = this.drawnKind();
    this.pointer = kind === null || how.pointerType === "touch" ? null : at;
    if (at === null || sight === null) {
      this.redraw();
      return "";
    }
    if (this.draft !== null) {
      this.hover = this.pointAt(sight, at, how);
    }
    if (kind !== null) {
      this.redraw();
    }
    const hit = this.draft === null ? this.hitAt(sight, at, how) : null;
    if (hit === null) {
      return "";
    }
    return this.mayShape(hit, kind) ? (hit.handle === null ? "move" : "grab") : kind === null ? "pointer" : "";
  }

  // --- keys ------------------------------------------------------------------------------

  /** Ends a line or region that the reader could go on with. */
  finish(): boolean {
    const { draft } = this;
    if (draft === null || !canEnd(draft)) {
      return false;
    }
    this.complete(draft);
    return true;
  }

  /** Escape: what is being drawn goes, then the selection. */
  cancel(): boolean {
    if (this.draft !== null) {
      this.draft = null;
      this.grip = null;
      this.redraw();
      return true;
    }
    if (this.grip?.kind === "shape") {
      this.interrupt();
      return true;
    }
    const had = this.store.selectedKey !== "";
    this.store.select("");
    return had;
  }

  /** A double click on a finding opens its words. */
  open(at: Point): boolean {
    const sight = this.sight();
    const hit = sight === null || this.draft !== null ? null : this.hitAt(sight, at, { shiftKey: false, pointerType: "mouse" });
    const finding = hit === null ? null : this.store.finding(hit.key);
    if (finding === null || !this.mayMark || this.store.isFixed(finding.key)) {
      return false;
    }
    this.asking.edit(finding);
    return true;
  }

  /** Moves the selection on the screen by so many pixels of the image. */
  nudge(x: number, y: number): boolean {
    const [finding, sight] = [this.store.selection, this.sight()];
    if (finding === null || sight === null || !this.mayMark || !isShapedOn(finding, sight.shown.facts)) {
      return false;
    }
    const { a, b, c, d } = sight.inverse;
    const by: Pair = [a * x + c * y, b * x + d * y];
    const longest = Math.hypot(...by) || 1;
    this.store.change({ ...finding, points: shifted(finding.points, [by[0] / longest, by[1] / longest]) });
    return true;
  }

  /** The same again on the frame that is on the screen; false when that is of another series. */
  paste(copied: Finding): boolean {
    const place = this.placeNow();
    if (place === null || !this.mayMark || !isOfGrid(copied, place)) {
      return false;
    }
    this.store.add({ ...copied, ...place, key: this.store.newKey() });
    return true;
  }

  // --- drawing ---------------------------------------------------------------------------

  private beginDrawing(kind: DrawnKind, sight: Sight, at: Point, how: Press): void {
    const place = this.placeNow();
    if (place === null) {
      return;
    }
    const point = this.pointAt(sight, at, how);
    const { draft } = this;
    this.store.select("");
    if (draft?.kind === kind && isHere(draft.place, sight.shown.facts)) {
      // The second line of two begins where it is pressed, as the first did.
      const hasPlaced = isOfTwoLines(kind) && draft.points.length % 2 === 0;
      this.draft = hasPlaced ? { ...draft, points: [...draft.points, point] } : draft;
      this.hover = hasPlaced ? null : point;
      this.grip = { kind: "draw", from: at, hasPlaced, isFree: false };
    } else {
      this.draft = { kind, points: [point], place };
      this.hover = null;
      this.grip = { kind: "draw", from: at, hasPlaced: true, isFree: kind === "polygon" };
    }
    this.redraw();
  }

  private moveDrawing(grip: Grip & { kind: "draw" }, sight: Sight, at: Point, how: Press): void {
    const { draft } = this;
    if (draft === null) {
      return;
    }
    const point = this.pointAt(sight, at, how);
    if (grip.isFree && draft.points.length < MOST_POINTS) {
      const last = toCanvas(sight.matrix, draft.points.at(-1) as Pair);
      if (Math.hypot(at.x - last[0], at.y - last[1]) >= FREEHAND_STEP_PX) {
        this.draft = { ...draft, points: [...draft.points, point] };
      }
    } else {
      this.hover = point;
    }
    this.redraw();
  }

  private releaseDrawing(grip: Grip & { kind: "draw" }, at: Point, how: Press): void {
    const [draft, sight] = [this.draft, this.sight()];
    if (draft === null || sight === null) {
      return;
    }
    const isDragged = !isNear(grip.from, at);
    if (grip.isFree && isDragged) {
      this.endFreehand(draft);
      return;
    }
    if (!grip.hasPlaced && isClosing(draft, sight, at)) {
      this.complete(draft);
      return;
    }
    this.draft = grip.hasPlaced && !isDragged ? draft : { ...draft, ...withPoint(draft, this.pointAt(sight, at, how)) };
    if (isComplete(this.draft)) {
      this.complete(this.draft);
    } else {
      this.redraw();
    }
  }

  private endFreehand(draft: Draft & { readonly place: DrawnPlace }): void {
    const points = simplified(draft.points, FREEHAND_TOLERANCE);
    if (points.length >= 3) {
      this.complete({ ...draft, points });
    } else {
      this.draft = null;
      this.redraw();
    }
  }

  private complete(draft: Draft & { readonly place: DrawnPlace }): void {
    const aspect = this.instrument.viewport.shown?.facts.pixelAspect ?? 1;
    const isKept = draft.kind === "polygon" || draft.kind === "polyline";
    const points = isKept ? draft.points : finishedPoints(draft, aspect);
    const finding = findingOf(this.store.newKey(), draft.kind, points, draft.place);
    this.draft = null;
    this.hover = null;
    this.grip = null;
    this.redraw();
    void this.asking.complete(finding).then((made) => {
      if (made !== null) {
        this.store.add(made);
      }
    });
  }

  // --- shaping ---------------------------------------------------------------------------

  /** With a drawing tool in hand only the selected one is held; without, a first click selects. */
  private mayShape(hit: Hit, kind: DrawnKind | null): boolean {
    const [finding, facts] = [this.store.finding(hit.key), this.instrument.viewport.shown?.facts];
    const isOwn = finding !== null && facts !== undefined && isShapedOn(finding, facts);
    if (!this.mayMark || this.store.isFixed(hit.key) || !isOwn) {
      return false;
    }
    const isSelected = hit.key === this.store.selectedKey;
    return this.tool() === "select" || (isSelected && (kind === null || hit.handle !== null));
  }

  private take(hit: Hit, sight: Sight, at: Point): void {
    const start = this.store.finding(hit.key);
    if (start !== null) {
      this.store.select(hit.key);
      this.store.hold(hit.key);
      this.grip = { kind: "shape", start, handle: hit.handle, from: imagePoint(sight, at) };
    }
  }

  private moveShape({ start, handle, from }: Grip & { kind: "shape" }, sight: Sight, at: Point, how: Press): void {
    const aspect = sight.shown.facts.pixelAspect;
    if (handle === null) {
      const to = imagePoint(sight, at);
      this.store.adjust({ ...start, points: shifted(start.points, [to[0] - from[0], to[1] - from[1]]) });
      return;
    }
    const anchor = start.points.length === 2 ? start.points[1 - handle] : start.points[Math.max(0, handle - 1)];
    const to = this.pointAt(sight, at, how, start.key, handle === 0 && start.points.length > 2 ? undefined : anchor);
    this.store.adjust({ ...start, points: moveHandle(start, handle, to, aspect) });
  }

  // --- where -----------------------------------------------------------------------------

  private tool(): string {
    return this.instrument.store.state.tool;
  }

  private drawnKind(): DrawnKind | null {
    const { tool } = this.instrument.store.state;
    return this.mayMark && isDrawnKind(tool) ? tool : null;
  }

  private sight(): Sight | null {
    const { shown, size } = this.instrument.viewport;
    if (shown === null) {
      return null;
    }
    const matrix = canvasFromImage(shown.view, extentOf(shown.facts), size);
    return { shown, matrix, inverse: invertMatrix(matrix) };
  }

  private placeNow(): DrawnPlace | null {
    const { shown } = this.instrument.viewport;
    const series = activeSeries(this.instrument.store.state);
    if (shown === null || series === undefined) {
      return null;
    }
    const place = placeOn(shown.facts, series.id);
    return place === null || shown.fused == null ? place : { ...place, otherId: shown.fused.fusion.seriesId };
  }

  private hitAt({ shown, matrix }: Sight, at: Point, { pointerType }: Press): Hit | null {
    const findings = this.store.on(shown.facts);
    const ordered = [...findings].sort((one) => (one.key === this.store.selectedKey ? -1 : 1));
    return findHit(ordered, matrix, shown.facts.pixelAspect, [at.x, at.y], reachOf(pointerType === "touch"));
  }

  /** The image point that the pointer means: attracted by points of others, or kept straight. */
  private pointAt(sight: Sight, at: Point, how: Press, except = "", anchor: Pair | undefined = this.draft?.points.at(-1)): Pair {
    const { shown, matrix, inverse } = sight;
    if (how.shiftKey && anchor !== undefined) {
      const [x, y] = straight(toCanvas(matrix, anchor), [at.x, at.y]);
      return pairOf(applyMatrix(inverse, { x, y }));
    }
    const others = this.store.on(shown.facts);
    return findSnap(others, matrix, [at.x, at.y], except) ?? imagePoint(sight, at);
  }

  private redraw(): void {
    this.store.announce();
  }
}

/** With the series that lies over the picture: its values are wanted, too. */
type DrawnPlace = Place & Pick<Finding, "otherId">;

interface Sight {
  readonly shown: Shown;
  readonly matrix: Matrix;
  readonly inverse: Matrix;
}

/** A click on the first point closes a region; one on the last point ends it, and a line too. */
function isClosing(draft: Draft, { matrix }: Sight, at: Point): boolean {
  const ends = [draft.points.at(-1), ...(draft.kind === "polygon" ? [draft.points[0]] : [])];
  const isAt = (point: Pair | undefined): boolean => {
    const [x, y] = point === undefined ? [Infinity, Infinity] : toCanvas(matrix, point);
    return Math.hypot(x - at.x, y - at.y) <= CLOSE_PX;
  };
  return canEnd(draft) && ends.some(isAt);
}

function imagePoint({ inverse }: Sight, at: Point): Pair {
  return pairOf(applyMatrix(inverse, at));
}

function pairOf({ x, y }: Point): Pair {
  return [x, y];
}

function isNear(one: Point, other: Point): boolean {
  return Math.hypot(one.x - other.x, one.y - other.y) < CLICK_PX;
}

function findingOf(key: string, kind: DrawnKind, points: readonly Pair[], place: DrawnPlace): Finding {
  return {
    ...place,
    key,
    kind,
    points,
    family: familyOf(kind),
    label: "",
    layer: "",
    text: "",
    knownMm: null,
    colour: "",
    isVisible: true,
  };
}
