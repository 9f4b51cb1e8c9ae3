/**
 * What a reader's points measure, as `imaging.measure` in Python: kinds, points, notes and the
 * uncertainty are told there and in docs/measurements.md. Both are held to one golden file.
 */

import * as geometry from "./measure-geometry";
import { doubtStepsOf, MeasureError, planeFromPx, stepsOf, unitOf, type Pair, type Plane } from "./measure-plane";
import { extents, type Axes } from "./measure-region";
import { ellipsePixels, polygonPixels, statisticsOf, type Ellipse, type Statistics, type Values } from "./measure-roi";

export interface Result {
  readonly kind: string;
  readonly value: number | null;
  readonly unit: string;
  readonly provenance: string;
  readonly uncertainty: number | null;
  readonly statistics: Readonly<Record<string, number | string | null | Statistics["histogram"]>>;
  readonly notes: readonly string[];
}

interface Task {
  readonly kind: string;
  readonly points: readonly Pair[];
  readonly plane: Plane;
  readonly pixels: Values | null;
}

const MOST_POINTS = 5000;
const TOLERANCE_PX = 0.5;
const LEAN = Math.sin(Math.PI / 180);

export function measure(kind: string, points: readonly Pair[], plane: Plane, pixels: Values | null): Result {
  const entry = KINDS[kind];
  if (entry === undefined) {
    throw new MeasureError("There is no such kind of measurement.");
  }
  if (!points.flat().every((value) => Number.isFinite(value))) {
    throw new MeasureError("Each point is a column and a row.");
  }
  if (!entry.takes(points.length)) {
    throw new MeasureError("This kind of measurement has another number of points.");
  }
  if (plane.axes !== null && kind !== "probe") {
    return extent({ kind, points, plane, pixels }, plane.axes);
  }
  return entry.work({ kind, points, plane, pixels });
}

function result(task: Task, value: number | null, unit: string, also: Partial<Result>): Result {
  const { provenance } = task.plane;
  return { kind: task.kind, value, unit, provenance, uncertainty: null, statistics: {}, notes: [], ...also };
}

function line(task: Task): Result {
  const points = planeFromPx(task.plane, task.points);
  return result(task, geometry.lengthOf(points), unitOf(task.plane), {
    uncertainty: geometry.lengthUncertainty(points, doubtStepsOf(task.plane)),
    notes: scaleNotes(task.plane),
  });
}

function extent(task: Task, axes: Axes): Result {
  if (task.kind !== "length") {
    throw new MeasureError("Only lines and values are measured here: the axes are not lengths.");
  }
  const { value, unit, ...also } = extents(task.points as readonly [Pair, Pair], axes);
  return result(task, value, unit, also);
}

function cardiothoracic(task: Task): Result {
  const points = planeFromPx(task.plane, task.points);
  return result(task, geometry.widthRatio(points), "ratio", {
    uncertainty: geometry.widthRatioUncertainty(points, doubtStepsOf(task.plane)),
  });
}

function angle(task: Task): Result {
  const points = planeFromPx(task.plane, task.points);
  const steps = doubtStepsOf(task.plane);
  return task.kind === "angle"
    ? result(task, geometry.angleDeg(points), "deg", { uncertainty: geometry.angleUncertaintyDeg(points, steps) })
    : result(task, geometry.cobbDeg(points), "deg", { uncertainty: geometry.cobbUncertaintyDeg(points, steps) });
}

function bidirectional(task: Task): Result {
  const points = planeFromPx(task.plane, task.points);
  const [steps, doubt] = [stepsOf(task.plane), doubtStepsOf(task.plane)];
  const [long, short] = [points.slice(0, 2), points.slice(2)].sort(
    (one, two) => geometry.lengthOf(two) - geometry.lengthOf(one),
  ) as [[Pair, Pair], [Pair, Pair]];
  checkSquare(geometry.minus(long[1], long[0]), geometry.minus(short[1], short[0]), steps);
  return result(task, geometry.lengthOf(long), unitOf(task.plane), {
    uncertainty: geometry.lengthUncertainty(long, doubt),
    statistics: {
      long_axis: geometry.lengthOf(long),
      short_axis: geometry.lengthOf(short),
      short_axis_uncertainty: geometry.lengthUncertainty(short, doubt),
    },
    notes: scaleNotes(task.plane),
  });
}

