"""Outlines of segmentations and structures on one image, in its own pixels.

An outline is shown only on a plane that it lies on: geometry decides, and where a segmentation
has none, the image that it names.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Any

import numpy as np
from django.utils.translation import gettext as _

from archive.frames import read_frame
from archive.models import Instance
from archive.places import Places
from imaging.errors import UnsupportedError
from imaging.measure_plane import OFF_PLANE_MM, MeasureError, Plane
from imaging.outlines import trace_outlines
from imaging.segmentation import (
    FRACTIONAL,
    LABELMAP,
    Segmentation,
    SegmentFrame,
    read_segmentation,
)
from imaging.structure_set import CLOSED, Contour, StructureSet, read_structure_set
from viewer.calibration import usable_facts
from viewer.mark_fields import COORDINATE_LIMIT
from viewer.object_kinds import SEGMENTATION, STRUCTURES, kind_of, open_header

Shape = dict[str, Any]

# More frames of a segmentation than this do not lie on one image.
FRAMES_LIMIT = 512
_KEPT = 2
_SAME_PX = 0.01

_places = Places(2, waiting_limit=32, wait_seconds=10)
_kept: OrderedDict[str, Segmentation | StructureSet] = OrderedDict()
_lock = Lock()


def find_outlines(outlined: Instance, image: Instance, frame: int) -> list[Shape]:
    """Return the shapes of an object on a frame of an image, counted from 0.

    A shape is {part, closed, points}: `part` numbers segment or region, points are
    (column, row) one after the other. Reads and decodes frames of a segmentation; blocks.

    Raises UnsupportedError for objects without outlines, and as `archive.frames.read_frame`.
    """
    kind = kind_of(outlined.sop_class_uid, outlined.number_of_frames)
    if kind not in (SEGMENTATION, STRUCTURES):
        raise UnsupportedError(_("This object has no outlines."))
    plane = _plane_of(image, frame)
    with _places.one():
        if kind == SEGMENTATION:
            found = _read(outlined, read_segmentation)
            assert isinstance(found, Segmentation)
            return _of_segmentation(outlined, found, image, frame, plane)
        structures = _read(outlined, read_structure_set)
        assert isinstance(structures, StructureSet)
        return _of_structures(structures, image, plane)


def _read(
    instance: Instance, read: Callable[[Any], Segmentation | StructureSet]
) -> Segmentation | StructureSet:
    """Return what was read of an object; the last ones are kept."""
    key = instance.dataset_sha256
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = read(open_header(instance))
    with _lock:
        _kept[key] = found
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return found


def _plane_of(image: Instance, frame: int) -> Plane | None:
    try:
        plane = Plane.from_image_facts(usable_facts(image, frame))
    except MeasureError:
        return None
    return plane if plane.origin is not None else None


def _is_near(points: np.ndarray) -> bool:
    """Whether all points are numbers and no farther than any picture reaches."""
    return bool(np.isfinite(points).all() and np.abs(points).max(initial=0.0) <= COORDINATE_LIMIT)


def _flat(points: np.ndarray) -> list[float]:
    numbers: list[float] = np.round(points, 3).ravel().tolist()
    return numbers


# --- structures -------------------------------------------------------------------------------
def _of_structures(found: StructureSet, image: Instance, plane: Plane | None) -> list[Shape]:
    if plane is None:
        return []
    wanted = image.series.frame_of_reference_uid
    if found.frame_of_reference_uid and wanted and found.frame_of_reference_uid != wanted:
        return []
    exact = replace(plane, thickness_mm=2 * OFF_PLANE_MM)
    shapes = []
    for contour in found.contours:
        is_named = image.sop_instance_uid in contour.image_uids
        points = _on_plane(contour, plane if is_named else exact)
        if points is not None:
            shapes.append(
                {
                    "part": contour.region,
                    "closed": contour.kind == CLOSED,
                    "points": _flat(points),
                }
            )
    return shapes


def _on_plane(contour: Contour, plane: Plane) -> np.ndarray | None:
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            points = plane.px_from_lps(contour.points)
    except MeasureError:
        return None
    return points if _is_near(points) else None


# --- segmentations ------------------------------------------------------------------------------
def _of_segmentation(
    outlined: Instance, found: Segmentation, image: Instance, frame: int, plane: Plane | None
) -> list[Shape]:
    shapes: list[Shape] = []
    taken = 0
    for one in found.frames:
        place = _place_of(found, one, image, frame, plane)
        if place is None:
            continue
        taken += 1
        if taken > FRAMES_LIMIT:
            raise UnsupportedError(_("Too many frames of this segmentation lie on one image."))
        pixels = read_frame(outlined, one.frame).to_array(found.rows, found.columns)
        for part, mask in _masks(found, one, pixels):
            shapes += [
                {"part": part, "closed": True, "points": _flat(place(np.array(outline)))}
                for outline in trace_outlines(mask)
            ]
    return shapes


def _masks(
    found: Segmentation, frame: SegmentFrame, pixels: np.ndarray
) -> list[tuple[int, np.ndarray]]:
    if found.kind == LABELMAP:
        known = {segment.number for segment in found.segments}
        here = [int(value) for value in np.unique(pixels) if int(value) in known and value]
        return [(number, pixels == number) for number in here]
    if found.kind == FRACTIONAL:
        return [(frame.segment, pixels.astype(np.float64) * 2 >= found.largest)]
    return [(frame.segment, pixels != 0)]


def _place_of(
    found: Segmentation, one: SegmentFrame, image: Instance, frame: int, plane: Plane | None
) -> Callable[[np.ndarray], np.ndarray] | None:
    """Return what puts points of a frame onto the image, None when it does not lie there."""
    own = _plane_of_frame(found, one)
    if own is None or plane is None:
        is_same = (found.rows, found.columns) == (image.rows, image.columns)
        return _as_it_is if is_same and _names(one, image, frame) else None
    wanted = image.series.frame_of_reference_uid
    if found.frame_of_reference_uid and wanted and found.frame_of_reference_uid != wanted:
        return None
    corners = np.array([[0, 0], [found.columns - 1, 0], [0, found.rows - 1]], np.float64)
    bounded = plane if _names(one, image, frame) else replace(plane, thickness_mm=2 * OFF_PLANE_MM)
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            placed = bounded.px_from_lps(own.lps_from_px(corners))
    except MeasureError:
        return None
    if not _is_near(placed):
        return None
    if np.abs(placed - corners).max() <= _SAME_PX:
        return _as_it_is
    return lambda points: _move(own, bounded, points)


def _names(one: SegmentFrame, image: Instance, frame: int) -> bool:
    """Whether the segmentation says that it was made of this frame."""
    return any(
        source.sop_instance_uid == image.sop_instance_uid
        and (not source.frames or frame + 1 in source.frames)
        for source in one.sources
    )


def _as_it_is(points: np.ndarray) -> np.ndarray:
    return points


def _move(own: Plane, plane: Plane, points: np.ndarray) -> np.ndarray:
    return plane.px_from_lps(own.lps_from_px(points))


def _plane_of_frame(found: Segmentation, one: SegmentFrame) -> Plane | None:
    if one.position is None or one.orientation is None or found.spacing is None:
        return None
    facts = {
        "pixel_spacing": list(found.spacing),
        "pixel_spacing_source": "pixel_spacing",
        "image_position_patient": list(one.position),
        "image_orientation_patient": list(one.orientation),
    }
    plane = Plane.from_image_facts(facts)
    return plane if plane.origin is not None else None
