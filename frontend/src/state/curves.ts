/** Lines through volumes in the state: their points, the picture along each, the place that is looked at. */

import {
  arcAt,
  columnAt,
  countBefore,
  CURVE_FORMS,
  FIRST_WISH,
  inserted,
  MOST_CURVE_POINTS,
  moved,
  placeAt,
  removed,
  WIDEST_MM,
  type CurveGeometry,
  type CurvePlace,
  type CurveWish,
} from "../core/curve";
import type { CurveRuler } from "../core/curve-measure";
import type { ImageFacts, Pixels, Triple } from "../core/facts";
import type { Look, PaneState, ViewerState } from "./store";

/** The newest picture along a line; its points may have moved since. */
export interface CurvedPicture {
  readonly facts: ImageFacts;
  readonly pixels: Pixels;
  readonly geometry: CurveGeometry;
  readonly isDraft: boolean;
  readonly wish: CurveWish;
}

export interface Curve {
  readonly wish: CurveWish;
  /** The points as they were before each step of the hand, the newest last. */
  readonly history: readonly (readonly Triple[])[];
  /** Which point was touched last; -1: none. */
  readonly selected: number;
  /** The place that is looked at, as a length along the line; null: the middle, as nobody has chosen one. */
  readonly atMm: number | null;
  readonly picture: CurvedPicture | null;
  /** Lengths on the picture; they go when the line moves. */
  readonly rulers?: readonly CurveRuler[];
}

type Change = (state: ViewerState) => ViewerState;

const NO_CURVE: Curve = { wish: FIRST_WISH, history: [], selected: -1, atMm: null, picture: null };
const MOST_STEPS = 200;
const MOST_RULERS = 20;

export function curveOf(state: ViewerState, seriesId: string): Curve {
  return state.curves?.get(seriesId) ?? NO_CURVE;
}

export function changeCurve(seriesId: string, change: (curve: Curve) => Curve): Change {
  return (state) => {
    const before = curveOf(state, seriesId);
    const after = change(before);
    return after === before || seriesId === "" ? state : { ...state, curves: new Map(state.curves).set(seriesId, after) };
  };
}

/** A line that was kept takes its place; one that the reader draws meanwhile stays, unless it must go. */
export function loadCurve(seriesId: string, wish: CurveWish, isForced: boolean): Change {
  return changeCurve(seriesId, (curve) => (!isForced && curve.wish.points.length > 0 ? curve : { ...withPoints(curve, wish.points, -1), wish, history: [] }));
}

// --- points -----------------------------------------------------------------------------------------
/** Puts a point at a place in the order, and takes hold of it; a line that is full stays as it is. */
export function addCurvePoint(seriesId: string, index: number, lps: Triple): Change {
  return changeCurve(seriesId, (curve) =>
    curve.wish.points.length >= MOST_CURVE_POINTS ? curve : withPoints(remembered(curve), inserted(curve.wish.points, index, lps), index),
  );
}

/** The beginning of a drag, which one step takes back. */
export function holdCurvePoint(seriesId: string, index: number): Change {
  return changeCurve(seriesId, (curve) => ({ ...curve, selected: index }));
}

/** Moves a point; `isFirst`: the first of a drag. */
export function moveCurvePoint(seriesId: string, index: number, lps: Triple, isFirst: boolean): Change {
  return changeCurve(seriesId, (curve) => withPoints(isFirst ? remembered(curve) : curve, moved(curve.wish.points, index, lps), index));
}

/** Takes away the point that was touched last, or the last one. */
export function removeCurvePoint(seriesId: string): Change {
  return changeCurve(seriesId, (curve) => {
    const { points } = curve.wish;
    const index = curve.selected >= 0 && curve.selected < points.length ? curve.selected : points.length - 1;
    return points.length === 0 ? curve : withPoints(remembered(curve), removed(points, index), Math.min(index, points.length - 2));
  });
}

export function clearCurve(seriesId: string): Change {
  return changeCurve(seriesId, (curve) => (curve.wish.points.length === 0 ? curve : withPoints(remembered(curve), [], -1)));
}

export function undoCurve(seriesId: string): Change {
  return changeCurve(seriesId, (curve) => {
    const last = curve.history.at(-1);
    return last === undefined ? curve : withPoints({ ...curve, history: curve.history.slice(0, -1) }, last, -1);
  });
}

function remembered(curve: Curve): Curve {
  return { ...curve, history: [...curve.history, curve.wish.points].slice(-MOST_STEPS) };
}

/** Without two points there is no line, and no picture of one. */
function withPoints(curve: Curve, points: readonly Triple[], selected: number): Curve {
  const isLine = points.length >= 2;
  return { ...curve, wish: { ...curve.wish, points }, rulers: [], selected, picture: isLine ? curve.picture : null, atMm: isLine ? curve.atMm : null };
}

