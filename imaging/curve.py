"""A smooth line through points in the patient, and pictures along it (curved reformation).

Column by column a picture follows the line; a column is a straight row of pixels that crosses it.

- *Straightened*: columns stand on the line at equal distances along it and turn with it as
  little as they can (rotation-minimising frames by double reflection, Wang et al., 2008).
  Lengths along the line and across it are true.
- *Stretched*: all columns have one direction; the line's shadow along it is unrolled. Lengths
  along that direction, and along the shadow, are true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imaging.errors import UnsupportedError

STRAIGHTENED, STRETCHED = "straightened", "stretched"
FORMS = (STRAIGHTENED, STRETCHED)
# Points nearer to each other than this are one.
NEAREST_MM = 1e-3
_FINE = 8
_FINE_LIMIT = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class CurvedGeometry:
    """Where the pixels of a curved picture lie; arrays have one row for each column.

    Attributes
    ----------
    points, tangents, across
        Where the line is, where it goes, and where the column's pixels go, downwards; lps.
        `across` and `deep` have unit length and are at right angles.
    deep
        Away from the reader: the direction of a slab's layers.
    line_rows
        The row (with fraction) in which a column crosses the line.
    arc_mm
        Length of the line from its beginning to here.
    spacing_mm
        [between rows, between columns].
    rows
        Pixels of a column.
    """

    points: np.ndarray
    tangents: np.ndarray
    across: np.ndarray
    deep: np.ndarray
    line_rows: np.ndarray
    arc_mm: np.ndarray
    spacing_mm: tuple[float, float]
    rows: int

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.points)

    @property
    def first_pixels(self) -> np.ndarray:
        """The centre of each column's first pixel, lps, (columns, 3)."""
        down = (self.line_rows * self.spacing_mm[0])[:, None]
        first: np.ndarray = self.points - self.across * down
        return first


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Places on a smooth line, close together: points, unit tangents, length so far."""

    points: np.ndarray
    tangents: np.ndarray
    arc_mm: np.ndarray

    def at(self, arc_mm: np.ndarray) -> Line:
        """Return the line at these lengths, by the neighbours' values."""

        def between(values: np.ndarray) -> np.ndarray:
            columns = [np.interp(arc_mm, self.arc_mm, values[:, axis]) for axis in range(3)]
            return np.stack(columns, axis=1)

        return Line(between(self.points), _unit(between(self.tangents)), arc_mm)


def smooth_line(points_mm: np.ndarray, step_mm: float) -> Line:
    """Return a cubic spline through points, centripetal, in pieces of `step_mm` / 8.

    Raises UnsupportedError when fewer than two points differ.
    """
    kept = [points_mm[0]]
    for point in points_mm[1:]:
        if float(np.linalg.norm(point - kept[-1])) > NEAREST_MM:
            kept.append(point)
    if len(kept) < 2:
        raise UnsupportedError("The line needs two points that differ.")
    knots = np.array(kept)
    chords = np.linalg.norm(np.diff(knots, axis=0), axis=1)
    times = np.concatenate([[0.0], np.cumsum(np.sqrt(chords))])
    fine = int(min(max(_FINE * chords.sum() / step_mm, 64), _FINE_LIMIT))
    # Every knot among the places, each piece in proportion to its length.
    shares = np.concatenate([[0.0], np.cumsum(chords)]) / chords.sum()
    moments = np.interp(np.linspace(0, 1, fine), shares, times)
    points, slopes = _spline(times, knots, moments)
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    return Line(points, _unit(slopes), np.concatenate([[0.0], np.cumsum(steps)]))


def straighten(
    points_mm: np.ndarray, *, width_mm: float, spacing_mm: float, angle_deg: float = 0.0
) -> CurvedGeometry:
    """Return the straightened picture along points; `angle_deg` turns it about the line."""
    fine = smooth_line(points_mm, spacing_mm)
    count = int(fine.arc_mm[-1] / spacing_mm + 1e-9) + 1
    line = fine.at(np.arange(count) * spacing_mm)
    first = _turned(_beside(line.tangents[0]), line.tangents[0], angle_deg)
    across = _minimal_frames(line.points, line.tangents, first)
    rows = max(1, round(width_mm / spacing_mm))
    return CurvedGeometry(
        points=line.points,
        tangents=line.tangents,
        across=across,
        deep=np.cross(line.tangents, across),
        line_rows=np.full(count, (rows - 1) / 2),
        arc_mm=line.arc_mm,
        spacing_mm=(spacing_mm, spacing_mm),
        rows=rows,
    )


