"""What a reader's points measure: value, unit, statistics, provenance and uncertainty.

Points are (column, row) of a `Plane`. `uncertainty` is the standard uncertainty (k = 1) that
half a pixel at each point gives; it knows nothing of the calibration or of the reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imaging import measure_geometry as geometry
from imaging.measure_plane import MeasureError, Plane
from imaging.measure_region import Axes, extents
from imaging.measure_roi import Ellipse, ellipse_mask, polygon_mask, statistics

MOST_POINTS = 5000
# Points are drawn to a fraction of a pixel: axes may be this far from perpendicular.
SQUARE_TOLERANCE_PX = 0.5
SQUARE_TOLERANCE_DEG = 1.0


@dataclass(frozen=True, slots=True)
class Pixels:
    """The values under a measurement: (rows, columns) after the modality step, and their unit.

    `padding` marks pixels that stand for no tissue; `factor` multiplies the values, to SUV.
    """

    values: np.ndarray
    unit: str
    padding: np.ndarray | None = None
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """A measurement. `notes` are codes of what one should know: see `docs/measurements.md`."""

    kind: str
    value: float | None
    unit: str
    provenance: str
    uncertainty: float | None = None
    statistics: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values."""
        return {
            "kind": self.kind,
            "value": self.value,
            "unit": self.unit,
            "provenance": self.provenance,
            "uncertainty": self.uncertainty,
            "statistics": self.statistics,
            "notes": list(self.notes),
        }


def measure(
    kind: str, points_px: Sequence[Sequence[float]], plane: Plane, pixels: Pixels | None = None
) -> Result:
    """Return what the points of a kind measure on a plane.

    ============== ======================================================== ===============
    kind           points                                                   value
    ============== ======================================================== ===============
    length         both ends                                                mm, px
    polyline       two or more                                              mm, px
    angle          arm, vertex, arm                                         deg, 0 to 180
    cobb           two lines of two points                                  deg, 0 to 90
    bidirectional  long axis, short axis (either order, perpendicular)      mm, px: the long
    cardiothoracic both ends of the heart's width, both of the chest's      ratio
    rectangle      two opposite corners, or four around it, in any turn     mm2, px2: area
    ellipse        two corners of its box, or both ends of both axes        mm2, px2: area
    circle         centre, a point on the rim                               mm2, px2: area
    polygon        three or more corners                                    mm2, px2: area
    probe          one                                                      that pixel's value
    ============== ======================================================== ===============

    `pixels` are needed for a probe; without them an area has no statistics of values (colour
    images have none). Raises MeasureError when the points make no such thing.
    """
    points = np.asarray(points_px, np.float64)
    counts, work = _KINDS.get(kind, ((), None))
    if work is None:
        raise MeasureError("There is no such kind of measurement.")
    if points.ndim != 2 or points.shape[1] != 2 or not np.isfinite(points).all():
        raise MeasureError("Each point is a column and a row.")
    if not counts[0] <= len(points) <= counts[-1] or (
        len(counts) > 2 and len(points) not in counts
    ):
        raise MeasureError("This kind of measurement has another number of points.")
    if plane.axes is not None and kind != "probe":
        return _extent(kind, points, plane, plane.axes)
    return work(kind, points, plane, pixels)


# --- lines and angles ---------------------------------------------------------------
def _line(kind: str, points: np.ndarray, plane: Plane, _pixels: Pixels | None) -> Result:
    on_plane = plane.plane_from_px(points)
    return Result(
        kind,
        geometry.length(on_plane),
        plane.unit,
        plane.provenance,
        geometry.length_uncertainty(on_plane, plane.doubt_steps),
        notes=_scale_notes(plane),
    )


def _extent(kind: str, points: np.ndarray, plane: Plane, axes: Axes) -> Result:
    """Return how far a line reaches along axes that are not both lengths."""
    if kind != "length":
        raise MeasureError("Only lines and values are measured here: the axes are not lengths.")
    return Result(kind, provenance=plane.provenance, **extents(points.tolist(), axes))


def _cardiothoracic(kind: str, points: np.ndarray, plane: Plane, _pixels: Pixels | None) -> Result:
    on_plane = plane.plane_from_px(points)
    return Result(
        kind,
        geometry.width_ratio(on_plane),
        "ratio",
        plane.provenance,
        geometry.width_ratio_uncertainty(on_plane, plane.doubt_steps),
    )


