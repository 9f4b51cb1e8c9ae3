/** The study's objects in the page's memory: what has come, what is switched on, what waits. */

import type { ObjectDocument, OutlinedPart, PresentationState, Shape, StoredObject } from "../core/stored-objects";
import { fetchObject, fetchOutlines, fetchStoredObjects } from "../io/stored-objects";
import type { Shown } from "../render/viewport";
import type { ColouredShape, Overlay } from "./viewer-object-layer";

const NOTHING: Overlay = { shapes: [], state: null };
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
  private isComing = false;

  constructor(
    private readonly url: string,
    private readonly announce: () => void,
    /** The state that is applied to an image, if one is. */
    private readonly stateFor: (shown: Shown) => PresentationState | null,
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
      })
      .catch(() => (this.hasFailed = true))
      .finally(() => {
        this.isComing = false;
        this.announce();
      });
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
    if (this.outlined.size === 0 && state === null) {
      return NOTHING;
    }
    const { key } = shown.facts;
    const known = this.overlays.get(key);
    if (known !== undefined && known.state === state) {
      return known;
    }
    const made = { shapes: [...this.outlined.values()].flatMap((one) => this.shapesOf(one, shown)), state };
    this.overlays.set(key, made);
    return made;
  }

  /** How many of an object's outlines lie on an image; null while they are on their way. */
  countOn(id: string, key: string): number | null {
    const shapes = this.outlined.get(id)?.shapes.get(key);
    return typeof shapes === "object" ? shapes.length : shapes === "failed" ? 0 : null;
  }

  private shapesOf({ object, parts, hidden, shapes }: Outlined, { facts }: Shown): ColouredShape[] {
    const known = shapes.get(facts.key);
    if (typeof known === "object") {
      return known.filter(({ part }) => !hidden.has(part)).map((shape) => ({ ...shape, colour: parts.get(shape.part)?.colour ?? "#ffffff" }));
    }
    if (known === undefined) {
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
