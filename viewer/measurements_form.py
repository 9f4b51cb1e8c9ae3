"""How measurements read in requests and answers. A slip is named by its field."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import JSONParser

from imaging.text import clean_line
from viewer.models import Measurement

POINTS_LIMIT = 1024
# Millimetres or pixels: no picture and no patient reaches farther.
COORDINATE_LIMIT = 1e6
LABEL_LENGTH = 200
LAYER_LENGTH = 64

_POINTS_SCHEMA = {
    "type": "array",
    "maxItems": POINTS_LIMIT,
    "items": {"type": "array", "items": {"type": "number"}},
}


class PlainJSONParser(JSONParser):
    """JSON that is nested no deeper than a request can be."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Read the body."""
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError(_("The JSON is nested too deeply.")) from error


@extend_schema_field(_POINTS_SCHEMA)
class PointsField(serializers.Field[Any, Any, Any, Any]):
    """Points of so many coordinates each: numbers within reach, no text, no NaN."""

    def __init__(self, *, coordinates: int, **also: Any) -> None:
        self.coordinates = coordinates
        super().__init__(**also)

    def to_internal_value(self, data: Any) -> list[list[float]]:
        """Return the points as floats."""
        if not isinstance(data, list) or not 1 <= len(data) <= POINTS_LIMIT:
            raise ValidationError(
                _("Give a list of 1 to %(most)d points.") % {"most": POINTS_LIMIT}
            )
        return [self._read(point, number) for number, point in enumerate(data)]

    def _read(self, point: Any, number: int) -> list[float]:
        if not isinstance(point, list) or len(point) != self.coordinates:
            raise ValidationError(
                _("Point %(number)d (from 0) must be a list of %(count)d numbers.")
                % {"number": number, "count": self.coordinates}
            )
        for value in point:
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            # NaN and infinities fail the comparison too.
            if not is_number or not abs(value) <= COORDINATE_LIMIT:
                raise ValidationError(
                    _("Point %(number)d (from 0) must have numbers from -1000000 to 1000000.")
                    % {"number": number}
                )
        return [float(value) for value in point]

    def to_representation(self, value: Any) -> Any:
        """Return the points as stored."""
        return value


class LineField(serializers.CharField):
    """One line of text without control or reordering characters."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text, cleaned."""
        if not isinstance(data, str):
            self.fail("invalid")
        return clean_line(super().to_internal_value(data))


class _Strict(serializers.Serializer[Any]):
    """A body of which every field is known; points in one of two ways."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Refuse unknown names first: a number that a client has worked out is not wanted."""
        if isinstance(data, dict):
            unknown = sorted(str(name)[:64] for name in set(data) - set(self.fields))[:10]
            if unknown:
                raise ValidationError(
                    {name: [_("This field cannot be written.")] for name in unknown}
                )
        result: dict[str, Any] = super().to_internal_value(data)
        return result

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse points in both ways."""
        if "points_px" in attrs and "points_lps_mm" in attrs:
            raise ValidationError({"points_px": [_("Give points_px or points_lps_mm, not both.")]})
        return attrs


class NewMeasurement(_Strict):
    """What is sent to measure."""

    sop_instance_uid = serializers.CharField(max_length=64)
    instance_id = serializers.UUIDField(
        required=False, help_text="Only needed where several facilities have this UID."
    )
    frame = serializers.IntegerField(min_value=0, default=0, help_text="Counted from 0.")
    kind = serializers.ChoiceField(Measurement.Kind.choices)
    points_px = PointsField(
        coordinates=2,
        required=False,
        help_text="[[column, row], …]; the centre of the first pixel is (0, 0).",
    )
    points_lps_mm = PointsField(
        coordinates=3, required=False, help_text="[[x, y, z], …] in patient space, mm."
    )
    layer = LineField(max_length=LAYER_LENGTH, allow_blank=True, default="")
    label = LineField(max_length=LABEL_LENGTH, allow_blank=True, default="")  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for points in one of the two ways."""
        attrs = super().validate(attrs)
        if "points_px" not in attrs and "points_lps_mm" not in attrs:
            raise ValidationError({"points_px": [_("Give points_px or points_lps_mm.")]})
        return attrs


class ChangedMeasurement(_Strict):
    """What can be changed; picture and kind stay."""

    version = serializers.IntegerField(min_value=1, help_text="The version that was seen.")
    points_px = PointsField(coordinates=2, required=False)
    points_lps_mm = PointsField(coordinates=3, required=False)
    layer = LineField(max_length=LAYER_LENGTH, allow_blank=True, required=False)
    label = LineField(max_length=LABEL_LENGTH, allow_blank=True, required=False)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a change that changes nothing."""
        attrs = super().validate(attrs)
        if set(attrs) <= {"version"}:
            raise ValidationError(_("Nothing to change: give points, layer or label."))
        return attrs


class MeasurementSerializer(serializers.ModelSerializer[Measurement]):
    """A measurement as the server knows it."""

    sop_instance_uid = serializers.CharField(source="instance.sop_instance_uid")
    series = serializers.UUIDField(source="instance.series_id")
    series_instance_uid = serializers.CharField(source="instance.series.series_instance_uid")
    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    points_px = PointsField(coordinates=2)
    points_lps_mm = PointsField(coordinates=3, allow_null=True)
    created_by = serializers.CharField(source="created_by.username")
    changed_by = serializers.CharField(source="changed_by.username")

    class Meta:
        model = Measurement
        fields = [
            "id", "study", "study_instance_uid", "series", "series_instance_uid", "instance",
            "sop_instance_uid", "frame", "kind", "points_px", "points_lps_mm", "value", "unit",
            "statistics", "provenance", "uncertainty", "notes", "layer", "label",
            "format_version", "version", "created_by", "created_at", "changed_by", "changed_at",
        ]  # fmt: skip
        read_only_fields = fields
