"""How a reader's preferences read in requests and answers; everything has a bound and a word."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from viewer.mark_fields import LineField, Strict

# The form of the document, as docs/preferences.md tells it. What an older form lacks has its
# default; whoever changes the meaning of a field counts on and reads both.
FORMAT = 1

DRAG_TOOLS = ("window", "scroll", "zoom", "pan")
WHEEL_WAYS = ("scroll", "zoom")
CORNERS = ("top_left", "top_right", "bottom_left", "bottom_right")
CORNER_FIELDS = (
    "patient_name",
    "patient_id",
    "patient_birth_date",
    "patient_sex",
    "patient_age",
    "facility",
    "study_date",
    "study_description",
    "accession_number",
    "series",
    "series_description",
    "body_part_examined",
    "image",
    "window_name",
    "window",
    "zoom",
    "slice_thickness",
    "slice_position",
    "matrix",
)
MOST_COMMANDS = 300
MOST_KEYS = 4
MOST_PRESETS = 50
MOST_PROFILES = 20
MOST_LINES = 12

_COMMAND = re.compile(r"[a-z][a-z0-9-]{0,59}")
_MODALITY = re.compile(r"[A-Z0-9]{1,16}|\*")


class KeysField(serializers.Field[Any, Any, Any, Any]):
    """Commands and the keys that call them; a key calls one command."""

    def to_internal_value(self, data: Any) -> dict[str, list[str]]:
        """Return the commands with their keys."""
        if not isinstance(data, dict) or len(data) > MOST_COMMANDS:
            raise ValidationError(_("Give an object of commands and their keys."))
        owners: dict[str, str] = {}
        for command, keys in data.items():
            self._check(command, keys)
            for key in keys:
                if key in owners:
                    raise ValidationError(
                        _("The key %(key)s is given to %(one)s and to %(other)s.")
                        % {"key": key, "one": owners[key], "other": command}
                    )
                owners[key] = command
        return data

    def _check(self, command: str, keys: Any) -> None:
        if not _COMMAND.fullmatch(command):
            raise ValidationError(_("A command's name is lower-case letters, digits and dashes."))
        is_list = isinstance(keys, list) and len(keys) <= MOST_KEYS
        if not is_list or not all(_is_key(key) for key in keys):
            raise ValidationError(
                _("%(command)s: give at most %(most)d keys as the browser names them.")
                % {"command": command, "most": MOST_KEYS}
            )

    def to_representation(self, value: Any) -> Any:
        """Return the keys as stored."""
        return value


def _is_key(key: Any) -> bool:
    return isinstance(key, str) and 1 <= len(key) <= 20 and key.isprintable()


class CornersField(serializers.Field[Any, Any, Any, Any]):
    """What stands in the corners, by modality; `*` is for all others."""

    def to_internal_value(self, data: Any) -> dict[str, dict[str, list[str]]]:
        """Return the profiles."""
        if not isinstance(data, dict) or len(data) > MOST_PROFILES:
            raise ValidationError(_("Give an object of modalities and their corners."))
        for modality, corners in data.items():
            if not _MODALITY.fullmatch(modality):
                raise ValidationError(_("A profile is named by its modality, or * for all others."))
            if not isinstance(corners, dict) or not set(corners) <= set(CORNERS):
                raise ValidationError(
                    _("The corners are %(names)s.") % {"names": ", ".join(CORNERS)}
                )
            for lines in corners.values():
                self._check(lines)
        return data

    def _check(self, lines: Any) -> None:
        if not isinstance(lines, list) or len(lines) > MOST_LINES:
            raise ValidationError(_("A corner has at most %(most)d lines.") % {"most": MOST_LINES})
        if not all(line in CORNER_FIELDS for line in lines):
            raise ValidationError(
                _("A corner's lines are %(names)s.") % {"names": ", ".join(CORNER_FIELDS)}
            )

    def to_representation(self, value: Any) -> Any:
        """Return the corners as stored."""
        return value


class MouseSerializer(Strict):
    """What the buttons and the wheel do when nothing else is chosen."""

    left = serializers.ChoiceField(choices=DRAG_TOOLS, required=False)
    middle = serializers.ChoiceField(choices=DRAG_TOOLS, required=False)
    right = serializers.ChoiceField(choices=DRAG_TOOLS, required=False)
    wheel = serializers.ChoiceField(choices=WHEEL_WAYS, required=False)
    is_wheel_reversed = serializers.BooleanField(required=False)


class PresetSerializer(Strict):
    """A window of the reader's own."""

    label = LineField(max_length=60)  # type: ignore[assignment]
    modality = serializers.RegexField(_MODALITY, required=False, default="*")
    center = serializers.FloatField(min_value=-1e9, max_value=1e9)
    width = serializers.FloatField(min_value=1e-9, max_value=1e9)


class MarksSerializer(Strict):
    """How marks are drawn."""

    colour = serializers.RegexField(r"^#[0-9a-f]{6}$", required=False)
    text_px = serializers.IntegerField(min_value=10, max_value=28, required=False)
    line_px = serializers.FloatField(min_value=0.5, max_value=6, required=False)


class CineSerializer(Strict):
    """How films run that say nothing of their speed."""

    frames_per_second = serializers.IntegerField(min_value=1, max_value=60, required=False)
    loops = serializers.BooleanField(required=False)


class PreferencesDocument(Strict):
    """Everything a reader may set; what is left out is as the house has it."""

    keys = KeysField(required=False)
    mouse = MouseSerializer(required=False)
    presets = serializers.ListField(
        child=PresetSerializer(), required=False, max_length=MOST_PRESETS
    )
    corners = CornersField(required=False)
    marks = MarksSerializer(required=False)
    cine = CineSerializer(required=False)
    smooth = serializers.BooleanField(required=False)
    is_compact = serializers.BooleanField(required=False)


class PreferencesForm(Strict):
    """A new document, and the version that it replaces."""

    version = serializers.IntegerField(
        min_value=0, help_text="As last read; 0 when nothing was ever set."
    )
    document = PreferencesDocument()
