import { describe, expect, test } from "vitest";

import {
  arcAt,
  columnAt,
  countBefore,
  FIRST_WISH,
  inserted,
  lineRowAt,
  lpsFromCurve,
  moved,
  placeAt,
  refined,
  removed,
  sectionAxes,
  type CurveGeometry,
} from "../src/core/curve";
import { lengthsOf, pointOf, spotAt, type CurveRuler } from "../src/core/curve-measure";
import { sectionGrid } from "../src/core/curve-facts";
import type { Triple } from "../src/core/facts";
import type { Point } from "../src/core/view";
import { readCurve } from "../src/io/server-curves";
import type { JsonObject } from "../src/io/read";
import {
  addCurvePoint,
  clearCurve,
  curveOf,
  curveStep,
  goAlongCurve,
  moveCurvePoint,
  orderAt,
  removeCurvePoint,
  setCurvePicture,
  setCurveWish,
  undoCurve,
  type CurvedPicture,
} from "../src/state/curves";
import { firstPane } from "../src/state/panes";
import type { ViewerState } from "../src/state/store";
import { toggleCurved, toggleMpr } from "../src/state/volumes";
import { pointUnder, segmentUnder } from "../src/tools/curve";
import { imageFacts } from "./facts";

const RADIUS = 40;
const COLUMNS = 81;

/** On a circle in the coronal plane, half a millimetre between columns; rows go to the back. */
function at(arcMm: number): Triple {
  return [RADIUS * Math.cos(arcMm / RADIUS), 7, RADIUS * Math.sin(arcMm / RADIUS)];
}

function onwards(arcMm: number): Triple {
  return [-Math.sin(arcMm / RADIUS), 0, Math.cos(arcMm / RADIUS)];
}

function circle(): CurveGeometry {
  const arcMm = Array.from({ length: COLUMNS }, (_, column) => column * 0.5);
  return {
    form: "straightened",
    columns: COLUMNS,
    rows: 41,
    spacingMm: 0.5,
    points: arcMm.map(at),
    tangents: arcMm.map(onwards),
    across: arcMm.map(() => [0, 1, 0]),
    lineRows: arcMm.map(() => 20),
    arcMm,
  };
}

function near(found: Triple, wanted: Triple, digits = 2): void {
  found.forEach((value, axis) => expect(value).toBeCloseTo(wanted[axis] as number, digits));
}

describe("places on a curved picture", () => {
  test("a column leads to its point of the circle, and a row as far across as it is from the line", () => {
    near(lpsFromCurve(circle(), 30, 20), at(15), 9);
    near(lpsFromCurve(circle(), 30, 26), [at(15)[0], 10, at(15)[2]], 9);
    near(lpsFromCurve(circle(), 30.5, 20), at(15.25));
    expect(lineRowAt(circle(), 12.5)).toBe(20);
  });

  test("lengths and columns lead to each other, and end where the picture ends", () => {
    expect(columnAt(circle(), 15.25)).toBeCloseTo(30.5, 9);
    expect(arcAt(circle(), 30.5)).toBeCloseTo(15.25, 9);
    expect(columnAt(circle(), 1000)).toBe(COLUMNS - 1);
    expect(arcAt(circle(), -5)).toBe(0);
  });

  test("the plane across stands at right angles to the circle, its middle pixel on it", () => {
    const grid = sectionGrid(circle(), 15, 20, 0.5);
    near(grid.normal, onwards(15), 9);
    near(grid.down, [0, 1, 0], 9);
    const half = ((grid.columns - 1) / 2) * grid.spacingMm;
    near(grid.origin.map((one, axis) => one + half * ((grid.right[axis] as number) + (grid.down[axis] as number))) as unknown as Triple, at(15), 9);
    expect(grid.columns % 2).toBe(1);
    expect(grid.columns * grid.spacingMm).toBeGreaterThanOrEqual(20);
  });

  test("where columns run along the line the plane across has a top all the same", () => {
    const { normal, up } = sectionAxes({ tangent: [0, 1, 0], across: [0, 1, 0] });
    expect(normal).toEqual([0, 1, 0]);
    near(up, [0, 0, 1], 9);
  });

  test("a coarse picture lies where the fine one will", () => {
    const coarse = { ...circle(), columns: 41, points: circle().points.filter((_, n) => n % 2 === 0), tangents: circle().tangents.filter((_, n) => n % 2 === 0), across: circle().across.slice(0, 41), lineRows: circle().lineRows.slice(0, 41).map(() => 10), arcMm: circle().arcMm.filter((_, n) => n % 2 === 0), rows: 21, spacingMm: 1 };
    const fine = refined(coarse, 2);
    expect([fine.columns, fine.rows, fine.spacingMm]).toEqual([81, 41, 0.5]);
    near(lpsFromCurve(fine, 31, 26), lpsFromCurve(circle(), 31, 26));
    near(placeAt(fine, 15.5).tangent, onwards(15.5), 3);
  });

  test("the server's body is read: four bytes, the head, then int16 with scale and offset", () => {
    const head: JsonObject = { columns: 2, rows: 1, spacing_mm: [0.5, 0.5], form: "stretched", scale: 2, offset: -1024, points: [[0, 0, 0], [0, 0, 1]], tangents: [[0, 0, 1], [0, 0, 1]], across: [[0, 1, 0], [0, 1, 0]], line_rows: [0, 0], arc_mm: [0, 1] };
    const text = new TextEncoder().encode(JSON.stringify(head).padEnd(400));
    const body = new Uint8Array(4 + text.length + 4);
    new DataView(body.buffer).setUint32(0, text.length, true);
    body.set(text, 4);
    new DataView(body.buffer).setInt16(4 + text.length, 512, true);
    new DataView(body.buffer).setInt16(6 + text.length, 600, true);
    const values = { perSlice: null, slope: 1, intercept: 0, isRounded: true, pixelFormat: "i16", rescaleSlope: 1, rescaleIntercept: 0 } as const;
    const { geometry, pixels } = readCurve(body.buffer, values, 1);
    expect([...pixels]).toEqual([0, 176]);
    expect(geometry.form).toBe("stretched");
  });
});

