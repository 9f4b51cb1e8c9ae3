"""What requests to the file interface may say."""

from __future__ import annotations

from datetime import date
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imaging.lut import Window
from imaging.text import parse_date
from viewer.parameters import ParameterError, parse_window

FILES_LIMIT = 1000
FILES_USUAL = 100
TEXT_LENGTH = 200


@extend_schema_field(OpenApiTypes.STR)
class DayField(serializers.Field[date, str, str, Any]):
    """A day as DICOM or as ISO 8601 writes it: 20251106, 2025-11-06."""

    def to_internal_value(self, data: str) -> date:
        """Return the day."""
        found, _ = parse_date(data)
        if found is None or len(data) > 10:
            raise serializers.ValidationError("Write a day as 20251106 or 2025-11-06.")
        return found

    def to_representation(self, value: date) -> str:
        """Return the day as DICOM writes it."""
        return f"{value:%Y%m%d}"


class ListForm(serializers.Serializer[Any]):
    """What the list is narrowed by; all conditions must hold. An empty one is none."""

    patient_id = serializers.CharField(required=False, max_length=TEXT_LENGTH)
    patient_name = serializers.CharField(required=False, max_length=TEXT_LENGTH)
    modality = serializers.CharField(required=False, max_length=16)
    study_date_from = DayField(required=False)
    study_date_to = DayField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=FILES_LIMIT, default=FILES_USUAL)


class ImageForm(serializers.Serializer[Any]):
    """How the picture is wanted."""

    format = serializers.ChoiceField(["png", "jpeg"], default="png")
    quality = serializers.IntegerField(min_value=1, max_value=100, default=90)
    frame = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    window = serializers.CharField(required=False, max_length=TEXT_LENGTH)

    def validate_window(self, text: str) -> Window | None:
        """Return the window of `centre,width`."""
        try:
            return parse_window(text)
        except ParameterError as error:
            raise serializers.ValidationError(str(error).removeprefix("window: ")) from None


class SummaryForm(serializers.Serializer[Any]):
    """Which sections the summary has."""

    include_patient_info = serializers.BooleanField(default=True)
    include_study_info = serializers.BooleanField(default=True)
    include_technical_params = serializers.BooleanField(default=True)
