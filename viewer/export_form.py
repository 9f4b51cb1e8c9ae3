"""What a request for an export may say, parsed strictly."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from imaging.deidentify import CLEAN, KEEP, REMOVE, SHIFT
from imaging.presets import EVERY_PRESET
from viewer.export_fusion import FusionForm
from viewer.looks import parse_colour_map, parse_filters
from viewer.mark_fields import Strict
from viewer.parameters import ParameterError, parse_window

PNG, JPEG, TIFF, MP4, GIF, PDF, PRINT, DICOM = (
    "png", "jpeg", "tiff", "mp4", "gif", "pdf", "print", "dicom",
)  # fmt: skip
FORMS = (PNG, JPEG, TIFF, MP4, GIF, PDF, PRINT, DICOM)
# Made by a worker, because nothing can be sent before all is made.
BY_JOB = frozenset({MP4, GIF, PDF})
# Pictures an export holds at most.
PICTURES_LIMIT = {PNG: 5000, JPEG: 5000, TIFF: 5000, MP4: 3000, GIF: 500, PDF: 600, PRINT: 200}
OBJECTS_LIMIT = 20_000
SERIES_LIMIT = 500
FRAMES_A_SECOND = (0.1, 120.0)
SHEET_LIMIT = 6
_PRESETS = frozenset(preset.code for preset in EVERY_PRESET)
_LOOK = ("window", "preset", "enhance", "colormap", "invert", "overlays", "shutter")


class ExportImagesForm(Strict):
    """One object, and which of its frames."""

    instance = serializers.UUIDField()
    frames = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=1_000_000),
        required=False,
        min_length=1,
        max_length=PICTURES_LIMIT[PNG],
        help_text="Counted from 0; all when left out.",
    )


class PictureLookForm(Strict):
    """As the parameters of a rendered picture."""

    window = serializers.CharField(required=False, max_length=40)
    preset = serializers.CharField(required=False, max_length=40)
    enhance = serializers.CharField(required=False, max_length=100)
    colormap = serializers.CharField(required=False, max_length=40)
    invert = serializers.ChoiceField(["0", "1"], required=False)
    overlays = serializers.ChoiceField(["0", "1"], required=False)
    shutter = serializers.ChoiceField(["0", "1"], required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse now what no picture could be drawn with."""
        attrs = super().validate(attrs)
        try:
            if attrs.get("window") != "auto":
                parse_window(attrs.get("window"))
            parse_filters(attrs.get("enhance"))
            parse_colour_map(attrs.get("colormap"))
        except ParameterError as error:
            raise ValidationError(str(error)) from error
        if "preset" in attrs and ("window" in attrs or attrs["preset"] not in _PRESETS):
            raise ValidationError({"preset": [_("Give a known preset, or a window.")]})
        return attrs


class DeidentifyForm(Strict):
    """What is retained beyond the Basic Profile."""

    dates = serializers.ChoiceField([REMOVE, SHIFT, KEEP], default=REMOVE)
    descriptions = serializers.ChoiceField([REMOVE, CLEAN], default=REMOVE)
    characteristics = serializers.BooleanField(default=False)
    burned_in = serializers.ChoiceField(
        ["refuse", "leave_out", "accept"],
        default="refuse",
        help_text="What to do where pixels may show a name.",
    )


class ExportForm(Strict):
    """One of `study`, `series` and `images`, all of one study, and what is made of them."""

    study = serializers.UUIDField(required=False)
    series = serializers.ListField(
        child=serializers.UUIDField(), required=False, min_length=1, max_length=SERIES_LIMIT
    )
    images = serializers.ListField(
        child=ExportImagesForm(), required=False, min_length=1, max_length=PICTURES_LIMIT[PNG]
    )
    key_images = serializers.BooleanField(default=False, help_text="Only frames marked as key.")
    format = serializers.ChoiceField(FORMS)
    look = PictureLookForm(required=False)
    fusion = FusionForm(required=False, allow_null=True)
    marks = serializers.BooleanField(
        default=True, help_text="Letters, scale, measurements and annotations."
    )
    demographics = serializers.BooleanField(
        default=False, help_text="Who and when, in the corners; the heading of sheets."
    )
    deidentify = DeidentifyForm(required=False, allow_null=True)
    frames_per_second = serializers.FloatField(
        required=False, min_value=FRAMES_A_SECOND[0], max_value=FRAMES_A_SECOND[1]
    )
    columns = serializers.IntegerField(default=2, min_value=1, max_value=SHEET_LIMIT)
    rows = serializers.IntegerField(default=3, min_value=1, max_value=SHEET_LIMIT)
    longest_px = serializers.IntegerField(required=False, min_value=64, max_value=4096)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse two sources, none, and names on what is to be de-identified."""
        attrs = super().validate(attrs)
        sources = [name for name in ("study", "series", "images") if name in attrs]
        if len(sources) != 1:
            raise ValidationError({"study": [_("Give one of study, series and images.")]})
        if attrs.get("deidentify") and attrs["demographics"]:
            raise ValidationError(
                {"demographics": [_("De-identified pictures carry no demographics.")]}
            )
        return attrs


def look_of(wish: dict[str, Any]) -> dict[str, str]:
    """Return the look as `viewer.looks.parse_rendering` reads it."""
    look = wish.get("look") or {}
    return {name: str(look[name]) for name in _LOOK if name in look}