/** Where a point that lies beside the line at the marker goes in the order. */
export function orderAt(curve: Curve): number {
  const { wish, picture } = curve;
  return picture === null ? wish.points.length : countBefore(wish.points, picture.geometry, markerMm(curve));
}

// --- lengths on the picture ----------------------------------------------------------------------------
/** A length that is being drawn takes the place of itself as it was; `isNew`: the first of a drag. */
export function drawRuler(seriesId: string, ruler: CurveRuler, isNew: boolean): Change {
  return changeCurve(seriesId, (curve) => {
    const rulers = curve.rulers ?? [];
    return { ...curve, rulers: [...(isNew ? rulers : rulers.slice(0, -1)), ruler].slice(-MOST_RULERS) };
  });
}

export function clearRulers(seriesId: string): Change {
  return changeCurve(seriesId, (curve) => ((curve.rulers ?? []).length === 0 ? curve : { ...curve, rulers: [] }));
}

// --- how it is seen -----------------------------------------------------------------------------------
export function setCurveWish(seriesId: string, wished: Partial<Omit<CurveWish, "points">>): Change {
  return changeCurve(seriesId, (curve) => {
    const wish = { ...curve.wish, ...wished };
    const widthMm = Math.min(WIDEST_MM, Math.max(5, wish.widthMm || FIRST_WISH.widthMm));
    const thicknessMm = Math.min(200, Math.max(0.5, wish.slab.thicknessMm || FIRST_WISH.slab.thicknessMm));
    const angleDeg = ((((wish.angleDeg || 0) % 360) + 540) % 360) - 180;
    return { ...curve, wish: { ...wish, widthMm, angleDeg, slab: { ...wish.slab, thicknessMm } } };
  });
}

export function nextCurveForm(seriesId: string): Change {
  return (state) => {
    const { form } = curveOf(state, seriesId).wish;
    return setCurveWish(seriesId, { form: CURVE_FORMS.find((one) => one !== form) ?? form })(state);
  };
}

export function setCurvePicture(seriesId: string, picture: CurvedPicture): Change {
  return changeCurve(seriesId, (curve) => {
    if (curve.wish.points.length < 2) {
      return curve;
    }
    const end = arcAt(picture.geometry, picture.geometry.columns - 1);
    return { ...curve, picture, atMm: curve.atMm === null ? null : Math.min(curve.atMm, end) };
  });
}

// --- the place that is looked at ------------------------------------------------------------------------
/** Where the marker is, as a length along the line. */
export function markerMm({ picture, atMm }: Pick<Curve, "picture" | "atMm">): number {
  return atMm ?? (picture === null ? 0 : arcAt(picture.geometry, picture.geometry.columns - 1) / 2);
}

/** The marker's column among all of them; null while there is no picture. */
export function curveStep(state: ViewerState, seriesId: string): { readonly index: number; readonly count: number } | null {
  const curve = curveOf(state, seriesId);
  const { picture } = curve;
  return picture === null ? null : { index: Math.round(columnAt(picture.geometry, markerMm(curve))), count: picture.geometry.columns };
}

export function curvePlace(state: ViewerState, seriesId: string): CurvePlace | null {
  const curve = curveOf(state, seriesId);
  return curve.picture === null ? null : placeAt(curve.picture.geometry, markerMm(curve));
}

export function goAlongCurve(seriesId: string, column: number): Change {
  return changeCurve(seriesId, (curve) => (curve.picture === null ? curve : { ...curve, atMm: arcAt(curve.picture.geometry, column) }));
}

// --- panes ----------------------------------------------------------------------------------------------
/** Whether a pane shows what was cut from a volume: a plane, along a line, or across it. */
export function isCut({ shows }: Pick<PaneState, "shows">): boolean {
  return shows === "plane" || isAlong({ shows });
}

/** Whether a pane's place is one on the line. */
export function isAlong({ shows }: Pick<PaneState, "shows">): boolean {
  return shows === "curved" || shows === "section";
}

export function isCurvedOn(state: ViewerState): boolean {
  return state.panes.some(({ shows }) => shows === "curved");
}

/** Two planes to draw on, the picture along the line, and the plane across it. */
export function curvedPanes(seriesId: string, look: Look, firstId: number, base: Omit<PaneState, "id" | "look" | "seriesId">): PaneState[] {
  const kinds: readonly Pick<PaneState, "shows" | "plane">[] = [
    { shows: "plane", plane: "axial" },
    { shows: "plane", plane: "coronal" },
    { shows: "curved", plane: "axial" },
    { shows: "section", plane: "axial" },
  ];
  return kinds.map((kind, place) => ({ ...base, ...kind, seriesId, look, id: `${firstId + place}` }));
}
