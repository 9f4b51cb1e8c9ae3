/** How a study is hung: what each pane shows, and how its picture is to lie. */

import type { ImageFacts, Study } from "./facts";
import type { PlaneName, Slab } from "./mpr";
import { edgeLetters } from "./orientation";
import { applyMatrix, canvasFromImage, fitView, panView, type Extent, type Size, type View } from "./view";

/** Letters of the patient that are to lie at the right and at the bottom. */
export interface Orient {
  readonly right: string;
  readonly bottom: string;
}

/** How a picture lies in its pane as long as the reader leaves it fitted. */
export interface Hang {
  readonly orient: Orient | null;
  /** The pane's edge at which the picture lies: the chest wall of a breast. */
  readonly align: "left" | "right" | "";
  /** Panes of one group show their pictures at one scale in mm. */
  readonly group: string;
}

export interface HungPane {
  readonly seriesId: string;
  /** A series that lies over the pictures; none unless said. */
  readonly overSeriesId?: string;
  /** The image that is wanted of the series; empty: the first. */
  readonly instanceId: string;
  readonly frame: number;
  readonly hang: Hang | null;
  readonly window: { readonly center: number; readonly width: number } | null;
  /** What of the series; its images unless said. */
  readonly shows?: "stack" | "plane" | "volume";
  readonly plane?: PlaneName;
  readonly slab?: Slab | null;
  readonly body?: BodyWish | null;
}

/** How a volume is first seen as a body. */
export interface BodyWish {
  readonly preset: string;
  readonly isTurning: boolean;
}

export interface HungLinks {
  readonly scroll?: boolean;
  readonly window?: boolean;
  readonly zoom?: boolean;
  readonly lines?: boolean;
}

export interface Hung {
  readonly code: string;
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly panes: readonly HungPane[];
  readonly links: HungLinks;
}

/** Another study of the same patient. */
export interface Prior {
  readonly study: Study;
  readonly modalities: readonly string[];
  readonly isLater: boolean;
  readonly seriesUrl: string;
  readonly hangUrl: string;
}

type Turn = Pick<View, "rotationDeg" | "mirrored">;

/** As it came first, then mirrored, then upside down, then on its sides. */
const TURNS: readonly Turn[] = [0, 180, 90, 270].flatMap((rotationDeg) => [
  { rotationDeg, mirrored: false },
  { rotationDeg, mirrored: true },
]);

/**
 * The turn that brings the letters to their edges, or at least what must lie at the right; null when the
 * file does not say how the picture lies.
 */
export function turnFor(facts: ImageFacts, { right, bottom }: Orient): Turn | null {
  const letters = TURNS.map((turn) => ({ turn, edges: edgeLetters(facts, { ...turn, center: { x: 0, y: 0 }, scale: 1 }) }));
  const atRight = letters.filter(({ edges }) => edges.right.startsWith(right));
  const whole = atRight.find(({ edges }) => edges.bottom.startsWith(bottom));
  return (whole ?? atRight[0])?.turn ?? null;
}

/** The view of a picture that the reader has not moved: fitted, and as the pane wants it hung. */
export function hungView(facts: ImageFacts, extent: Extent, size: Size, hang: Hang | null, own: View | null, scalePerMm: number | null): View {
  const turn = own ?? (hang?.orient == null ? null : turnFor(facts, hang.orient));
  const like = turn === null ? undefined : { center: { x: 0, y: 0 }, scale: 1, ...turn };
  const fitted = fitView(extent, size, like);
  if (hang === null) {
    return fitted;
  }
  const step = facts.pixelSpacing?.[1] ?? null;
  const view = scalePerMm === null || step === null ? fitted : { ...fitted, scale: scalePerMm * step };
  return hang.align === "" ? view : panView(view, extent, wayToEdge(view, extent, size, hang.align), 0);
}

/** CSS px for a mm at which the whole picture fits; null without millimetres. */
export function fittingScale(facts: ImageFacts, extent: Extent, size: Size, hang: Hang): number | null {
  const step = facts.pixelSpacing?.[1] ?? null;
  return step === null ? null : hungView(facts, extent, size, { ...hang, align: "" }, null, null).scale / step;
}

function wayToEdge(view: View, extent: Extent, size: Size, edge: "left" | "right"): number {
  const matrix = canvasFromImage(view, extent, size);
  const corners = [
    { x: -0.5, y: -0.5 },
    { x: extent.width - 0.5, y: -0.5 },
    { x: -0.5, y: extent.height - 0.5 },
    { x: extent.width - 0.5, y: extent.height - 0.5 },
  ].map((corner) => applyMatrix(matrix, corner).x);
  return edge === "left" ? -Math.min(...corners) : size.width - Math.max(...corners);
}
