"""How hanging protocols read in requests and answers; everything has a bound and a word."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from viewer.mark_fields import Changed, LineField, Strict
from viewer.models import HangingProtocol

MOST_LINES = 5
MOST_PRIORS = 4
_LETTERS = r"^[LRAPHF]$"


class RulesSerializer(Strict):
    """Which studies a protocol is for; what is left out does not matter."""

    modality = LineField(max_length=16)
    body_part = LineField(max_length=64, required=False)
    laterality = LineField(max_length=16, required=False)
    view = LineField(max_length=16, required=False)
    description = LineField(max_length=64, required=False)
    priors = serializers.IntegerField(min_value=0, max_value=MOST_PRIORS, required=False)


class FindSerializer(Strict):
    """What a pane shows: the `place`-th series or view that is as said here."""

    modality = LineField(max_length=16, required=False)
    body_part = LineField(max_length=64, required=False)
    description = LineField(max_length=64, required=False)
    laterality = LineField(max_length=16, required=False)
    view = LineField(max_length=16, required=False)
    plane = LineField(max_length=16, required=False)
    prior = serializers.IntegerField(min_value=0, max_value=MOST_PRIORS, required=False)
    place = serializers.IntegerField(min_value=0, max_value=999, required=False)


class OrientSerializer(Strict):
    """What must lie at the right and at the bottom, as letters of the patient."""

    right = serializers.RegexField(_LETTERS)
    bottom = serializers.RegexField(_LETTERS)


class WindowSerializer(Strict):
    """A window in the values of the pictures."""

    center = serializers.FloatField(min_value=-1e9, max_value=1e9)
    width = serializers.FloatField(min_value=1e-9, max_value=1e9)


class SlabSerializer(Strict):
    """How deep a plane looks."""

    mode = serializers.ChoiceField(choices=("thin", "mip", "minip", "mean"))
    thickness_mm = serializers.FloatField(min_value=0.5, max_value=200)


class BodySerializer(Strict):
    """How a volume is seen as a body: a preset's code, and whether it turns by itself."""

    preset = serializers.RegexField(r"^[a-z_]{1,32}$")
    turning = serializers.BooleanField(required=False)


class PaneSerializer(Strict):
    """One pane."""

    find = FindSerializer(required=False)
    over = FindSerializer(required=False)
    orient = OrientSerializer(required=False)
    align = serializers.ChoiceField(choices=("left", "right"), required=False)
    group = serializers.RegexField(r"^[a-z0-9-]{1,20}$", required=False)
    window = WindowSerializer(required=False)
    shows = serializers.ChoiceField(
        choices=("plane", "volume"), required=False, help_text="Its images when left out."
    )
    plane = serializers.ChoiceField(choices=("axial", "coronal", "sagittal"), required=False)
    slab = SlabSerializer(required=False)
    body = BodySerializer(required=False)


class LinksSerializer(Strict):
    """What the panes do together."""

    scroll = serializers.BooleanField(required=False)
    window = serializers.BooleanField(required=False)
    zoom = serializers.BooleanField(required=False)
    lines = serializers.BooleanField(required=False)


class LayoutSerializer(Strict):
    """The grid, its panes row by row, and their links."""

    rows = serializers.IntegerField(min_value=1, max_value=MOST_LINES)
    columns = serializers.IntegerField(min_value=1, max_value=MOST_LINES)
    panes = serializers.ListField(child=PaneSerializer(), max_length=MOST_LINES**2)
    links = LinksSerializer(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse panes for which the grid has no place."""
        if len(attrs["panes"]) > attrs["rows"] * attrs["columns"]:
            raise ValidationError({"panes": [_("More panes than the grid has places.")]})
        return attrs


class NewHanging(Strict):
    """A new protocol; without a facility it is the person's own."""

    name = LineField(max_length=100)
    facility = LineField(
        max_length=64, required=False, help_text="Its code; for everybody of that facility."
    )
    rules = RulesSerializer()
    layout = LayoutSerializer()


class ChangedHanging(Changed):
    """A change of the version that was seen."""

    name = LineField(max_length=100, required=False)
    rules = RulesSerializer(required=False)
    layout = LayoutSerializer(required=False)


class HangingAnswer(serializers.ModelSerializer[HangingProtocol]):
    """A protocol as it is kept."""

    facility = serializers.CharField(source="facility.code", default="", read_only=True)
    is_own = serializers.SerializerMethodField()

    class Meta:
        model = HangingProtocol
        fields = (
            "id",
            "name",
            "is_own",
            "facility",
            "rules",
            "layout",
            "format_version",
            "version",
            "changed_at",
        )

    def get_is_own(self, row: HangingProtocol) -> bool:
        """Whether it is one person's, the one's who reads it."""
        return row.owner_id is not None
