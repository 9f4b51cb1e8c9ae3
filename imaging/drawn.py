"""Marks on images apart from any database: what reports and presentation states carry.

Points are (column, row) with the centre of the first pixel at (0, 0), as everywhere here. DICOM
counts from the outer corner of that pixel (PS3.3 C.10.5.1.2, C.18.6.1.1): half a pixel more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from imaging.mark_style import PLAIN, MarkStyle

CORNER_PX = 0.5
POINT, POLYLINE, CIRCLE, ELLIPSE = "POINT", "POLYLINE", "CIRCLE", "ELLIPSE"
# Kinds that are two lines of two points each.
TWO_LINES = frozenset({"bidirectional", "cardiothoracic"})
_CLOSED = frozenset({"polygon", "rectangle"})


@dataclass(frozen=True, slots=True)
class ImageRef:
    """The frame that a mark lies on; `frame` counts from 0, None is the whole object."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None
    number_of_frames: int = 1

    @property
    def frame_numbers(self) -> list[int] | None:
        """Return the frame as DICOM counts, None for an object that has only one."""
        if self.frame is None or self.number_of_frames <= 1:
            return None
        return [self.frame + 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One mark. Measurements have `value`, annotations none.

    `uid` tells it apart for ever (the tracking UID). `steps` is [width, height] of a pixel, of
    which only the ratio counts here. `finding` is (value, scheme, meaning) or empty. A mark on a
    reformatted plane has `plane`, what is written of it, and its outline in the patient; `image`
    is then one of those that it was computed from.
    """

    kind: str
    points_px: Sequence[Sequence[float]]
    image: ImageRef
    uid: str = ""
    label: str = ""
    text: str = ""
    layer: str = ""
    colour: str = ""
    points_lps_mm: Sequence[Sequence[float]] | None = None
    frame_of_reference_uid: str = ""
    value: float | None = None
    unit: str = ""
    statistics: dict[str, Any] = field(default_factory=dict)
    provenance: str = ""
    uncertainty: float | None = None
    notes: Sequence[str] = ()
    finding: tuple[str, str, str] | None = None
    steps: tuple[float, float] = (1.0, 1.0)
    style: MarkStyle = PLAIN
    plane: str = ""
    outline_lps_mm: Sequence[tuple[str, np.ndarray]] = ()


Graphic = tuple[str, np.ndarray]


def outline_reach(
    kind: str, points: np.ndarray, steps: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the largest (column, row) of a shape, for points as they are drawn."""
    if kind == "circle":
        radius = float(np.hypot(*((points[1] - points[0]) * steps))) / np.array(steps)
        return points[0] - radius, points[0] + radius
    if kind == "ellipse" and len(points) == 4:
        half = np.hypot(points[1] - points[0], points[3] - points[2]) / 2
        middle = points.mean(axis=0)
        return middle - half, middle + half
    return points.min(axis=0), points.max(axis=0)


def graphics_of(mark: Drawn) -> list[Graphic]:
    """Return the mark's outlines as DICOM draws them: type and (n, 2) points from the corner."""
    points = np.asarray(mark.points_px, np.float64) + CORNER_PX
    if mark.kind in ("probe", "point"):
        return [(POINT, points[:1])]
    if mark.kind == "circle":
        return [_circle(points, mark.steps)]
    if mark.kind == "ellipse":
        return [(ELLIPSE, _ellipse(points))]
    if mark.kind in TWO_LINES:
        return [(POLYLINE, points[:2]), (POLYLINE, points[2:4])]
    if mark.kind in _CLOSED:
        corners = _corners(points) if mark.kind == "rectangle" else points
        return [(POLYLINE, np.vstack([corners, corners[:1]]))]
    if mark.kind in ("text", "spine_label"):
        return []
    return [(POLYLINE, points)]


def _corners(points: np.ndarray) -> np.ndarray:
    if len(points) != 2:
        return points
    (left, top), (right, bottom) = points
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _circle(points: np.ndarray, steps: tuple[float, float]) -> Graphic:
    """Return a circle; where pixels are not square it is an ellipse of pixels."""
    width, height = steps
    if abs(width - height) <= 1e-9 * max(width, height):
        return CIRCLE, points
    return ELLIPSE, ellipse_ends(points, steps)


def ellipse_ends(points: np.ndarray, steps: tuple[float, float]) -> np.ndarray:
    """Return the ends of the axes of a circle of centre and rim, whatever a pixel measures."""
    width, height = steps
    middle, rim = points
    radius = float(np.hypot(*((rim - middle) * [width, height])))
    return _axes(middle, np.array([radius / width, 0.0]), np.array([0.0, radius / height]))


def _ellipse(points: np.ndarray) -> np.ndarray:
    """Return the ends of the axes of an ellipse in pixels, the long one first.

    Two half axes that are perpendicular in millimetres need not be so in pixels: the axes of
    the ellipse of pixels are the singular vectors of the two.
    """
    if len(points) == 2:
        half = np.abs(points[1] - points[0]) / 2
        middle, halves = points.mean(axis=0), np.diag(half)
    else:
        middle = points.mean(axis=0)
        halves = np.array([points[1] - points[0], points[3] - points[2]]).T / 2
    directions, lengths, _ = np.linalg.svd(halves)
    return _axes(middle, directions[:, 0] * lengths[0], directions[:, 1] * lengths[1])


def _axes(middle: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    large, small = sorted((one, other), key=lambda axis: float(axis @ axis), reverse=True)
    return np.array([middle - large, middle + large, middle - small, middle + small])