def _angle(kind: str, points: np.ndarray, plane: Plane, _pixels: Pixels | None) -> Result:
    on_plane = plane.plane_from_px(points)
    value, uncertainty = (
        (geometry.angle_deg, geometry.angle_uncertainty_deg)
        if kind == "angle"
        else (geometry.cobb_deg, geometry.cobb_uncertainty_deg)
    )
    return Result(
        kind, value(on_plane), "deg", plane.provenance, uncertainty(on_plane, plane.doubt_steps)
    )


def _bidirectional(kind: str, points: np.ndarray, plane: Plane, _pixels: Pixels | None) -> Result:
    on_plane = plane.plane_from_px(points)
    axes = sorted((on_plane[:2], on_plane[2:]), key=geometry.length, reverse=True)
    _check_square(axes[0][1] - axes[0][0], axes[1][1] - axes[1][0], plane)
    lengths = [geometry.length(axis) for axis in axes]
    errors = [geometry.length_uncertainty(axis, plane.doubt_steps) for axis in axes]
    return Result(
        kind,
        lengths[0],
        plane.unit,
        plane.provenance,
        errors[0],
        {"long_axis": lengths[0], "short_axis": lengths[1], "short_axis_uncertainty": errors[1]},
        _scale_notes(plane),
    )


def _check_square(first: np.ndarray, second: np.ndarray, plane: Plane) -> None:
    """Refuse two axes that are not perpendicular, by degrees and by pixels at their ends."""
    lengths = np.hypot(*first), np.hypot(*second)
    if not min(lengths) > 0:
        raise MeasureError("An axis needs two different points.")
    lean = abs(float(first @ second)) / (lengths[0] * lengths[1])
    allowed_px = SQUARE_TOLERANCE_PX * float(plane.steps.max())
    if lean > np.sin(np.radians(SQUARE_TOLERANCE_DEG)) and lean * min(lengths) > allowed_px:
        raise MeasureError("The axes are not perpendicular.")


# --- areas ----------------------------------------------------------------------------
def _polygon(kind: str, points: np.ndarray, plane: Plane, pixels: Pixels | None) -> Result:
    if kind == "rectangle":
        points = _corners(points, plane)
    on_plane = plane.plane_from_px(points)
    mask = None if pixels is None else polygon_mask(points, *pixels.values.shape)
    is_crossed = kind == "polygon" and geometry.is_self_intersecting(on_plane)
    notes = ["self_intersecting"] if is_crossed else []
    return _area(
        kind,
        plane,
        (geometry.polygon_area(on_plane), geometry.perimeter(on_plane)),
        geometry.polygon_area_uncertainty(on_plane, plane.doubt_steps),
        _values(pixels, mask),
        [*notes, *_beyond(points.min(axis=0), points.max(axis=0), pixels)],
    )


def _corners(points: np.ndarray, plane: Plane) -> np.ndarray:
    """Return the four corners of a rectangle, in turn."""
    if len(points) == 2:
        (left, top), (right, bottom) = points
        return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    sides = np.diff(plane.plane_from_px(points), axis=0)
    _check_square(sides[0], sides[1], plane)
    if np.abs((sides[0] + sides[2]) / plane.steps).max() > 2 * SQUARE_TOLERANCE_PX:
        raise MeasureError("The four corners do not make a rectangle.")
    return points


def _ellipse(kind: str, points: np.ndarray, plane: Plane, pixels: Pixels | None) -> Result:
    ellipse = _read_ellipse(kind, plane.plane_from_px(points), plane)
    semi_axes = ellipse.semi_axes
    reach = np.hypot(ellipse.first, ellipse.second) / plane.steps
    center = ellipse.center / plane.steps
    shape = None if pixels is None else pixels.values.shape
    mask = None if shape is None else ellipse_mask(ellipse, plane.steps, *shape)
    return _area(
        kind,
        plane,
        (np.pi * semi_axes[0] * semi_axes[1], geometry.ellipse_perimeter(*semi_axes)),
        geometry.ellipse_area_uncertainty(ellipse.first, ellipse.second, plane.doubt_steps),
        _values(pixels, mask),
        _beyond(center - reach, center + reach, pixels),
    )