function checkSquare(first: Pair, second: Pair, steps: Pair): void {
  const [one, two] = [Math.hypot(...first), Math.hypot(...second)];
  if (one === 0 || two === 0) {
    throw new MeasureError("An axis needs two different points.");
  }
  const lean = Math.abs(geometry.dot(first, second)) / (one * two);
  if (lean > LEAN && lean * Math.min(one, two) > TOLERANCE_PX * Math.max(...steps)) {
    throw new MeasureError("The axes are not perpendicular.");
  }
}

function isApart(a: Pair, b: Pair, steps: Pair): boolean {
  return [0, 1].some((axis) => Math.abs((a[axis] as number) - (b[axis] as number)) > 2 * TOLERANCE_PX * (steps[axis] as number));
}

function polygon(task: Task): Result {
  const { plane, pixels } = task;
  const corners = task.kind === "rectangle" ? rectangleCorners(task) : task.points;
  const points = planeFromPx(plane, corners);
  const isCrossed = task.kind === "polygon" && geometry.isSelfIntersecting(points);
  const indices = pixels === null ? [] : polygonPixels(corners, pixels.rows, pixels.columns);
  return area(task, {
    area: geometry.polygonArea(points),
    around: geometry.lengthOf(geometry.closed(points)),
    uncertainty: geometry.polygonAreaUncertainty(points, doubtStepsOf(plane)),
    indices,
    notes: [...(isCrossed ? ["self_intersecting"] : []), ...beyond(corners, pixels)],
  });
}

function rectangleCorners({ points, plane }: Task): readonly Pair[] {
  const [a, b, c, d] = points as [Pair, Pair, Pair?, Pair?];
  if (c === undefined || d === undefined) {
    return [a, [b[0], a[1]], b, [a[0], b[1]]];
  }
  const steps = stepsOf(plane);
  const [one, two, three, four] = planeFromPx(plane, points) as [Pair, Pair, Pair, Pair];
  checkSquare(geometry.minus(two, one), geometry.minus(three, two), steps);
  if (isApart(geometry.minus(two, one), geometry.minus(three, four), steps)) {
    throw new MeasureError("The four corners do not make a rectangle.");
  }
  return points;
}

function ellipse(task: Task): Result {
  const { plane, pixels } = task;
  const steps = stepsOf(plane);
  const shape = readEllipse(task.kind, planeFromPx(plane, task.points), steps);
  const [one, two] = [Math.hypot(...shape.first), Math.hypot(...shape.second)];
  const center: Pair = [shape.center[0] / steps[0], shape.center[1] / steps[1]];
  const reach: Pair = [
    Math.hypot(shape.first[0], shape.second[0]) / steps[0],
    Math.hypot(shape.first[1], shape.second[1]) / steps[1],
  ];
  return area(task, {
    area: Math.PI * one * two,
    around: geometry.ellipsePerimeter(one, two),
    uncertainty: geometry.ellipseAreaUncertainty(shape.first, shape.second, doubtStepsOf(plane)),
    indices: pixels === null ? [] : ellipsePixels(shape, steps, pixels.rows, pixels.columns),
    notes: beyond([geometry.minus(center, reach), [center[0] + reach[0], center[1] + reach[1]]], pixels),
  });
}

