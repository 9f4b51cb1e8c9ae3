"""Planes on which readers measure: pixels to millimetres and to the patient, and back.

Points are (column, row); the centre of the first pixel is (0, 0), its corners lie at -0.5 and
0.5. On the plane a point is `column * spacing[1], row * spacing[0]` in mm; without a spacing it
is `column, row * aspect` in px, one px being the width of a pixel.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.geometry import direction_cosines
from imaging.measure_region import Axes, axes_of_region

UNCALIBRATED = "uncalibrated"
# A point this far before or behind the plane does not lie on it.
OFF_PLANE_MM = 0.5


class MeasureError(ValueError):
    """Points that make no such measurement; the text says why, for the person who drew them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A grid of pixels: a stored image, or an oblique plane that was computed.

    Parameters
    ----------
    spacing
        [between rows, between columns] in mm; None when nothing gives millimetres.
    aspect
        Height of a pixel divided by its width where there is no spacing.
    origin
        Centre of the first pixel in lps mm; None without a place in the patient.
    row_direction, column_direction
        Unit vectors in lps along a row (growing column) and along a column (growing row).
    provenance
        Where the millimetres come from: pixel_spacing, calibrated, imager (at the detector),
        imager_corrected, ultrasound_region, reformatted or uncalibrated.
    thickness_mm
        Of the slice; points within half of it lie on the plane.
    axes
        Along a row and along a column, on an ultrasound region whose axes are not both lengths
        (M-mode, spectra); no lengths, angles and areas are there.
    grain
        [along a row, along a column] in mm of a computed plane: how far the voxels reach that it
        was computed from. Where it is coarser than a pixel, points are known no better.
    """

    spacing: tuple[float, float] | None
    aspect: float = 1.0
    origin: tuple[float, float, float] | None = None
    row_direction: tuple[float, float, float] = (1.0, 0.0, 0.0)
    column_direction: tuple[float, float, float] = (0.0, 1.0, 0.0)
    provenance: str = UNCALIBRATED
    thickness_mm: float = 0.0
    axes: Axes | None = None
    grain: tuple[float, float] | None = None

    @classmethod
    def from_image_facts(
        cls, facts: dict[str, Any], points_px: Sequence[Sequence[float]] = ()
    ) -> "Plane":
        """Read the plane of one frame's facts (`imaging.ordering.frame_view`).

        On an ultrasound picture the spacing is that of the region that holds all of
        `points_px`, or there are `axes`. Raises MeasureError when they lie in several regions,
        or in one whose units are not known.
        """
        spacing, provenance, axes = _scale_of(facts, points_px)
        ratio = facts.get("pixel_aspect_ratio") or (1, 1)
        cosines = direction_cosines(facts.get("image_orientation_patient") or ())
        position = facts.get("image_position_patient")
        place: dict[str, Any] = {}
        if cosines is not None and position is not None and provenance == "pixel_spacing":
            place = {
                "origin": tuple(position),
                "row_direction": tuple(float(value) for value in cosines[0]),
                "column_direction": tuple(float(value) for value in cosines[1]),
            }
        return cls(
            spacing=spacing,
            aspect=float(ratio[0]) / float(ratio[1]),
            provenance=provenance,
            thickness_mm=float(facts.get("slice_thickness") or 0.0),
            axes=axes,
            **place,
        )

    @property
    def unit(self) -> str:
        """`mm`, or `px` when nothing gives millimetres."""
        return "px" if self.spacing is None else "mm"

    @property
    def steps(self) -> np.ndarray:
        """[width, height] of a pixel in `unit`: what one column and one row are long."""
        row, column = self.spacing if self.spacing is not None else (self.aspect, 1.0)
        return np.array([column, row], np.float64)

    @property
    def doubt_steps(self) -> np.ndarray:
        """[width, height] in `unit` to half of which a point is known: a pixel, or the grain."""
        if self.grain is None:
            return self.steps
        doubt: np.ndarray = np.maximum(self.steps, self.grain)
        return doubt

    def plane_from_px(self, points_px: np.ndarray) -> np.ndarray:
        """Return (n, 2) points in `unit` on the plane, of (n, 2) points (column, row)."""
        points: np.ndarray = np.asarray(points_px, np.float64) * self.steps
        return points

    def lps_from_px(self, points_px: np.ndarray) -> np.ndarray:
        """Return (n, 3) points in lps mm; raises MeasureError for a plane without a place."""
        origin, directions = self._placed()
        points: np.ndarray = origin + self.plane_from_px(points_px) @ directions
        return points

    def px_from_lps(self, points_lps_mm: np.ndarray) -> np.ndarray:
        """Return (n, 2) points (column, row) of points on the plane.

        Raises MeasureError for a plane without a place in the patient and for points that lie
        before or behind it by more than half a slice, 0.5 mm at least.
        """
        origin, directions = self._placed()
        offsets = np.asarray(points_lps_mm, np.float64) - origin
        normal = np.cross(directions[0], directions[1])
        if np.abs(offsets @ normal).max(initial=0.0) > max(OFF_PLANE_MM, self.thickness_mm / 2):
            raise MeasureError("A point does not lie on the plane of this image.")
        points: np.ndarray = offsets @ directions.T / self.steps
        return points

    def _placed(self) -> tuple[np.ndarray, np.ndarray]:
        if self.origin is None or self.spacing is None:
            raise MeasureError("This image has no place in the patient: give points in pixels.")
        return np.array(self.origin), np.array([self.row_direction, self.column_direction])


_Scale = tuple[tuple[float, float] | None, str, Axes | None]


def _scale_of(facts: dict[str, Any], points_px: Sequence[Sequence[float]]) -> _Scale:
    """Return spacing, provenance, and axes where there is no spacing."""
    source = facts.get("pixel_spacing_source", "none")
    if source == "pixel_spacing":
        kind = facts.get("pixel_spacing_calibration_type")
        source = "calibrated" if kind in ("FIDUCIAL", "GEOMETRY") else source
    elif source == "imager" and facts.get("magnification_corrected"):
        source = "imager_corrected"
    elif facts.get("ultrasound_regions"):
        return _scale_of_region(facts["ultrasound_regions"], points_px)
    spacing = facts.get("pixel_spacing")
    if not spacing or not all(math.isfinite(value) and value > 0 for value in spacing):
        return None, UNCALIBRATED, None
    return (float(spacing[0]), float(spacing[1])), source, None


def _scale_of_region(regions: list[dict[str, Any]], points_px: Sequence[Sequence[float]]) -> _Scale:
    """Return the scale under the points; a region's bounds are pixels that belong to it."""
    holding = [
        {i for i, region in enumerate(regions) if _holds(region["bounds_px"], point)}
        for point in points_px
    ]
    if not any(holding):
        return None, UNCALIBRATED, None
    common = set.intersection(*holding)
    if not common:
        raise MeasureError("The points lie in several ultrasound regions.")
    scales = {
        (tuple(regions[i].get("pixel_spacing") or ()), axes_of_region(regions[i])) for i in common
    }
    # A region that says nothing of its units does not speak against another in the same place.
    scales.discard(((), None))
    if len(scales) > 1:
        raise MeasureError("The ultrasound regions here overlap and disagree.")
    if not scales:
        raise MeasureError("The units of this ultrasound region are not known.")
    spacing, axes = scales.pop()
    if spacing:
        return (float(spacing[0]), float(spacing[1])), "ultrasound_region", None
    return None, "ultrasound_region", axes


def _holds(bounds: Sequence[int], point: Sequence[float]) -> bool:
    left, top, right, bottom = bounds
    column, row = point
    return left - 0.5 <= column <= right + 0.5 and top - 0.5 <= row <= bottom + 0.5