def _read_ellipse(kind: str, points: np.ndarray, plane: Plane) -> Ellipse:
    if kind == "circle":
        radius = points[1] - points[0]
        return Ellipse(points[0], radius, np.array([-radius[1], radius[0]]))
    if len(points) == 2:
        half = np.abs(points[1] - points[0]) / 2
        return Ellipse(points.mean(axis=0), half * [1, 0], half * [0, 1])
    middles = (points[0] + points[1]) / 2, (points[2] + points[3]) / 2
    if np.abs((middles[0] - middles[1]) / plane.steps).max() > 2 * SQUARE_TOLERANCE_PX:
        raise MeasureError("The axes of an ellipse cross in their middles.")
    first, second = (points[1] - points[0]) / 2, (points[3] - points[2]) / 2
    _check_square(first, second, plane)
    large, small = sorted((first, second), key=lambda axis: float(axis @ axis), reverse=True)
    # The long axis is believed; the other is turned by the little that is missing.
    across = np.array([-large[1], large[0]]) / np.hypot(*large)
    return Ellipse((middles[0] + middles[1]) / 2, large, across * float(np.hypot(*small)))


def _area(
    kind: str,
    plane: Plane,
    area_and_perimeter: tuple[float, float],
    uncertainty: float,
    values: dict[str, Any],
    notes: list[str],
) -> Result:
    area, around = area_and_perimeter
    is_mm = plane.spacing is not None
    numbers = {**values, "area_mm2": area if is_mm else None}
    numbers["perimeter_mm"] = around if is_mm else None
    if "count" in values:
        count = values["count"] + values["padding_count"] + values["not_finite_count"]
        numbers["area_by_count_mm2"] = count * float(np.prod(plane.steps)) if is_mm else None
        if not count:
            notes = [*notes, "no_pixel"]
    return Result(
        kind,
        float(area),
        f"{plane.unit}2",
        plane.provenance,
        uncertainty,
        numbers,
        (*_scale_notes(plane), *notes),
    )


# --- values ---------------------------------------------------------------------------
def _probe(kind: str, points: np.ndarray, plane: Plane, pixels: Pixels | None) -> Result:
    if pixels is None:
        raise MeasureError("The pixels of this image have no values to read.")
    column, row = (int(value) for value in np.floor(points[0] + 0.5))
    rows, columns = pixels.values.shape
    mask = np.zeros((rows, columns), bool)
    if not (0 <= row < rows and 0 <= column < columns):
        return Result(kind, None, pixels.unit, plane.provenance, None, {}, ("no_pixel",))
    mask[row, column] = True
    values = _values(pixels, mask)
    notes = ("padding",) if values["padding_count"] else ()
    return Result(kind, values["mean"], pixels.unit, plane.provenance, None, values, notes)


def _values(pixels: Pixels | None, mask: np.ndarray | None) -> dict[str, Any]:
    if pixels is None or mask is None:
        return {}
    scaled = pixels.values if pixels.factor == 1.0 else pixels.values * pixels.factor
    return {**statistics(scaled, mask, padding=pixels.padding), "unit": pixels.unit}


def _beyond(low: np.ndarray, high: np.ndarray, pixels: Pixels | None) -> list[str]:
    """Tell when the shape reaches over the edge of the image."""
    if pixels is None:
        return []
    rows, columns = pixels.values.shape
    inside = (low >= -0.5).all() and (high <= np.array([columns, rows]) - 0.5).all()
    return [] if inside else ["beyond_image"]


def _scale_notes(plane: Plane) -> tuple[str, ...]:
    return ("at_detector",) if plane.provenance == "imager" else ()


_Work = Callable[[str, np.ndarray, Plane, Pixels | None], Result]
# Kind -> how many points (least and most, or each number that may be), and who works it out.
_KINDS: dict[str, tuple[tuple[int, ...], _Work]] = {
    "length": ((2,), _line),
    "polyline": ((2, MOST_POINTS), _line),
    "angle": ((3,), _angle),
    "cobb": ((4,), _angle),
    "bidirectional": ((4,), _bidirectional),
    "cardiothoracic": ((4,), _cardiothoracic),
    "rectangle": ((2, 2, 4), _polygon),
    "ellipse": ((2, 2, 4), _ellipse),
    "circle": ((2,), _ellipse),
    "polygon": ((3, MOST_POINTS), _polygon),
    "probe": ((1,), _probe),
}