describe("drawing a line", () => {
  const empty = { curves: new Map() } as unknown as ViewerState;
  const points = (state: ViewerState): readonly Triple[] => curveOf(state, "a").wish.points;
  const drawn = [at(0), at(20), at(40)].reduce((state, lps, index) => addCurvePoint("a", index, lps)(state), empty);
  const seen: CurvedPicture = { facts: imageFacts({}), pixels: new Int16Array(0), geometry: circle(), isDraft: false, wish: FIRST_WISH };

  test("points are moved, put between and taken away", () => {
    const [a, b, c]: Triple[] = [[0, 0, 0], [1, 0, 0], [2, 0, 0]];
    expect(moved([a, b] as Triple[], 1, c as Triple)).toEqual([a, c]);
    expect(inserted([a, c] as Triple[], 1, b as Triple)).toEqual([a, b, c]);
    expect(removed([a, b, c] as Triple[], 1)).toEqual([a, c]);
  });

  test("one step back takes a whole drag back, then the point before", () => {
    let state = moveCurvePoint("a", 1, [1, 1, 1], true)(drawn);
    state = moveCurvePoint("a", 1, [2, 2, 2], false)(state);
    expect(points(state)[1]).toEqual([2, 2, 2]);
    state = undoCurve("a")(state);
    expect(points(state)).toEqual([at(0), at(20), at(40)]);
    expect(points(undoCurve("a")(state))).toEqual([at(0), at(20)]);
    expect(points(undoCurve("a")(clearCurve("a")(drawn)))).toEqual(points(drawn));
  });

  test("the point that was touched last is removed, and one point is no line any more", () => {
    const state = removeCurvePoint("a")(setCurvePicture("a", seen)(drawn));
    expect(points(state)).toEqual([at(0), at(20)]);
    expect(curveOf(state, "a").picture).not.toBeNull();
    expect(curveOf(removeCurvePoint("a")(state), "a").picture).toBeNull();
  });

  test("the marker begins in the middle, goes by columns, and tells where a new point belongs", () => {
    let state = setCurvePicture("a", seen)(drawn);
    expect(curveStep(state, "a")).toEqual({ index: 40, count: COLUMNS });
    state = goAlongCurve("a", 60)(state);
    expect(curveOf(state, "a").atMm).toBe(30);
    expect(countBefore(points(state), circle(), 30)).toBe(2);
    expect(orderAt(curveOf(state, "a"))).toBe(2);
  });

  test("widths, slabs and turns stay within what the server takes", () => {
    const { wish } = curveOf(setCurveWish("a", { widthMm: 9000, angleDeg: 190, slab: { mode: "mip", thicknessMm: Number.NaN } })(drawn), "a");
    expect([wish.widthMm, wish.angleDeg, wish.slab.thicknessMm]).toEqual([500, -170, 5]);
  });

  test("a press takes the point in the plane, not the one below it, and a line only where it passes", () => {
    const marks = [{ at: { x: 100, y: 100 }, height: 5 }, { at: { x: 103, y: 100 }, height: 0 }, { at: { x: 203, y: 100 }, height: 10 }];
    expect(pointUnder(marks, { x: 99, y: 100 }, 1)).toBe(1);
    expect(pointUnder(marks.slice(0, 1), { x: 99, y: 100 }, 1)).toBe(-1);
    expect(segmentUnder(marks, { x: 110, y: 104 }, 1)).toBe(1);
    expect(segmentUnder(marks, { x: 190, y: 104 }, 1)).toBe(-1);
    expect(segmentUnder(marks, { x: 110, y: 110 }, 1)).toBe(-1);
  });
});

