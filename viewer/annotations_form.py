"""How annotations, layers and key images read in requests and answers."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from viewer.mark_fields import (
    LAYER_LENGTH,
    TEXT_LENGTH,
    Changed,
    ColourField,
    LineField,
    LinesField,
    Look,
    NewOnFrame,
    Points,
    Strict,
    ask_for_points,
)
from viewer.measurements_form import MAKING, PLACE, DrawingSerializer, MarkSerializer
from viewer.models import Annotation, KeyImage, MarkLayer
from viewer.plane_form import NewDrawing

NOTE_LENGTH = 1000
_NEEDS_TEXT = frozenset({"text", "spine_label"})
_KNOWN_MM: dict[str, Any] = {"min_value": 0.01, "max_value": 10_000}


def _check_words(kind: str, words: dict[str, Any], attrs: dict[str, Any]) -> dict[str, Any]:
    """Return `attrs` when the words are those that this kind of annotation needs."""
    if kind in _NEEDS_TEXT and not words.get("text"):
        raise ValidationError({"text": [_("Give the text.")]})
    is_known = words.get("known_mm") is not None
    if is_known != (kind == "calibration"):
        reason = _("This is for calibration lines.") if is_known else _("Give the length in mm.")
        raise ValidationError({"known_mm": [reason]})
    return attrs


class NewAnnotation(NewDrawing, Points, Look):
    """What is sent to draw."""

    kind = serializers.ChoiceField(Annotation.Kind.choices)
    text = LinesField(max_length=TEXT_LENGTH, allow_blank=True, required=False)
    known_mm = serializers.FloatField(
        required=False, help_text="Of a calibration line: its length in mm.", **_KNOWN_MM
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for points in one of the two ways, and for what the kind needs."""
        attrs = ask_for_points(super().validate(attrs))
        return _check_words(attrs["kind"], attrs, attrs)


class ChangedAnnotation(Points, Look, Changed):
    """What can be changed; picture and kind stay."""

    text = LinesField(max_length=TEXT_LENGTH, allow_blank=True, required=False)
    known_mm = serializers.FloatField(required=False, **_KNOWN_MM)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse what would leave the annotation (`mark` of the context) without its words."""
        mark: Annotation = self.context["mark"]
        known = {"text": mark.text, "known_mm": mark.known_mm}
        return _check_words(mark.kind, {**known, **attrs}, super().validate(attrs))


class AnnotationSerializer(DrawingSerializer):
    """An annotation as the server knows it."""

    class Meta:
        model = Annotation
        fields = [
            *PLACE, "plane", "kind", "points_px", "points_lps_mm", "text", "known_mm", "layer",
            "label", "style", "is_visible", *MAKING,
        ]  # fmt: skip
        read_only_fields = fields


class NewKeyImage(NewOnFrame):
    """A frame to be found again."""

    note = LinesField(max_length=NOTE_LENGTH, allow_blank=True, required=False)


class ChangedKeyImage(Changed):
    """What can be changed of a key image."""

    note = LinesField(max_length=NOTE_LENGTH, allow_blank=True, required=False)


class KeyImageSerializer(MarkSerializer):
    """A key image as the server knows it."""

    class Meta:
        model = KeyImage
        fields = [*PLACE, "note", *MAKING]
        read_only_fields = fields


class _LayerLook(Strict):
    colour = ColourField(required=False)
    is_visible = serializers.BooleanField(required=False)
    position = serializers.IntegerField(min_value=0, max_value=999, required=False)


class NewLayer(_LayerLook):
    """How the marks of a layer shall look."""

    study = serializers.UUIDField()
    name = LineField(max_length=LAYER_LENGTH)
    colour = ColourField()


class ChangedLayer(_LayerLook, Changed):
    """What can be changed of a layer; its name stays, for marks name it."""


class LayerSerializer(serializers.ModelSerializer[MarkLayer]):
    """A layer as the server knows it."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    created_by = serializers.CharField(source="created_by.username")
    changed_by = serializers.CharField(source="changed_by.username")

    class Meta:
        model = MarkLayer
        fields = [
            "id", "study", "study_instance_uid", "name", "colour", "is_visible", "position",
            *MAKING,
        ]  # fmt: skip
        read_only_fields = fields
