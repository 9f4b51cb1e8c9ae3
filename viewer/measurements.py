"""Measurements as the server keeps them: every number worked out here, from the stored pixels."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from archive.frames import read_frame
from archive.lookup_tables import read_instance_header
from archive.models import Instance, Series
from archive.places import Places
from archive.presets import suv_factor_of, suv_kinds_of
from archive.video_shown import as_shown
from imaging.display import Grayscale
from imaging.errors import UnreadableError, UnsupportedError
from imaging.measure import Pixels, Result, measure
from imaging.measure_plane import MeasureError, Plane
from imaging.measure_roi import value_unit
from viewer import marks
from viewer.calibration import calibrate, usable_facts
from viewer.fused_values import measure_other, relative_kinds
from viewer.marks import Author
from viewer.models import Measurement

# Kinds whose numbers come from pixels; the others need no file.
_OF_PIXELS = frozenset({"rectangle", "ellipse", "circle", "polygon", "probe"})
# The values of a frame are held as 8 bytes a pixel, more than once.
PIXELS_LIMIT = 64 << 20

# Values take processor and memory from the web process: a storm waits, then is refused.
_places = Places(2, waiting_limit=32, wait_seconds=10)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a person drew: kind and points, in pixels or in the patient."""

    kind: str
    points: Sequence[Sequence[float]]
    is_lps: bool


# --- working out ----------------------------------------------------------------------
def work_out(
    instance: Instance, frame: int, shape: Shape, other: uuid.UUID | None = None
) -> dict[str, Any]:
    """Return the columns of a measurement that follow from the picture and the points.

    Reads and decodes the frame where the kind needs values; blocks for it. `other` is a series
    that lies over the picture: its statistics stand among the others as `other`.

    Raises
    ------
    MeasureError
        The points make no such measurement, or are not on this plane.
    UnsupportedError
        There is no picture in the file, or it is too large.
    NoctisError
        As `archive.frames.read_frame`.
    """
    instance = as_shown(instance)
    if not instance.rows or not instance.columns:
        raise UnsupportedError(_("This file has no picture to measure on."))
    facts = usable_facts(instance, frame)
    points = [[float(number) for number in point] for point in shape.points]
    if shape.is_lps:
        points = Plane.from_image_facts(facts).px_from_lps(np.array(points)).tolist()
    plane = calibrate(Plane.from_image_facts(facts, points), instance)
    if shape.kind in _OF_PIXELS:
        with _places.one():
            result = measure(shape.kind, points, plane, _read_pixels(instance, frame, facts))
    else:
        result = measure(shape.kind, points, plane)
    columns = _columns(result, _doubts(instance.series, result))
    if "SUVbw" in (result.unit, result.statistics.get("unit")):
        columns["statistics"]["suv_kinds"] = relative_kinds(suv_kinds_of(instance.series))
    if other is not None and shape.kind in _OF_PIXELS:
        found = measure_other(instance, plane, shape.kind, points, other)
        columns["statistics"] |= {"other": _finite(found)}
    return {"points_px": points, "points_lps_mm": place_points(plane, points), **columns}


def _columns(result: Result, doubts: list[str]) -> dict[str, Any]:
    return {
        "kind": result.kind,
        "value": _finite(result.value),
        "unit": result.unit[:64],
        "statistics": _finite(result.statistics),
        "provenance": result.provenance,
        "uncertainty": _finite(result.uncertainty),
        "notes": [*result.notes, *doubts],
    }


def _doubts(series: Series, result: Result) -> list[str]:
    """Return what the series' passport says against the values."""
    is_hu = "HU" in (result.unit, result.statistics.get("unit"))
    verdict = ((series.passport or {}).get("hu") or {}).get("verdict")
    return ["hu_suspect"] if is_hu and verdict == "suspect" else []


def _read_pixels(instance: Instance, frame: int, facts: dict[str, Any]) -> Pixels | None:
    """Return the values of a frame after the modality step; None for colour."""
    rows, columns = instance.rows or 0, instance.columns or 0
    if rows * columns > PIXELS_LIMIT:
        raise UnsupportedError(_("This picture is too large for statistics."))
    stored = read_frame(instance, frame).to_array(rows, columns)
    if stored.ndim == 3:
        return None
    pipeline = Grayscale.from_image_facts(instance.image, frame=frame)
    if facts.get("has_modality_lut"):
        header = read_instance_header(instance)
        if header is None:
            raise UnreadableError(_("The file is damaged: its header cannot be read."))
        pipeline = pipeline.with_tables(header)
    unit, factor = _scale_of(instance.series, facts)
    padding = pipeline.padding_mask(stored)
    return Pixels(pipeline.modality_values(stored), unit, padding, factor)


def _scale_of(series: Series, facts: dict[str, Any]) -> tuple[str, float]:
    """Return unit and factor of the values: SUV where the passport knows how."""
    if series.modality == "PT":
        factor = suv_factor_of(series)
        if factor is not None:
            return "SUVbw", factor
    return value_unit(facts, series.modality), 1.0


def place_points(plane: Plane, points: list[list[float]]) -> list[list[float]] | None:
    """Return the points in the patient, None on a picture without a place there."""
    try:
        placed = plane.lps_from_px(np.array(points))
    except MeasureError:
        return None
    return placed.tolist() if np.isfinite(placed).all() else None


def _finite(value: Any) -> Any:
    """Return the value with None for what is no number: JSON knows neither NaN nor infinity."""
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- writing --------------------------------------------------------------------------
def create(
    author: Author, instance: Instance, frame: int, shape: Shape, words: dict[str, Any]
) -> Measurement:
    """Measure and store; `words` are what the person says of it.

    Raises as `work_out` and `marks.create`.
    """
    other = words.pop("other", None)
    found = work_out(instance, frame, shape, other)
    columns = {**found, **words, "instance": instance, "frame": frame}
    return marks.create(author, Measurement, instance.study_id, columns)


def change(
    author: Author, mark: Measurement, version: int, shape: Shape | None, words: dict[str, Any]
) -> Measurement:
    """Replace points or words of the version that the author has seen.

    Raises as `work_out` and `marks.change`.
    """
    kept = mark.statistics.get("other", {}).get("series")
    other = words.pop("other", None) if "other" in words else kept and uuid.UUID(kept)
    if shape is None and str(other or "") != (kept or ""):
        shape = Shape(mark.kind, mark.points_px, is_lps=False)
    columns = {} if shape is None else work_out(mark.instance, mark.frame, shape, other)
    return marks.change(author, mark, version, {**columns, **words})