describe("the page of a line", () => {
  const pane = firstPane("a");
  const state = { panes: [pane], activePaneId: pane.id, layout: { rows: 1, columns: 1 }, beforeMpr: null, tool: "zoom", cine: {}, preferences: { mouse: { left: "pan" } } } as unknown as ViewerState;
  const shows = (now: ViewerState): string[] => now.panes.map((one) => one.shows);

  test("comes with the hand that draws, and leaves the page and the hand as the reader wants them", () => {
    const opened = toggleCurved()(state);
    expect([shows(opened), opened.tool]).toEqual([["plane", "plane", "curved", "section"], "curve"]);
    const left = toggleCurved()(opened);
    expect([left.panes, left.tool]).toEqual([state.panes, "pan"]);
  });

  test("goes over into three planes and back, and still knows how the page was before", () => {
    const planes = toggleMpr()(toggleCurved()(state));
    expect(shows(planes)).toEqual(["plane", "plane", "plane", "volume"]);
    expect(shows(toggleCurved()(planes))).toEqual(["plane", "plane", "curved", "section"]);
    expect(toggleCurved()(toggleCurved()(planes)).panes).toEqual(state.panes);
    expect(toggleMpr()(planes).panes).toEqual(state.panes);
  });
});

test("a length on a picture along a line says its arc, what lies across, and the way through the patient", () => {
  // A quarter of a circle of radius 20 mm round the origin, in 91 columns of one degree; down is away from the middle.
  const angles = Array.from({ length: 91 }, (_, n) => (n * Math.PI) / 180);
  const out = angles.map((at): Triple => [Math.cos(at), Math.sin(at), 0]);
  const geometry: CurveGeometry = {
    form: "straightened", columns: 91, rows: 41, spacingMm: 0.5,
    points: out.map(([x, y]): Triple => [20 * x, 20 * y, 0]),
    tangents: angles.map((at): Triple => [-Math.sin(at), Math.cos(at), 0]),
    across: out, lineRows: angles.map(() => 20), arcMm: angles.map((at) => 20 * at),
  }; // prettier-ignore
  const ruler = (from: Point, to: Point): CurveRuler => ({ from: spotAt(geometry, from), to: spotAt(geometry, to) });
  const along = lengthsOf(geometry, ruler({ x: 0, y: 20 }, { x: 90, y: 20 }));
  expect(along.alongMm).toBeCloseTo(10 * Math.PI, 9);
  expect(along.acrossMm).toBeCloseTo(0, 9);
  expect(along.straightMm).toBeCloseTo(20 * Math.SQRT2, 9);
  const across = lengthsOf(geometry, ruler({ x: 30, y: 12 }, { x: 30, y: 28 }));
  expect([across.alongMm, across.acrossMm]).toEqual([0, 8]);
  expect(across.straightMm).toBeCloseTo(8, 9);
  // 4 mm outside the line the same 90 degrees are a quarter of a circle of 24 mm: its chord.
  const outside = lengthsOf(geometry, ruler({ x: 0, y: 28 }, { x: 90, y: 28 }));
  expect(outside.alongMm).toBeCloseTo(10 * Math.PI, 9);
  expect(outside.straightMm).toBeCloseTo(24 * Math.SQRT2, 9);
  expect(pointOf(geometry, spotAt(geometry, { x: 41.25, y: 7.5 }))).toEqual({ x: expect.closeTo(41.25, 9) as number, y: expect.closeTo(7.5, 9) as number });
});
