"""Measurements as the server keeps them: every number worked out here, from the stored pixels.

A change, its audit row and the news of it are one transaction: all or none.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import Role, User
from archive import events
from archive.frames import read_frame
from archive.lookup_tables import read_instance_header
from archive.models import Instance, Study
from archive.places import Places
from imaging.display import Grayscale
from imaging.errors import ConflictError, MissingError, UnreadableError, UnsupportedError
from imaging.measure import Pixels, Result, measure
from imaging.measure_plane import MeasureError, Plane
from imaging.measure_roi import value_unit
from imaging.ordering import frame_view
from viewer.models import Measurement

WRITERS = frozenset({Role.RADIOLOGIST, Role.TECHNOLOGIST, Role.FACILITY_ADMIN, Role.ADMIN})
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


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes, and from where."""

    user: User
    address: str = ""


def may_measure(user: User | AnonymousUser) -> bool:
    """Whether the user's role may write measurements at all."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_archive_admin or user.role in WRITERS


# --- working out ----------------------------------------------------------------------
def work_out(instance: Instance, frame: int, shape: Shape) -> dict[str, Any]:
    """Return the columns of a measurement that follow from the picture and the points.

    Reads and decodes the frame where the kind needs values; blocks for it.

    Raises
    ------
    MeasureError
        The points make no such measurement, or are not on this plane.
    UnsupportedError
        There is no picture in the file, or it is too large.
    NoctisError
        As `archive.frames.read_frame`.
    """
    if not instance.rows or not instance.columns:
        raise UnsupportedError(_("This file has no picture to measure on."))
    facts = _usable(frame_view(instance.image, frame))
    points = [[float(number) for number in point] for point in shape.points]
    if shape.is_lps:
        points = Plane.from_image_facts(facts).px_from_lps(np.array(points)).tolist()
    plane = Plane.from_image_facts(facts, points)
    if shape.kind in _OF_PIXELS:
        with _places.one():
            result = measure(shape.kind, points, plane, _read_pixels(instance, frame, facts))
    else:
        result = measure(shape.kind, points, plane)
    return {"points_px": points, "points_lps_mm": _lps(plane, points), **_columns(result)}


def _columns(result: Result) -> dict[str, Any]:
    return {
        "kind": result.kind,
        "value": _finite(result.value),
        "unit": result.unit[:64],
        "statistics": _finite(result.statistics),
        "provenance": result.provenance,
        "uncertainty": _finite(result.uncertainty),
        "notes": list(result.notes),
    }


def _usable(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts without an aspect ratio that is none."""
    ratio = facts.get("pixel_aspect_ratio")
    if ratio is None or (len(ratio) == 2 and all(float(part) > 0 for part in ratio)):
        return facts
    return {name: value for name, value in facts.items() if name != "pixel_aspect_ratio"}


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
    return Pixels(
        pipeline.modality_values(stored),
        value_unit(facts, instance.series.modality),
        pipeline.padding_mask(stored),
    )


def _lps(plane: Plane, points: list[list[float]]) -> list[list[float]] | None:
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
    author: Author, instance: Instance, frame: int, shape: Shape, words: dict[str, str]
) -> Measurement:
    """Measure and store; `words` are layer and label. Raises as `work_out`, or MissingError."""
    columns = work_out(instance, frame, shape)
    with transaction.atomic():
        study = _lock_study(author.user, instance.study_id)
        mark = Measurement.objects.create(
            study=study,
            facility_id=study.facility_id,
            instance=instance,
            frame=frame,
            created_by=author.user,
            changed_by=author.user,
            **columns,
            **words,
        )
        _tell(author, study, mark, "created")
    return mark


def change(
    author: Author, mark: Measurement, version: int, shape: Shape | None, words: dict[str, str]
) -> Measurement:
    """Replace points or words of the version that the author has seen.

    Raises ConflictError when somebody else was faster, MissingError when it is gone.
    """
    columns = {} if shape is None else work_out(mark.instance, mark.frame, shape)
    with transaction.atomic():
        study = _lock_study(author.user, mark.study_id)
        fresh = _lock(mark.pk, version)
        for name, value in {**columns, **words}.items():
            setattr(fresh, name, value)
        fresh.version += 1
        fresh.changed_by = author.user
        fresh.save()
        _tell(author, study, fresh, "changed", fields=sorted({*columns, *words}))
    return fresh


def delete(author: Author, mark: Measurement, version: int | None) -> None:
    """Mark as deleted: by whom and when. Raises as `change`."""
    with transaction.atomic():
        study = _lock_study(author.user, mark.study_id)
        fresh = _lock(mark.pk, version)
        fresh.version += 1
        fresh.deleted_by = author.user
        fresh.deleted_at = timezone.now()
        fresh.save(update_fields=["version", "deleted_by", "deleted_at"])
        _tell(author, study, fresh, "deleted")


def _lock_study(user: User, study_id: uuid.UUID) -> Study:
    """Return the study, locked before its marks, so that it does not move meanwhile."""
    locked = Study.objects.visible_to(user).select_for_update(of=("self",))
    study = locked.select_related("patient").filter(pk=study_id).first()
    if study is None:
        raise MissingError(_("Not found."))
    return study


def _lock(mark_id: uuid.UUID, version: int | None) -> Measurement:
    rows = Measurement.objects.present().select_for_update(of=("self",))
    mark = rows.select_related("instance__series", "study", "created_by").filter(pk=mark_id).first()
    if mark is None:
        raise MissingError(_("Not found."))
    if version is not None and mark.version != version:
        raise ConflictError(
            _("Somebody has changed this measurement: it is at version %(version)d.")
            % {"version": mark.version}
        )
    return mark


def _tell(author: Author, study: Study, mark: Measurement, what: str, **also: Any) -> None:
    """Write the trail, then the news: the last writing of the transaction."""
    record_for_user(
        author.user,
        f"measurement_{what}",
        address=author.address,
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        detail={
            "measurement": str(mark.pk),
            "kind": mark.kind,
            "sop_instance_uid": mark.instance.sop_instance_uid,
            "frame": mark.frame,
            "version": mark.version,
            **also,
        },
    )
    events.publish(
        f"measurement_{what}",
        [study],
        measurement=str(mark.pk),
        series=str(mark.instance.series_id),
        version=mark.version,
    )
