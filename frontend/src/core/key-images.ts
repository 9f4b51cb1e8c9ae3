/** Frames that a reader wants to be found again, and why. */

import type { ImageFacts } from "./facts";
import type { ObjectDocument } from "./stored-objects";

export interface KeyImage {
  readonly id: string;
  readonly version: number;
  readonly note: string;
  readonly seriesId: string;
  readonly instanceId: string;
  /** Null: all frames. */
  readonly frame: number | null;
  readonly seriesNumber: number | null;
  readonly instanceNumber: number | null;
  /** The key object selection that names it, when it is none of the readers' own here. */
  readonly selection?: { readonly title: string; readonly words: string };
}

export type KeyImages = readonly KeyImage[];

/** Whether a picture is one; what is reformatted is none. */
export function keyImageOf(images: KeyImages, facts: ImageFacts | undefined): KeyImage | undefined {
  return facts === undefined || facts.reformatted !== undefined
    ? undefined
    : images.find(({ instanceId, frame }) => instanceId === facts.instanceId && (frame === null || frame === facts.frame));
}

/** Those that readers here have made, which they may change. */
export function ownOf(images: KeyImages): KeyImages {
  return images.filter(({ selection }) => selection === undefined);
}

export function isSelectedBy({ id, selection }: KeyImage, objectId: string): boolean {
  return selection !== undefined && id.startsWith(`${objectId}/`);
}

/** The images of a key object selection that are in the archive; description and author are their note. */
export function selectedBy({ id, title, name, facts, images }: ObjectDocument): KeyImages {
  const selection = title || name;
  return images
    .filter(({ instanceId }) => instanceId !== "")
    .flatMap(({ instanceId, seriesId, words, frames }) =>
      (frames.length === 0 ? [null] : frames).map((frame) => ({
        id: `${id}/${instanceId}/${frame ?? ""}`,
        version: 0,
        note: facts.map(({ value }) => value).join(" · "),
        seriesId,
        instanceId,
        frame,
        seriesNumber: null,
        instanceNumber: null,
        selection: { title: selection, words },
      })),
    );
}
