/** What a presentation state makes of a look. */

import type { ImageFacts } from "../core/facts";
import { firstOf, type PresentationState, type StateArea } from "../core/stored-objects";
import { fitView, type Extent, type Size, type View } from "../core/view";
import { extentOf } from "../render/viewport";
import type { Look } from "../state/store";

type Changed = Pick<Look, "invert" | "view" | "isFitted">;

/** How grey comes out and how the picture lies, of one image; `undefined` while its stack is not here. */
export function stateLook(state: PresentationState, image: ImageFacts | undefined, canvas: Size): Changed {
  // A state says how grey comes out, whatever the image says (PS3.3 C.11.6): what we call plain
  // turns MONOCHROME1 around already.
  const invert = state.inverted !== (image?.photometricInterpretation === "MONOCHROME1");
  const like: View = { center: { x: 0, y: 0 }, scale: 1, rotationDeg: ourRotation(state), mirrored: state.flipped };
  const extent: Extent = image === undefined ? { width: 1, height: 1, pixelAspect: 1 } : extentOf(image);
  const area = image === undefined ? undefined : firstOf(state.areas, image.instanceId, image.frame);
  const part = area === undefined ? null : partOf(area, extent);
  if (part === null) {
    return { invert, view: fitView(extent, canvas, like), isFitted: true };
  }
  const { width, height, left, top } = part;
  const view = fitView({ width, height, pixelAspect: extent.pixelAspect }, canvas, like);
  const center = { x: view.center.x + left, y: view.center.y + top };
  return { invert, view: { ...view, center }, isFitted: false };
}

/** The displayed area as pixels of the image, the first at 0; null: all of it, or more. */
function partOf({ first, last }: StateArea, extent: Extent): (Size & { left: number; top: number }) | null {
  const left = Math.min(first.x, last.x) - 1;
  const top = Math.min(first.y, last.y) - 1;
  const width = Math.abs(last.x - first.x) + 1;
  const height = Math.abs(last.y - first.y) + 1;
  const isWhole = left <= 0 && top <= 0 && left + width >= extent.width && top + height >= extent.height;
  return isWhole ? null : { left, top, width, height };
}

/** DICOM turns, then mirrors; here the mirror comes first, and what was turned after it turns back. */
export function ourRotation({ rotationDeg, flipped }: PresentationState): number {
  return flipped ? (360 - rotationDeg) % 360 : rotationDeg;
}
