"""Measurements as the server keeps them: every number worked out here, from the stored pixels."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from archive.frames import read_frame
from archive.lookup_tables import read_instance_header
from archive.models import Instance
from archive.presets import suv_kinds_of
from archive.video_shown import as_shown
from imaging.display import Grayscale
from imaging.errors import UnreadableError, UnsupportedError
from imaging.measure import Pixels, measure
from imaging.measure_plane import MeasureError, Plane
from viewer import marks
from viewer.calibration import calibrate, usable_facts
from viewer.fused_values import measure_other, relative_kinds
from viewer.mark_planes import MarkPlane, OnFrame, OnPlane, Spot, work_out_on_plane
from viewer.marks import Author
from viewer.measured import OF_PIXELS, Shape, columns_of, doubts_of, finite, places, scale_of
from viewer.models import Annotation, Measurement

# The values of a frame are held as 8 bytes a pixel, more than once.
PIXELS_LIMIT = 64 << 20


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
    if shape.kind in OF_PIXELS:
        with places.one():
            result = measure(shape.kind, points, plane, _read_pixels(instance, frame, facts))
    else:
        result = measure(shape.kind, points, plane)
    columns = columns_of(result, doubts_of(instance.series, result))
    if "SUVbw" in (result.unit, result.statistics.get("unit")):
        columns["statistics"]["suv_kinds"] = relative_kinds(suv_kinds_of(instance.series))
    if other is not None and shape.kind in OF_PIXELS:
        found = measure_other(instance, plane, shape.kind, points, other)
        columns["statistics"] |= {"other": finite(found)}
    return {"points_px": points, "points_lps_mm": place_points(plane, points), **columns}


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
    unit, factor = scale_of(instance.series, facts)
    padding = pipeline.padding_mask(stored)
    return Pixels(pipeline.modality_values(stored), unit, padding, factor)


def place_points(plane: Plane, points: list[list[float]]) -> list[list[float]] | None:
    """Return the points in the patient, None on a picture without a place there."""
    try:
        placed = plane.lps_from_px(np.array(points))
    except MeasureError:
        return None
    return placed.tolist() if np.isfinite(placed).all() else None


# --- writing --------------------------------------------------------------------------
def spot_of(mark: Measurement | Annotation) -> Spot:
    """Return where a row lies."""
    if mark.plane is None:
        return OnFrame(mark.image, mark.frame)
    return OnPlane(mark.find_home()[1], MarkPlane.from_json(mark.plane))


def _work_out_at(spot: Spot, shape: Shape, other: uuid.UUID | None) -> dict[str, Any]:
    if isinstance(spot, OnFrame):
        return work_out(spot.instance, spot.frame, shape, other)
    return work_out_on_plane(spot, shape, other)


def create(author: Author, spot: Spot, shape: Shape, words: dict[str, Any]) -> Measurement:
    """Measure and store; `words` are what the person says of it.

    Raises as `work_out`, `work_out_on_plane` and `marks.create`.
    """
    other = words.pop("other", None)
    columns = {**_work_out_at(spot, shape, other), **words, **spot.columns}
    return marks.create(author, Measurement, spot.study_id, columns)


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
    columns = {} if shape is None else _work_out_at(spot_of(mark), shape, other)
    return marks.change(author, mark, version, {**columns, **words})
