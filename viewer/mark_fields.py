"""What requests about marks may hold: points, words, colours. A slip is named by its field."""

from __future__ import annotations

import re
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from imaging.text import clean_line

POINTS_LIMIT = 1024
# Millimetres or pixels: no picture and no patient reaches farther.
COORDINATE_LIMIT = 1e6
LABEL_LENGTH = 200
LAYER_LENGTH = 64
TEXT_LENGTH = 2000

_POINTS_SCHEMA = {
    "type": "array",
    "maxItems": POINTS_LIMIT,
    "items": {"type": "array", "items": {"type": "number"}},
}
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_LINES = ("solid", "dashed", "dotted")
# Least and most of each number of a style.
_STYLE_NUMBERS = {"line_width": (0.5, 20.0), "font_size": (6.0, 96.0), "fill_opacity": (0.0, 1.0)}
_FINDING_LENGTHS = {"value": 64, "scheme": 16, "meaning": 64}


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
            # NaN and infinities fail the comparison too.
            if not _is_number(value) or not abs(value) <= COORDINATE_LIMIT:
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


class LinesField(LineField):
    """Several lines of such text."""

    def to_internal_value(self, data: Any) -> str:
        """Return the lines, each cleaned."""
        if not isinstance(data, str):
            self.fail("invalid")
        text = serializers.CharField.to_internal_value(self, data)
        return "\n".join(clean_line(line) for line in text.splitlines()).strip()


class ColourField(serializers.CharField):
    """A colour as #rrggbb."""

    def to_internal_value(self, data: Any) -> str:
        """Return the colour in small letters."""
        if not isinstance(data, str) or not _COLOUR.fullmatch(data):
            raise ValidationError(_("Give a colour as #rrggbb."))
        return data.lower()


@extend_schema_field(
    {
        "type": "object",
        "properties": {
            "colour": {"type": "string", "pattern": "^#[0-9a-fA-F]{6}$"},
            "line": {"type": "string", "enum": list(_LINES)},
            **{
                name: {"type": "number", "minimum": least, "maximum": most}
                for name, (least, most) in _STYLE_NUMBERS.items()
            },
        },
        "additionalProperties": False,
    }
)
class StyleField(serializers.Field[Any, Any, Any, Any]):
    """How a mark looks where it differs from its layer."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Return the style with nothing in it that is not known."""
        if not isinstance(data, dict):
            raise ValidationError(_("Give an object."))
        for name, value in data.items():
            if not self._is_right(name, value):
                raise ValidationError(_("%(name)s cannot be this.") % {"name": str(name)[:64]})
        return {name: value.lower() if name == "colour" else value for name, value in data.items()}

    def _is_right(self, name: Any, value: Any) -> bool:
        if name == "colour":
            return isinstance(value, str) and _COLOUR.fullmatch(value) is not None
        if name == "line":
            return value in _LINES
        least, most = _STYLE_NUMBERS.get(name, (1.0, 0.0))
        return _is_number(value) and least <= value <= most

    def to_representation(self, value: Any) -> Any:
        """Return the style as stored."""
        return value


@extend_schema_field(
    {
        "type": "object",
        "properties": {
            name: {"type": "string", "maxLength": most} for name, most in _FINDING_LENGTHS.items()
        },
    }
)
class FindingField(serializers.Field[Any, Any, Any, Any]):
    """A coded finding (PS3.3 8.8): value, coding scheme and meaning; empty for none."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        """Return the code, cleaned."""
        if data == {}:
            return {}
        if not isinstance(data, dict) or set(data) != set(_FINDING_LENGTHS):
            raise ValidationError(_("Give value, scheme and meaning, or {}."))
        found = {name: clean_line(text) if isinstance(text, str) else "" for name, text in
                 data.items()}  # fmt: skip
        if any(not 0 < len(found[name]) <= most for name, most in _FINDING_LENGTHS.items()):
            raise ValidationError(
                _("Value and meaning have 1 to 64 characters, the scheme 1 to 16.")
            )
        if any("\\" in text for text in found.values()):
            raise ValidationError(_("A code has no backslash."))
        return found

    def to_representation(self, value: Any) -> Any:
        """Return the code as stored."""
        return value


class Strict(serializers.Serializer[Any]):
    """A body of which every field is known."""

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


class Changed(Strict):
    """What may be changed of the version that was seen."""

    version = serializers.IntegerField(min_value=1, help_text="The version that was seen.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a change that changes nothing."""
        attrs = super().validate(attrs)
        if set(attrs) <= {"version"}:
            raise ValidationError(_("Nothing to change."))
        return attrs


class NewOnFrame(Strict):
    """What names the frame of a new mark."""

    sop_instance_uid = serializers.CharField(max_length=64)
    instance_id = serializers.UUIDField(
        required=False, help_text="Only needed where several facilities have this UID."
    )
    frame = serializers.IntegerField(min_value=0, default=0, help_text="Counted from 0.")


class Points(Strict):
    """Points in one of two ways."""

    points_px = PointsField(
        coordinates=2,
        required=False,
        help_text="[[column, row], …]; the centre of the first pixel is (0, 0).",
    )
    points_lps_mm = PointsField(
        coordinates=3, required=False, help_text="[[x, y, z], …] in patient space, mm."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse points in both ways, and in none when they are all that is."""
        attrs = super().validate(attrs)
        if "points_px" in attrs and "points_lps_mm" in attrs:
            raise ValidationError({"points_px": [_("Give points_px or points_lps_mm, not both.")]})
        return attrs


class Look(Strict):
    """Layer, label, style, visibility: what measurements and annotations share."""

    layer = LineField(max_length=LAYER_LENGTH, allow_blank=True, required=False)
    label = LineField(max_length=LABEL_LENGTH, allow_blank=True, required=False)  # type: ignore[assignment]
    style = StyleField(required=False)  # type: ignore[assignment]
    is_visible = serializers.BooleanField(required=False)


def ask_for_points(attrs: dict[str, Any]) -> dict[str, Any]:
    """Refuse a new mark without points."""
    if "points_px" not in attrs and "points_lps_mm" not in attrs:
        raise ValidationError({"points_px": [_("Give points_px or points_lps_mm.")]})
    return attrs


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
