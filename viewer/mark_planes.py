"""Marks on reformatted planes: a plane through a series, where others have an image.

The plane is a grid without edges: `origin` is the centre of its pixel (0, 0), and statistics count
the pixels of this grid. What lies under them is cut out of the series' volume.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from archive.models import Instance, Series
from archive.passport import read_passport
from archive.plane_values import read_plane_values
from archive.presets import suv_kinds_of
from imaging.drawn import outline_reach
from imaging.errors import NotAVolumeError, UnsupportedError
from imaging.measure import Pixels, Result, measure
from imaging.measure_plane import MeasureError, Plane
from imaging.ordering import frame_view
from imaging.plane import THIN, PlaneGeometry, Slab, voxel_reach_mm
from imaging.shape import Reason
from viewer.fused_values import Under, measure_under, relative_kinds
from viewer.measured import (
    OF_PIXELS,
    Shape,
    columns_of,
    doubts_of,
    finite,
    places,
    scale_of,
)

PROVENANCE = "reformatted"
INTERPOLATION = "trilinear"
# Pixels under a shape, and these times layers: as a plane that is asked for.
SIDE_LIMIT_PX = 2048
SAMPLES_LIMIT = 1 << 27

Triple = tuple[float, float, float]


class PlaneError(MeasureError):
    """Nothing is measured on such a plane of this series; the text says why."""


@dataclass(frozen=True, slots=True)
class MarkPlane:
    """The grid that a mark lies on; directions are unit vectors, perpendicular.

    `spacing_mm` is [between rows, between columns]; `thickness_mm` and `mode` are the slab's;
    `time_point` counts from 0.
    """

    frame_of_reference_uid: str
    origin: Triple
    row_direction: Triple
    column_direction: Triple
    spacing_mm: tuple[float, float]
    thickness_mm: float = 0.0
    mode: str = THIN
    time_point: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` restores."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> MarkPlane:
        """Restore a plane."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()
        }
        return cls(**known)

    @property
    def slab(self) -> Slab:
        """How deep its pictures look."""
        return Slab(self.mode, self.thickness_mm)

    def measured(self, grain: tuple[float, float] | None = None) -> Plane:
        """Return the plane as formulas take it."""
        return Plane(
            spacing=self.spacing_mm,
            origin=self.origin,
            row_direction=self.row_direction,
            column_direction=self.column_direction,
            provenance=PROVENANCE,
            thickness_mm=self.thickness_mm,
            grain=grain,
        )

    def window(self, first_px: np.ndarray, size_px: tuple[int, int]) -> PlaneGeometry:
        """Return the part of the grid from pixel (column, row) on, so many columns and rows."""
        row, column = np.array(self.row_direction), np.array(self.column_direction)
        origin = self.measured().lps_from_px(first_px[None])[0]
        columns, rows = size_px
        return PlaneGeometry(
            origin, row, column, np.cross(row, column), self.spacing_mm, rows, columns
        )


@dataclass(frozen=True, slots=True)
class OnFrame:
    """A frame of an image, where a mark lies."""

    instance: Instance
    frame: int

    @property
    def columns(self) -> dict[str, Any]:
        """Return how a row says it."""
        return {"instance": self.instance, "frame": self.frame}

    @property
    def study_id(self) -> uuid.UUID:
        """Key of the study that keeps the mark."""
        return self.instance.study_id


@dataclass(frozen=True, slots=True)
class OnPlane:
    """A plane through a series, where a mark lies."""

    series: Series
    plane: MarkPlane

    @property
    def columns(self) -> dict[str, Any]:
        """Return how a row says it."""
        return {"series": self.series, "plane": self.plane.to_json()}

    @property
    def study_id(self) -> uuid.UUID:
        """Key of the study that keeps the mark."""
        return self.series.study_id


Spot = OnFrame | OnPlane


# --- checking -------------------------------------------------------------------------
def open_plane(series: Series, plane: MarkPlane) -> MarkPlane:
    """Return the plane with the series' frame of reference, when it can be cut there.

    Raises `NotAVolumeError` with the passport's reasons, `PlaneError` for another frame of
    reference or a time point that is not there.
    """
    passport = read_passport(series)
    if not passport["is_volume"]:
        reasons = [Reason.of(code) for code in passport["reason_codes"]]
        raise NotAVolumeError(
            " ".join(reason.words for reason in reasons),
            reasons=tuple((reason.code, reason.words) for reason in reasons),
        )
    if plane.time_point >= passport["time_points"]:
        raise PlaneError(_("There is no such time point."))
    known = str(passport["groups"][0]["frame_of_reference_uid"] or "")
    if plane.frame_of_reference_uid not in ("", known):
        raise PlaneError(_("The series has another frame of reference."))
    return MarkPlane.from_json({**plane.to_json(), "frame_of_reference_uid": known})


