/** The presentation state that is applied: each image that it names looks as it says, the others as before. */

import type { ImageFacts } from "../core/facts";
import { belongsTo, firstOf, type ObjectDocument, type PresentationState } from "../core/stored-objects";
import type { Size } from "../core/view";
import { AS_FILED } from "../core/voi";
import { changeLooksAt, imageIn } from "../state/panes";
import type { Look, PaneState, Store, ViewerState } from "../state/store";
import { stateLook } from "./viewer-object-state";

/** Which state, and the looks before, by the key of the series. */
interface Applied {
  readonly document: ObjectDocument;
  readonly state: PresentationState;
  readonly before: ReadonlyMap<string, Look>;
}

export class AppliedState {
  private applied: Applied | null = null;

  constructor(
    private readonly store: Store,
    /** How large the picture of a pane is on the screen. */
    private readonly sizeOf: (paneId: string) => Size,
  ) {
    store.addRule((before, after) => this.follow(before, after));
  }

  /** Key of the object; empty: none is applied. */
  get id(): string {
    return this.applied?.document.id ?? "";
  }

  /** What is applied to an image; null: nothing. */
  stateFor({ instanceId, frame }: Pick<ImageFacts, "instanceId" | "frame">): PresentationState | null {
    const { applied } = this;
    return applied !== null && belongsTo(applied.document.images, instanceId, frame) ? applied.state : null;
  }

  /** Returns the series that it is about. */
  apply(document: ObjectDocument): readonly string[] {
    this.takeOff();
    const { state } = document;
    const series = [...new Set(document.images.map(({ seriesId }) => seriesId).filter((id) => id !== ""))];
    if (state === null || series.length === 0) {
      return [];
    }
    this.applied = { document, state, before: new Map(series.map((id) => [id, this.lookAt(id)])) };
    // What names no images means all of the state's, not all of the series.
    const greys = state.greys.map((grey) => (grey.images.length > 0 ? grey : { ...grey, images: document.images }));
    for (const id of series) {
      if (greys.length > 0) {
        this.store.change(changeLooksAt(id, (look) => ({ ...look, window: { kind: "stated", greys, otherwise: look.window } })));
      }
    }
    this.store.change((now) => ({ ...now, panes: now.panes.map((pane) => (series.includes(pane.seriesId) ? this.dressed(now, pane) : pane)) }));
    return series;
  }

  /** The look before comes back; where the reader is in the stack stays. */
  takeOff(): void {
    const { applied } = this;
    this.applied = null;
    applied?.before.forEach((look, id) => {
      const { panes } = this.store.state;
      this.store.change(changeLooksAt(id, (now) => ({ ...asBefore(now, look), window: look.window ?? AS_FILED })));
      // What is no image of the stack was not looked at by the state.
      const others = new Map(panes.filter((pane) => pane.seriesId === id && pane.shows !== "stack").map((pane) => [pane.id, pane]));
      this.store.change((state) => ({ ...state, panes: state.panes.map((pane) => unstated(others.get(pane.id) ?? pane)) }));
    });
  }

  private lookAt(seriesId: string): Look {
    const { panes, looks } = this.store.state;
    const shown = panes.find((pane) => pane.seriesId === seriesId)?.look ?? looks.get(seriesId);
    return shown ?? panes[0]?.look ?? ({} as Look);
  }

  /** Another image may lie otherwise, or be none of the state's; what the reader has moved stays as long as neither is so. */
  private follow(before: ViewerState, after: ViewerState): ViewerState {
    const { applied } = this;
    if (applied === null || (before.panes === after.panes && before.stacks === after.stacks)) {
      return after;
    }
    const panes = after.panes.map((pane) => {
      const was = before.panes.find(({ id, seriesId }) => id === pane.id && seriesId === pane.seriesId);
      const isSame = was !== undefined && this.partOf(imageIn(before, was)) === this.partOf(imageIn(after, pane));
      return isSame || !applied.before.has(pane.seriesId) ? pane : this.dressed(after, pane);
    });
    return panes.every((pane, place) => pane === after.panes[place]) ? after : { ...after, panes };
  }

  /** Images of one part look alike. */
  private partOf(image: ImageFacts | undefined): string {
    const state = image === undefined ? null : this.stateFor(image);
    if (image === undefined || state === null) {
      return image === undefined ? "?" : "";
    }
    const area = firstOf(state.areas, image.instanceId, image.frame);
    return `${area === undefined ? "all" : state.areas.indexOf(area)} ${image.photometricInterpretation}`;
  }

  private dressed(now: ViewerState, pane: PaneState): PaneState {
    if (pane.shows !== "stack") {
      return pane;
    }
    const image = imageIn(now, pane);
    const before = this.applied?.before.get(pane.seriesId);
    if (this.applied === null || before === undefined) {
      return pane;
    }
    const { document, state } = this.applied;
    if (image !== undefined && this.stateFor(image) === null) {
      return { ...pane, look: asBefore(pane.look, before) };
    }
    const look = { ...pane.look, ...stateLook(state, image, this.sizeOf(pane.id)), presentation: document.title || document.name };
    return { ...pane, look };
  }
}

function unstated(pane: PaneState): PaneState {
  const { window } = pane.look;
  return window.kind === "stated" ? { ...pane, look: { ...pane.look, window: window.otherwise } } : pane;
}

function asBefore(now: Look, { invert, view, isFitted }: Look): Look {
  const back = { ...now, invert, view, isFitted };
  delete (back as { presentation?: string }).presentation;
  return back;
}
