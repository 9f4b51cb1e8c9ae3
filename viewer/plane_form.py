"""How the plane of a mark reads in requests and answers."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from imaging.plane import MODES, THIN
from viewer.mark_fields import Strict
from viewer.mark_planes import MarkPlane, Triple

COORDINATE_LIMIT_MM = 100_000.0
SPACING_LIMITS_MM = (0.001, 100.0)
THICKNESS_LIMIT_MM = 1000.0
# Directions this far from perpendicular, as a sine, are rounded; beyond, they are wrong.
SQUARE = 1e-3
_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_ASKED = frozenset({"origin", "row_direction", "column_direction", "spacing_mm"})
_KNOWN = _ASKED | {"frame_of_reference_uid", "thickness_mm", "mode", "time_point"}
_NUMBERS = {"type": "array", "items": {"type": "number"}}


@extend_schema_field(
    {
        "type": "object",
        "required": sorted(_ASKED),
        "properties": {
            "origin": {**_NUMBERS, "description": "Centre of pixel (0, 0), lps in mm."},
            "row_direction": {**_NUMBERS, "description": "Unit vector, growing column."},
            "column_direction": {**_NUMBERS, "description": "Unit vector, growing row."},
            "spacing_mm": {**_NUMBERS, "description": "[between rows, between columns]."},
            "thickness_mm": {"type": "number", "description": "Of the slab; 0 unless given."},
            "mode": {"type": "string", "enum": list(MODES)},
            "time_point": {"type": "integer", "description": "From 0."},
            "frame_of_reference_uid": {"type": "string", "description": "The series' own."},
        },
        "additionalProperties": False,
    }
)
class PlaneField(serializers.Field[Any, Any, Any, Any]):
    """A plane through the patient, parsed strictly."""

    def to_internal_value(self, data: Any) -> MarkPlane:
        """Return the plane; its directions are made perpendicular unit vectors."""
        if not isinstance(data, dict) or not _ASKED <= set(data) <= _KNOWN:
            raise ValidationError(
                _("Give origin, row_direction, column_direction, spacing_mm, and nothing unknown.")
            )
        row, column = _directions(data["row_direction"], data["column_direction"])
        mode = data.get("mode", THIN)
        if mode not in MODES:
            raise ValidationError(_("mode: use one of %(modes)s.") % {"modes": ", ".join(MODES)})
        thickness = _number(data.get("thickness_mm", 0), "thickness_mm", 0, THICKNESS_LIMIT_MM)
        spacing = [
            _number(one, "spacing_mm", *SPACING_LIMITS_MM)
            for one in _list(data["spacing_mm"], "spacing_mm", 2)
        ]
        uid = data.get("frame_of_reference_uid", "")
        if uid != "" and not (isinstance(uid, str) and _UID.fullmatch(uid)):
            raise ValidationError(_("frame_of_reference_uid: give a UID."))
        return MarkPlane(
            frame_of_reference_uid=uid,
            origin=_triple(data["origin"], "origin"),
            row_direction=row,
            column_direction=column,
            spacing_mm=(spacing[0], spacing[1]),
            thickness_mm=thickness if mode != THIN else 0.0,
            mode=mode,
            time_point=_time_point(data.get("time_point", 0)),
        )

    def to_representation(self, value: Any) -> Any:
        """Return the plane as stored."""
        return value


def _directions(row: Any, column: Any) -> tuple[Triple, Triple]:
    first = np.array(_triple(row, "row_direction"))
    second = np.array(_triple(column, "column_direction"))
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    if not all(abs(length - 1) <= SQUARE for length in lengths):
        raise ValidationError(_("row_direction and column_direction: give unit vectors."))
    first = first / lengths[0]
    if abs(float(first @ second)) > SQUARE:
        raise ValidationError(_("row_direction and column_direction: they are not perpendicular."))
    second = second - first * float(first @ second)
    second = second / np.linalg.norm(second)
    a, b = first.tolist(), second.tolist()
    return (a[0], a[1], a[2]), (b[0], b[1], b[2])


def _triple(value: Any, name: str) -> Triple:
    limit = COORDINATE_LIMIT_MM
    x, y, z = (_number(one, name, -limit, limit) for one in _list(value, name, 3))
    return x, y, z


def _list(value: Any, name: str, count: int) -> list[Any]:
    if not isinstance(value, list) or len(value) != count:
        words = {"name": name, "count": count}
        raise ValidationError(_("%(name)s: give %(count)d numbers.") % words)
    return value


def _number(value: Any, name: str, least: float, most: float) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not least <= value <= most:
        limits = {"name": name, "least": f"{least:g}", "most": f"{most:g}"}
        raise ValidationError(_("%(name)s: give a number from %(least)s to %(most)s.") % limits)
    return float(value)


def _time_point(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 100_000:
        raise ValidationError(_("time_point: give a whole number from 0."))
    return value


class NewDrawing(Strict):
    """What names the frame or the plane of a new mark."""

    sop_instance_uid = serializers.CharField(max_length=64, required=False)
    instance_id = serializers.UUIDField(
        required=False, help_text="Only needed where several facilities have this UID."
    )
    frame = serializers.IntegerField(min_value=0, default=0, help_text="Counted from 0.")
    series_instance_uid = serializers.CharField(
        max_length=64, required=False, help_text="With `plane`, instead of an image."
    )
    series_id = serializers.UUIDField(
        required=False, help_text="Its key, instead of the UID or beside it."
    )
    plane = PlaneField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a mark without a place, and one with two."""
        attrs = super().validate(attrs)
        image, series = ["sop_instance_uid"], ["series_instance_uid", "series_id"]
        wanted, others = (series, image) if "plane" in attrs else (image, series)
        if not any(name in attrs for name in wanted):
            raise ValidationError({wanted[0]: [_("This field is required.")]})
        if wrong := [name for name in others if name in attrs]:
            raise ValidationError({wrong[0]: [_("Give an image, or a series with a plane.")]})
        return attrs
