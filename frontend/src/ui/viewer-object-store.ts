/** The study's objects in the page's memory: what has come, what is switched on, what waits. */

import type { ObjectDocument, OutlinedPart, PresentationState, Shape, StoredMark, StoredObject } from "../core/stored-objects";
import { fetchObject, fetchOutlines, fetchStoredMarks, fetchStoredObjects } from "../io/stored-objects";
import type { Shown } from "../render/viewport";
import type { ColouredShape, Overlay } from "./viewer-object-layer";

const NOTHING: Overlay = { shapes: [], words: [], state: null, live: new Set() };
const MARK_COLOUR = "#ffd43b";
/** Outlines of so many images are kept for each object. */
const KEPT_IMAGES = 400;

interface Outlined {
  readonly object: StoredObject;
  readonly parts: ReadonlyMap<number, OutlinedPart>;
  readonly hidden: Set<number>;
  readonly shapes: Map<string, readonly Shape[] | "coming" | "failed">;
}

export class ObjectStore {
  objects: readonly StoredObject[] | null = null;
  hasFailed = false;
  private readonly documents = new Map<string, ObjectDocument | "coming" | "failed">();
  private readonly outlined = new Map<string, Outlined>();
  private readonly overlays = new Map<string, Overlay>();
  private readonly marked = new Set<string>();
  private marks: readonly StoredMark[] | null = null;
  private isComing = false;

  constructor(
    private readonly url: string,
    private readonly marksUrl: string,
    private readonly announce: () => void,
    /** The state that is applied to an image, if one is. */
    private readonly stateFor: (shown: Shown) => PresentationState | null,
    /** Whether a mark of this archive is drawn on the page as a finding. */
    private readonly isLive: (markId: string) => boolean,
  ) {}

  /** Asks for the list, once; `isFresh` asks again. */
  load(isFresh = false): void {
    if (this.isComing || (this.objects !== null && !isFresh)) {
      return;
    }
    this.isComing = true;
    fetchStoredObjects(this.url)
      .then((objects) => {
        this.objects = objects;
        this.hasFailed = false;
        if (objects.some(({ kind }) => kind === "report")) {
          this.loadMarks();
        }
      })
      .catch(() => (this.hasFailed = true))
      .finally(() => {
        this.isComing = false;
        this.announce();
      });
  }

  private loadMarks(): void {
    fetchStoredMarks(this.marksUrl)
      .then((marks) => (this.marks = marks))
      .catch(() => (this.marks = []))
      .finally(() => this.renew());
  }

  /** How many measurements a report has on the pictures of this study. */
  markCount(id: string): number {
    return (this.marks ?? []).filter(({ objectId }) => objectId === id).length;
  }

  isMarked(id: string): boolean {
    return this.marked.has(id);
  }

  toggleMarks(id: string): void {
    if (!this.marked.delete(id)) {
      this.marked.add(id);
    }
    this.renew();
  }

  ofSeries(seriesId: string): readonly StoredObject[] {
    return (this.objects ?? []).filter((one) => one.seriesId === seriesId);
  }

  /** What an object says; it is asked for when it is wanted first. */
  documentOf(object: StoredObject): ObjectDocument | "coming" | "failed" {
    const known = this.documents.get(object.id);
    if (known !== undefined) {
      return known;
    }
    this.documents.set(object.id, "coming");
    fetchObject(object.objectUrl)
      .then((document) => this.documents.set(object.id, document))
      .catch(() => this.documents.set(object.id, "failed"))
      .finally(() => this.announce());
    return "coming";
  }

  isOn(id: string): boolean {
    return this.outlined.has(id);
  }

  isHidden(id: string, part: number): boolean {
    return this.outlined.get(id)?.hidden.has(part) === true;
  }

  toggle(object: StoredObject, document: ObjectDocument): void {
    if (!this.outlined.delete(object.id)) {
      const parts = new Map(document.parts.map((part) => [part.number, part]));
      this.outlined.set(object.id, { object, parts, hidden: new Set(), shapes: new Map() });
    }
    this.renew();
  }

  togglePart(id: string, part: number): void {
    const hidden = this.outlined.get(id)?.hidden;
    if (hidden !== undefined && !hidden.delete(part)) {
      hidden.add(part);
    }
    this.renew();
  }

  renew(): void {
    this.overlays.clear();
    this.announce();
  }

  /** What lies on an image; what is missing is asked for, and announced when it comes. */
  overlayOf(shown: Shown): Overlay {
    const state = this.stateFor(shown);
    if (this.outlined.size === 0 && this.marked.size === 0 && state === null) {
      return NOTHING;
    }
    const { key } = shown.facts;
    const known = this.overlays.get(key);
    const live = this.liveMarks(state);
    if (known !== undefined && known.state === state && known.live.size === live.size && [...live].every((id) => known.live.has(id))) {
      return known;
    }
    const marks = this.marksOn(shown);
    const drawn = marks.flatMap(({ shapes, isClosed }) => shapes.map((points) => ({ part: 0, closed: isClosed, points, colour: MARK_COLOUR })));
    const words = marks.map(({ words: text, shapes }) => ({ text, at: shapes[0]?.[0] ?? { x: 0, y: 0 }, colour: MARK_COLOUR }));
    const outlines = [...this.outlined.values()].flatMap((one) => this.shapesOf(one, shown));
    const made = { shapes: [...outlines, ...drawn], words, state, live };
    this.overlays.set(key, made);
    return made;
  }

  /** Marks of a state that the page draws already. */
  liveMarks(state: PresentationState | null): ReadonlySet<string> {
    const marks = (state?.marks ?? []).flatMap(({ graphics, words }) => [...graphics, ...words]).map(({ markId }) => markId);
    return new Set(marks.filter((id) => id !== "" && this.isLive(id)));
  }

  private marksOn({ facts }: Shown): readonly StoredMark[] {
    return (this.marks ?? []).filter(
      ({ objectId, instanceId, frame }) => this.marked.has(objectId) && instanceId !== "" && instanceId === facts.instanceId && frame === facts.frame,
    );
  }

  private shapesOf({ object, parts, hidden, shapes }: Outlined, { facts }: Shown): ColouredShape[] {
    const known = shapes.get(facts.key);
    if (typeof known === "object") {
      return known.filter(({ part }) => !hidden.has(part)).map((shape) => ({ ...shape, colour: parts.get(shape.part)?.colour ?? "#ffffff" }));
    }
    // Outlines lie on images; a plane that was cut from the volume is none.
    if (known === undefined && facts.instanceId !== "") {
      shapes.set(facts.key, "coming");
      fetchOutlines(object.outlinesUrl, facts.instanceId, facts.frame)
        .then((found) => shapes.set(facts.key, found))
        .catch(() => shapes.set(facts.key, "failed"))
        .finally(() => {
          const oldest = shapes.size > KEPT_IMAGES ? shapes.keys().next().value : undefined;
          if (oldest !== undefined) {
            shapes.delete(oldest);
          }
          this.overlays.delete(facts.key);
          this.announce();
        });
    }
    return [];
  }
}
