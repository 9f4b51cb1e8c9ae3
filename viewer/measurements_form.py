"""How measurements read in requests and answers."""

from __future__ import annotations

import uuid
from typing import Any

from rest_framework import serializers

from viewer.mark_fields import (
    Changed,
    FindingField,
    Look,
    Points,
    PointsField,
    ask_for_points,
)
from viewer.models import Mark, Measurement
from viewer.plane_form import NewDrawing, PlaneField

# What every mark on a frame says of its place, and what every row says of its making.
PLACE = [
    "id", "study", "study_instance_uid", "series", "series_instance_uid", "instance",
    "sop_instance_uid", "frame",
]  # fmt: skip
MAKING = ["format_version", "version", "created_by", "created_at", "changed_by", "changed_at"]


class MarkSerializer(serializers.ModelSerializer[Any]):
    """What all marks on frames share."""

    sop_instance_uid = serializers.CharField(source="instance.sop_instance_uid")
    series = serializers.SerializerMethodField()
    series_instance_uid = serializers.SerializerMethodField()
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    created_by = serializers.CharField(source="created_by.username")
    changed_by = serializers.CharField(source="changed_by.username")

    def get_series(self, row: Mark) -> uuid.UUID:
        """Return the key of the image's series, or of the one that the plane goes through."""
        return row.find_home()[1].pk

    def get_series_instance_uid(self, row: Mark) -> str:
        """Return its UID."""
        return row.find_home()[1].series_instance_uid


class DrawingSerializer(MarkSerializer):
    """What is drawn with points."""

    sop_instance_uid = serializers.CharField(
        source="instance.sop_instance_uid", allow_null=True, help_text="Null on a plane."
    )
    plane = PlaneField(allow_null=True)
    points_px = PointsField(coordinates=2)
    points_lps_mm = PointsField(coordinates=3, allow_null=True)


class NewMeasurement(NewDrawing, Points, Look):
    """What is sent to measure."""

    kind = serializers.ChoiceField(Measurement.Kind.choices)
    other = serializers.UUIDField(required=False, allow_null=True)
    finding = FindingField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for points in one of the two ways."""
        return ask_for_points(super().validate(attrs))


class ChangedMeasurement(Points, Look, Changed):
    """What can be changed; picture and kind stay."""

    other = serializers.UUIDField(required=False, allow_null=True)
    finding = FindingField(required=False)


class MeasurementSerializer(DrawingSerializer):
    """A measurement as the server knows it."""

    class Meta:
        model = Measurement
        fields = [
            *PLACE, "plane", "kind", "points_px", "points_lps_mm", "value", "unit", "statistics",
            "provenance", "uncertainty", "notes", "finding", "layer", "label", "style",
            "is_visible", *MAKING,
        ]  # fmt: skip
        read_only_fields = fields