function readEllipse(kind: string, points: readonly Pair[], steps: Pair): Ellipse {
  const [a, b, c, d] = points as [Pair, Pair, Pair?, Pair?];
  if (kind === "circle") {
    const first = geometry.minus(b, a);
    return { center: a, first, second: [-first[1], first[0]] };
  }
  const middle = (one: Pair, two: Pair): Pair => [(one[0] + two[0]) / 2, (one[1] + two[1]) / 2];
  const half = (one: Pair, two: Pair): Pair => [(two[0] - one[0]) / 2, (two[1] - one[1]) / 2];
  if (c === undefined || d === undefined) {
    const [x, y] = half(a, b);
    return { center: middle(a, b), first: [Math.abs(x), 0], second: [0, Math.abs(y)] };
  }
  const [one, two] = [middle(a, b), middle(c, d)];
  if (isApart(one, two, steps)) {
    throw new MeasureError("The axes of an ellipse cross in their middles.");
  }
  checkSquare(half(a, b), half(c, d), steps);
  const [large, small] = [half(a, b), half(c, d)].sort((p, q) => geometry.dot(q, q) - geometry.dot(p, p)) as [Pair, Pair];
  const ratio = Math.hypot(...small) / Math.hypot(...large);
  return { center: middle(one, two), first: large, second: [-large[1] * ratio, large[0] * ratio] };
}

interface Shape {
  readonly area: number;
  readonly around: number;
  readonly uncertainty: number;
  readonly indices: readonly number[];
  readonly notes: readonly string[];
}

function area(task: Task, shape: Shape): Result {
  const { plane, pixels } = task;
  const isMm = plane.spacing !== null;
  const [width, height] = stepsOf(plane);
  const count = shape.indices.length;
  const values =
    pixels === null
      ? {}
      : {
          ...statisticsOf(pixels, shape.indices),
          unit: pixels.unit,
          area_by_count_mm2: isMm ? count * width * height : null,
        };
  const empty = pixels !== null && count === 0 ? ["no_pixel"] : [];
  return result(task, shape.area, `${unitOf(plane)}2`, {
    uncertainty: shape.uncertainty,
    statistics: { ...values, area_mm2: isMm ? shape.area : null, perimeter_mm: isMm ? shape.around : null },
    notes: [...scaleNotes(plane), ...shape.notes, ...empty],
  });
}

function probe(task: Task): Result {
  const { pixels } = task;
  if (pixels === null) {
    throw new MeasureError("The pixels of this image have no values to read.");
  }
  const [column, row] = (task.points[0] as Pair).map((value) => Math.floor(value + 0.5)) as [number, number];
  if (column < 0 || row < 0 || column >= pixels.columns || row >= pixels.rows) {
    return result(task, null, pixels.unit, { notes: ["no_pixel"] });
  }
  const found = statisticsOf(pixels, [row * pixels.columns + column]);
  return result(task, found.mean, pixels.unit, {
    statistics: { ...found, unit: pixels.unit },
    notes: found.padding_count > 0 ? ["padding"] : [],
  });
}

function beyond(points: readonly Pair[], pixels: Values | null): string[] {
  const isIn = ([column, row]: Pair): boolean =>
    pixels === null ||
    (column >= -0.5 && row >= -0.5 && column <= pixels.columns - 0.5 && row <= pixels.rows - 0.5);
  return points.every(isIn) ? [] : ["beyond_image"];
}

function scaleNotes(plane: Plane): string[] {
  return plane.provenance === "imager" ? ["at_detector"] : [];
}

interface Kind {
  readonly takes: (count: number) => boolean;
  readonly work: (task: Task) => Result;
}

const exactly =
  (...counts: number[]) =>
  (count: number): boolean =>
    counts.includes(count);
const from =
  (least: number) =>
  (count: number): boolean =>
    count >= least && count <= MOST_POINTS;

const KINDS: Readonly<Record<string, Kind>> = {
  length: { takes: exactly(2), work: line },
  polyline: { takes: from(2), work: line },
  angle: { takes: exactly(3), work: angle },
  cobb: { takes: exactly(4), work: angle },
  bidirectional: { takes: exactly(4), work: bidirectional },
  cardiothoracic: { takes: exactly(4), work: cardiothoracic },
  rectangle: { takes: exactly(2, 4), work: polygon },
  ellipse: { takes: exactly(2, 4), work: ellipse },
  circle: { takes: exactly(2), work: ellipse },
  polygon: { takes: from(3), work: polygon },
  probe: { takes: exactly(1), work: probe },
};