def stretch(
    points_mm: np.ndarray, *, width_mm: float, spacing_mm: float, angle_deg: float = 0.0
) -> CurvedGeometry:
    """Return the stretched picture along points.

    Columns go where the line goes least, turned by `angle_deg` about the way from its beginning
    to its end. `width_mm` lies around the whole line. Raises UnsupportedError when the line has
    no shadow in that direction.
    """
    fine = smooth_line(points_mm, spacing_mm)
    column = _turned(_least_direction(fine.points), _course(fine.points), angle_deg)
    heights = fine.points @ column
    shadow = fine.points - np.outer(heights, column)
    steps = np.linalg.norm(np.diff(shadow, axis=0), axis=1)
    lengths = np.concatenate([[0.0], np.cumsum(steps)])
    count = int(lengths[-1] / spacing_mm + 1e-9) + 1
    if count < 2:
        raise UnsupportedError("Seen from this side the line is a point.")
    wanted = np.arange(count) * spacing_mm
    line = fine.at(np.interp(wanted, lengths, fine.arc_mm))
    low, high = float(heights.min()) - width_mm / 2, float(heights.max()) + width_mm / 2
    rows = max(1, round((high - low) / spacing_mm))
    start = (low + high) / 2 - (rows - 1) / 2 * spacing_mm
    ahead = line.tangents - np.outer(line.tangents @ column, column)
    across = np.tile(column, (count, 1))
    return CurvedGeometry(
        points=line.points,
        tangents=line.tangents,
        across=across,
        deep=_unit(np.cross(_unit(ahead), across)),
        line_rows=(line.points @ column - start) / spacing_mm,
        arc_mm=line.arc_mm,
        spacing_mm=(spacing_mm, spacing_mm),
        rows=rows,
    )


# --- formulas -------------------------------------------------------------------------------
def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    made: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return made


def _spline(
    times: np.ndarray, knots: np.ndarray, moments: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return places and slopes of the cubic spline through knots at `moments` (not-a-knot)."""
    count, gaps = len(times), np.diff(times)
    matrix, right = np.eye(count), np.zeros((count, 3))
    for k in range(1, count - 1):
        matrix[k, k - 1 : k + 2] = gaps[k - 1], 2 * (gaps[k - 1] + gaps[k]), gaps[k]
        right[k] = 6 * (
            (knots[k + 1] - knots[k]) / gaps[k] - (knots[k] - knots[k - 1]) / gaps[k - 1]
        )
    if count == 3:
        matrix[0, :2], matrix[2, 1:] = (1, -1), (-1, 1)
    elif count > 3:
        # The first two pieces are one curve, and so are the last two: ends are not flattened.
        matrix[0, :3] = gaps[1], -(gaps[0] + gaps[1]), gaps[0]
        matrix[-1, -3:] = gaps[-1], -(gaps[-2] + gaps[-1]), gaps[-2]
    bends = np.linalg.solve(matrix, right)
    piece = np.clip(np.searchsorted(times, moments, "right") - 1, 0, count - 2)
    gap = gaps[piece][:, None]
    b = (moments - times[piece])[:, None] / gap
    a = 1 - b
    low, high = bends[piece], bends[piece + 1]
    rise = (knots[piece + 1] - knots[piece]) / gap
    points = a * knots[piece] + b * knots[piece + 1]
    points += ((a**3 - a) * low + (b**3 - b) * high) * gap**2 / 6
    slopes = rise + ((1 - 3 * a**2) * low + (3 * b**2 - 1) * high) * gap / 6
    return points, slopes


def _beside(tangent: np.ndarray) -> np.ndarray:
    """Return a direction at right angles: to the back, or to the left where that is the way."""
    towards = np.array([0.0, 1.0, 0.0] if abs(tangent[1]) < 0.9 else [1.0, 0.0, 0.0])
    beside: np.ndarray = _unit(towards - tangent * (towards @ tangent))
    return beside


def _turned(vector: np.ndarray, axis: np.ndarray, angle_deg: float) -> np.ndarray:
    """Return a vector turned about a unit axis, which it is at right angles to."""
    angle = np.deg2rad(angle_deg)
    turned: np.ndarray = vector * np.cos(angle) + np.cross(axis, vector) * np.sin(angle)
    return turned


def _course(points: np.ndarray) -> np.ndarray:
    """Return the direction in which a line goes on the whole."""
    way = points[-1] - points[0]
    if float(np.linalg.norm(way)) < NEAREST_MM:
        _values, vectors = np.linalg.eigh(np.cov(points.T))
        way = vectors[:, -1]
    return _unit(way)


def _least_direction(points: np.ndarray) -> np.ndarray:
    """Return the direction, at right angles to the course, in which a line goes least."""
    course = _course(points)
    first = _beside(course)
    second = np.cross(course, first)
    flat = (points - points.mean(axis=0)) @ np.stack([first, second], axis=1)
    values, vectors = np.linalg.eigh(flat.T @ flat)
    if values[1] < 1e-6 * len(points):
        return first
    least = vectors[0, 0] * first + vectors[1, 0] * second
    # Downwards in the picture is rather to the back, or to the left, or to the feet.
    largest = least[int(np.argmax(np.abs(least)))]
    chosen: np.ndarray = least if (largest > 0) == (np.argmax(np.abs(least)) != 2) else -least
    return chosen


def _minimal_frames(points: np.ndarray, tangents: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return directions across a line that turn about it as little as can be."""
    frames = np.empty_like(points)
    frames[0] = first
    for number in range(len(points) - 1):
        way = points[number + 1] - points[number]
        square = float(way @ way)
        frame, tangent = frames[number], tangents[number]
        frame = frame - way * (2 / square * float(way @ frame))
        tangent = tangent - way * (2 / square * float(way @ tangent))
        way = tangents[number + 1] - tangent
        square = float(way @ way)
        if square > 1e-24:
            frame = frame - way * (2 / square * float(way @ frame))
        frames[number + 1] = frame
    # At right angles to the tangents to the last bit, which the reflections are but nearly.
    frames -= tangents * np.sum(frames * tangents, axis=1, keepdims=True)
    return _unit(frames)