def place_on_plane(spot: OnPlane, shape: Shape) -> dict[str, Any]:
    """Return the points as a row keeps them, in both ways. Raises `MeasureError` off the plane."""
    grid = spot.plane.measured()
    points = np.array(shape.points, np.float64)
    if shape.is_lps:
        points = grid.px_from_lps(points)
    return {"points_px": points.tolist(), "points_lps_mm": grid.lps_from_px(points).tolist()}


# --- working out ----------------------------------------------------------------------
def work_out_on_plane(
    spot: OnPlane, shape: Shape, other: uuid.UUID | None = None
) -> dict[str, Any]:
    """Return the columns of a measurement that follow from the volume and the points.

    Cuts the plane where the kind needs values; blocks for it, and for the volume. `other` is a
    series that lies over the plane: its statistics stand among the others as `other`.

    Raises
    ------
    MeasureError
        The points make no such measurement, or are not on this plane.
    NoctisError
        As `archive.plane_values.read_plane_values`.
    """
    series, plane = spot.series, spot.plane
    placed = place_on_plane(spot, shape)
    points = placed["points_px"]
    axes = _voxel_axes(read_passport(series))
    grain = tuple(
        voxel_reach_mm(np.array(direction), axes)
        for direction in (plane.row_direction, plane.column_direction)
    )
    grid = plane.measured((grain[0], grain[1]))
    if shape.kind in OF_PIXELS:
        result = _measure_values(spot, shape.kind, np.array(points), grid, _finest(axes))
    else:
        result = measure(shape.kind, points, grid)
    notes = ["slab"] if plane.mode != THIN and plane.thickness_mm > 0 else []
    columns = columns_of(result, [*notes, *doubts_of(series, result)])
    columns["statistics"]["interpolation"] = INTERPOLATION
    if "SUVbw" in (result.unit, result.statistics.get("unit")):
        columns["statistics"]["suv_kinds"] = relative_kinds(suv_kinds_of(series))
    if other is not None and shape.kind in OF_PIXELS:
        under = _under(spot, shape.kind, np.array(points), grid, _finest(axes))
        columns["statistics"]["other"] = finite(measure_under(under, other))
    return {**placed, **columns}


def _measure_values(
    spot: OnPlane, kind: str, points: np.ndarray, grid: Plane, finest_mm: float
) -> Result:
    """Measure on as much of the plane as the shape covers."""
    # Refused before anything is cut.
    if kind != "probe":
        measure(kind, points.tolist(), grid)
    under = _under(spot, kind, points, grid, finest_mm)
    with places.one():
        found = read_plane_values(
            spot.series, under.grid, slab=under.slab, time_point=spot.plane.time_point
        )
    image = Instance.objects.filter(series=spot.series, number_of_frames__gt=0).first()
    unit, factor = scale_of(spot.series, frame_view(image.image, 0) if image else {})
    pixels = Pixels(found.values, unit, None, factor)
    result = measure(kind, under.points, grid, pixels)
    outside = result.statistics.get("not_finite_count")
    notes = (*result.notes, *(("beyond_volume",) if outside else ()))
    return Result(
        kind, result.value, result.unit, result.provenance, result.uncertainty, result.statistics,
        notes,
    )  # fmt: skip


def _under(spot: OnPlane, kind: str, points: np.ndarray, plane: Plane, finest_mm: float) -> Under:
    """Return the shape on the part of the grid that it covers; its points count from there."""
    steps = (float(plane.steps[0]), float(plane.steps[1]))
    low, high = outline_reach(kind, points, steps)
    first = np.floor(low) - 1
    columns, rows = (int(size) for size in np.ceil(high) - first + 2)
    layers = spot.plane.slab.count_samples(finest_mm)
    if max(columns, rows) > SIDE_LIMIT_PX or columns * rows * layers > SAMPLES_LIMIT:
        raise UnsupportedError(_("This region is too large for statistics."))
    return Under(
        kind, (points - first).tolist(), plane, spot.plane.window(first, (columns, rows)),
        spot.plane.slab, spot.study_id, spot.plane.frame_of_reference_uid,
    )  # fmt: skip


def _voxel_axes(passport: dict[str, Any]) -> np.ndarray:
    """Return the edges of a voxel as columns, lps in mm, float64 of shape (3, 3)."""
    affine = passport["lps_from_ijk"]
    if affine is not None:
        return np.array(affine, np.float64)[:3, :3]
    main = passport["groups"][0]
    row, column = np.array(main["orientation"][:3]), np.array(main["orientation"][3:])
    between_rows, between_columns = main["pixel_spacing_mm"]
    normal = np.cross(row, column)
    return np.stack(
        [row * between_columns, column * between_rows, normal * main["slice_spacing_mm"]], axis=1
    )


def _finest(axes: np.ndarray) -> float:
    return float(np.linalg.norm(axes, axis=0).min())
