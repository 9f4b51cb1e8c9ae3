"""Lengths, angles and areas of points on a plane, with the uncertainty that pixels give.

All points are (n, 2) arrays on the plane in mm or px (`Plane.plane_from_px`). A point is known
to half a pixel: each coordinate is uniform within +-0.5 pixel, so its standard uncertainty is
pixel / sqrt(12), and coordinates are independent. Uncertainties are standard ones (k = 1),
propagated to first order (JCGM 100:2008, 5.1.2). `steps` is [width, height] of a pixel.

The outline of an area is drawn as a whole: it is taken to lie too far out or in by the same
part of a pixel everywhere, which is the largest effect that half a pixel can have.
The same formulas are in the viewer; both are tested from `tests/golden/measure.json`.
"""

import math

import numpy as np

from imaging.measure_plane import MeasureError

# Standard uncertainty of a coordinate, in pixels.
COORDINATE_PX = 1 / math.sqrt(12)


def length(points: np.ndarray) -> float:
    """Return the length of an open line through the points."""
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def length_uncertainty(points: np.ndarray, steps: np.ndarray) -> float:
    """Return the standard uncertainty of `length`."""
    sides = np.diff(points, axis=0)
    lengths = np.hypot(*sides.T)
    # The direction of a side without length is open: any gives the same bound.
    lengths[lengths == 0] = 1.0
    directions = sides / lengths[:, None]
    pulls = np.zeros_like(points)
    pulls[1:] += directions
    pulls[:-1] -= directions
    return _combine(pulls, steps)


def perimeter(points: np.ndarray) -> float:
    """Return the length of the closed line through the corners of a polygon."""
    return length(np.concatenate([points, points[:1]]))


def angle_deg(points: np.ndarray) -> float:
    """Return the angle at the second of three points, 0 to 180 degrees."""
    first, second = _arms(points)
    return math.degrees(math.atan2(abs(_cross(first, second)), float(first @ second)))


def angle_uncertainty_deg(points: np.ndarray, steps: np.ndarray) -> float:
    """Return the standard uncertainty of `angle_deg`."""
    first, second = _arms(points)
    one, two = _turn(first), _turn(second)
    return math.degrees(_combine(np.array([-one, one - two, two]), steps))


def _arms(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = points[0] - points[1], points[2] - points[1]
    if not first.any() or not second.any():
        raise MeasureError("An angle needs three different points.")
    return first, second


def cobb_deg(points: np.ndarray) -> float:
    """Return the angle between two lines of two points each, 0 to 90 degrees."""
    first, second = _lines(points)
    return math.degrees(math.atan2(abs(_cross(first, second)), abs(float(first @ second))))


def cobb_uncertainty_deg(points: np.ndarray, steps: np.ndarray) -> float:
    """Return the standard uncertainty of `cobb_deg`."""
    one, two = (_turn(line) for line in _lines(points))
    return math.degrees(_combine(np.array([-one, one, -two, two]), steps))


def width_ratio(points: np.ndarray) -> float:
    """Return how wide the first line is along the second, divided by the second's length."""
    first, second = _lines(points)
    return abs(float(first @ second)) / float(second @ second)


def width_ratio_uncertainty(points: np.ndarray, steps: np.ndarray) -> float:
    """Return the standard uncertainty of `width_ratio`."""
    first, second = _lines(points)
    square = float(second @ second)
    by_first = second / square
    by_second = first / square - 2 * float(first @ second) * second / square**2
    return _combine(np.array([-by_first, by_first, -by_second, by_second]), steps)


def _lines(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = points[1] - points[0], points[3] - points[2]
    if not first.any() or not second.any():
        raise MeasureError("A line needs two different points.")
    return first, second


def _turn(vector: np.ndarray) -> np.ndarray:
    """Return how the direction of a vector, in radians, changes with its end."""
    return np.array([-vector[1], vector[0]]) / float(vector @ vector)


def _cross(first: np.ndarray, second: np.ndarray) -> float:
    return float(first[0] * second[1] - first[1] * second[0])


def _combine(pulls: np.ndarray, steps: np.ndarray) -> float:
    """Return the root of the summed squares of (derivative x uncertainty of the coordinate)."""
    return float(np.sqrt(np.sum((pulls * steps * COORDINATE_PX) ** 2)))


# --- areas ------------------------------------------------------------------------
def polygon_area(points: np.ndarray) -> float:
    """Return the area within a closed polygon (shoelace formula), never negative."""
    x, y = (points - points[0]).T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


def polygon_area_uncertainty(points: np.ndarray, steps: np.ndarray) -> float:
    """Return the standard uncertainty of `polygon_area`: each side moves along its normal."""
    return perimeter(points / steps) * COORDINATE_PX * float(steps[0] * steps[1])


def is_self_intersecting(points: np.ndarray) -> bool:
    """Whether two sides of a closed polygon that are not neighbours touch or cross."""
    # A hand that rests draws the same point twice.
    points = points[(points != np.roll(points, 1, axis=0)).any(axis=1)]
    count = len(points)
    ends = np.roll(points, -1, axis=0)
    for i in range(count - 2):
        others = np.arange(i + 2, count - 1 if i == 0 else count)
        if others.size and _crossings(points[i], ends[i], points[others], ends[others]).any():
            return True
    return False


def _crossings(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Tell which of the segments c-d touch the segment a-b."""
    side_c, side_d = _side(a, b, c), _side(a, b, d)
    side_a, side_b = _side(c, d, a), _side(c, d, b)
    boxes = ((np.minimum(c, d) <= np.maximum(a, b)) & (np.maximum(c, d) >= np.minimum(a, b))).all(
        axis=1
    )
    crossing: np.ndarray = (side_c * side_d <= 0) & (side_a * side_b <= 0) & boxes
    return crossing


def _side(start: np.ndarray, end: np.ndarray, point: np.ndarray) -> np.ndarray:
    along, off = end - start, point - start
    side: np.ndarray = np.sign(along[..., 0] * off[..., 1] - along[..., 1] * off[..., 0])
    return side


def ellipse_perimeter(semi_axis: float, other: float) -> float:
    """Return the circumference, exact to rounding, by the arithmetic-geometric mean.

    DLMF 19.8.6 and 19.30.5: 4 a E(e) with the sum that the mean leaves behind.
    """
    large, small = max(semi_axis, other), min(semi_axis, other)
    if small == 0:
        return 4 * large
    a, b, rest, factor = large, small, (large * large - small * small) / 2, 0.5
    while abs(a - b) > 1e-15 * large:
        half_difference = (a - b) / 2
        a, b = (a + b) / 2, math.sqrt(a * b)
        factor *= 2
        rest += factor * half_difference * half_difference
    return 2 * math.pi * (large * large - rest) / a


def ellipse_area_uncertainty(first: np.ndarray, second: np.ndarray, steps: np.ndarray) -> float:
    """Return the standard uncertainty of the area, of its two half-axis vectors."""
    axes = np.array([first, second]) / steps
    large, small = np.linalg.svd(axes, compute_uv=False)
    around = ellipse_perimeter(float(large), float(small))
    return around * COORDINATE_PX * float(steps[0] * steps[1])
