"""What a second series says under a measurement: uptake under a CT's region, HU under a PET's.

The second series is cut on the plane of the picture, at the centres of its pixels, as a fused
picture shows it. Only a series of the same study and frame of reference is taken.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from archive.models import Instance, Series
from archive.plane_values import read_plane_values
from archive.presets import suv_kinds_of
from imaging.errors import UnsupportedError
from imaging.measure import Pixels, measure
from imaging.measure_plane import MeasureError, Plane
from imaging.measure_roi import value_unit
from imaging.plane import PlaneGeometry, Slab
from viewer.measured import places

# A lower picture of more rows or columns is not overlaid.
SIDE_LIMIT_PX = 2048
# Of several time points the first lies over a picture, on the page as here.
TIME_POINT = 0
# Of the shape, not of the values: they stand with the measurement itself.
_OF_SHAPE = ("area_mm2", "area_by_count_mm2", "perimeter_mm", "histogram")


class OtherSeriesError(MeasureError):
    """The second series has no values here; the text says why."""


@dataclass(frozen=True, slots=True)
class Under:
    """A shape on a grid of pixels in the patient, under which a second series is looked at."""

    kind: str
    points: list[list[float]]
    plane: Plane
    grid: PlaneGeometry
    slab: Slab
    study_id: uuid.UUID
    frame_of_reference_uid: str


def measure_other(
    instance: Instance, plane: Plane, kind: str, points: list[list[float]], series_id: uuid.UUID
) -> dict[str, Any]:
    """Return the statistics of the second series under the shape, with its key and unit.

    Raises `OtherSeriesError` when it is of another study or frame of reference or the picture
    has no place in the patient, UnsupportedError when it is too large, and as
    `archive.plane_values.read_plane_values`.
    """
    uid = str(instance.image.get("frame_of_reference_uid") or "")
    grid = grid_of(plane, instance)
    return measure_under(
        Under(kind, points, plane, grid, Slab(), instance.study_id, uid), series_id
    )


def measure_under(under: Under, series_id: uuid.UUID) -> dict[str, Any]:
    """Return the statistics of the second series under a shape on any grid. Raises likewise."""
    others = Series.objects.select_related("study").filter(study_id=under.study_id)
    other = others.filter(pk=series_id).first()
    if other is None:
        raise OtherSeriesError(_("There is no such series in this study."))
    own_uid = under.frame_of_reference_uid
    first = Instance.objects.filter(series=other, number_of_frames__gte=1).first()
    facts = {} if first is None else first.image
    if not own_uid or own_uid != facts.get("frame_of_reference_uid"):
        raise OtherSeriesError(_("The two series have no common frame of reference."))
    with places.one():
        found = read_plane_values(other, under.grid, slab=under.slab, time_point=TIME_POINT)
    if own_uid != found.frame_of_reference_uid:
        raise OtherSeriesError(_("The two series have no common frame of reference."))
    unit, factor, kinds = _scale_of(other, facts)
    pixels = Pixels(found.values, unit, None, factor)
    result = measure(under.kind, under.points, under.plane, pixels)
    statistics = {name: value for name, value in result.statistics.items() if name not in _OF_SHAPE}
    return {
        **statistics,
        **({"suv_kinds": kinds} if kinds else {}),
        "unit": unit,
        "series": str(other.pk),
        "series_instance_uid": other.series_instance_uid,
        "modality": other.modality,
        "time_point": TIME_POINT,
    }


def _scale_of(series: Series, facts: dict[str, Any]) -> tuple[str, float, dict[str, float]]:
    """Return unit and factor of a series' values, and the kinds of SUV relative to the first."""
    kinds = suv_kinds_of(series)
    if "bw" in kinds:
        return "SUVbw", kinds["bw"], relative_kinds(kinds)
    return value_unit(facts, series.modality), 1.0, {}


def relative_kinds(kinds: dict[str, float]) -> dict[str, float]:
    """Return what SUV by weight is to be multiplied by for each kind."""
    return {kind: factor / kinds["bw"] for kind, factor in kinds.items()} if "bw" in kinds else {}


def grid_of(plane: Plane, instance: Instance) -> PlaneGeometry:
    """Return the picture's own grid, made as the address of planes makes it."""
    rows, columns = instance.rows or 0, instance.columns or 0
    if plane.origin is None or plane.spacing is None or not rows or not columns:
        raise OtherSeriesError(_("This picture has no place in the patient."))
    if max(rows, columns) > SIDE_LIMIT_PX:
        raise UnsupportedError(_("This picture is too large for statistics."))
    between_rows, between_columns = plane.spacing
    row, column = np.array(plane.row_direction), np.array(plane.column_direction)
    center = (
        np.array(plane.origin)
        + row * (between_columns * (columns - 1) / 2)
        + column * (between_rows * (rows - 1) / 2)
    )
    made = PlaneGeometry.around(
        center,
        normal=np.cross(row, column),
        up=-column,
        size_mm=(between_columns * columns, between_rows * rows),
        size_px=(columns, rows),
    )
    if made is None:
        raise OtherSeriesError(_("This picture has no place in the patient."))
    return made
