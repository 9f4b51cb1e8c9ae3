"""The REST form of centrelines: docs/measurements.md."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from viewer import marks
from viewer.centreline_models import Centreline
from viewer.mark_api import KeptDetail, KeptList, KeptRestore, KeptView, describe, find_series
from viewer.mark_fields import Changed, PointsField, Strict
from viewer.measurements_form import MAKING

POINTS_LIMIT = 500
WIDEST_MM, THICKEST_MM = 500.0, 200.0


class SlabForm(Strict):
    """How deep the picture along the line looks."""

    mode = serializers.ChoiceField(choices=("thin", "mip", "minip", "mean"))
    thickness_mm = serializers.FloatField(min_value=0.5, max_value=THICKEST_MM)


class _Line(Strict):
    form = serializers.ChoiceField(Centreline.Form.choices, required=False)
    width_mm = serializers.FloatField(min_value=1.0, max_value=WIDEST_MM, required=False)
    angle_deg = serializers.FloatField(min_value=-180.0, max_value=180.0, required=False)
    slab = SlabForm(required=False)

    def validate_points_lps_mm(self, points: list[list[float]]) -> list[list[float]]:
        """Refuse more points than a line has."""
        if len(points) > POINTS_LIMIT:
            words = _("Give a list of 1 to %(most)d points.")
            raise ValidationError(words % {"most": POINTS_LIMIT})
        return points


class NewCentreline(_Line):
    """What is sent to keep a line; a reader has one a series."""

    series_instance_uid = serializers.CharField(max_length=64, required=False)
    series_id = serializers.UUIDField(required=False)
    points_lps_mm = PointsField(coordinates=3, help_text="[[x, y, z], …], 1 to 500 points.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for a series."""
        attrs = super().validate(attrs)
        if "series_id" not in attrs and "series_instance_uid" not in attrs:
            raise ValidationError({"series_id": [_("Name the series.")]})
        return attrs


class ChangedCentreline(_Line, Changed):
    """What can be changed; the series stays."""

    points_lps_mm = PointsField(coordinates=3, required=False)


class CentrelineSerializer(serializers.ModelSerializer[Centreline]):
    """A line as the server knows it."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    series_instance_uid = serializers.CharField(source="series.series_instance_uid")
    created_by = serializers.CharField(source="created_by.username")
    changed_by = serializers.CharField(source="changed_by.username")

    class Meta:
        model = Centreline
        fields = [
            "id", "study", "study_instance_uid", "series", "series_instance_uid",
            "points_lps_mm", "form", "width_mm", "angle_deg", "slab", *MAKING,
        ]  # fmt: skip
        read_only_fields = fields


_WORDS = describe("centreline", NewCentreline, ChangedCentreline, CentrelineSerializer)


class CentrelineFilter(filters.FilterSet):
    """What the list can be narrowed by."""

    study = filters.UUIDFilter(field_name="study_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")
    series = filters.UUIDFilter(field_name="series_id")
    series_instance_uid = filters.CharFilter(field_name="series__series_instance_uid")
    mine = filters.BooleanFilter(method="of_person", help_text="Those of the person who asks.")

    def of_person(self, rows: QuerySet[Any], _name: str, value: bool) -> QuerySet[Any]:
        """Narrow to the person's own lines, or to those of others."""
        own = {"created_by": self.request.user}
        return rows.filter(**own) if value else rows.exclude(**own)


class _Centrelines(KeptView):
    model = Centreline
    answer = CentrelineSerializer

    def visible(self, *, deleted: bool = False) -> QuerySet[Any]:
        """Return the visible rows with their series."""
        return super().visible(deleted=deleted).select_related("series")


@extend_schema_view(get=_WORDS["list"], post=_WORDS["create"])
class CentrelineList(_Centrelines, KeptList):
    """The lines that the person may see."""

    filterset_class: Any = CentrelineFilter

    def post(self, request: Request) -> Response:
        """Keep a line; the reader has one a series."""
        form = NewCentreline(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        series = find_series(request, facts)
        author = self.author()
        self.wanted = {"series": series, "created_by": author.user}
        columns = {
            name: value
            for name, value in facts.items()
            if name not in ("series_id", "series_instance_uid")
        }
        row = marks.create(author, Centreline, series.study_id, {**columns, "series": series})
        return Response(CentrelineSerializer(row).data, status=201)


@extend_schema_view(get=_WORDS["detail"], patch=_WORDS["change"], delete=_WORDS["delete"])
class CentrelineDetail(_Centrelines, KeptDetail):
    """One line."""

    changed_form = ChangedCentreline


@extend_schema_view(post=_WORDS["restore"])
class CentrelineRestore(_Centrelines, KeptRestore):
    """A deleted line."""


urlpatterns: list[URLPattern | URLResolver] = [
    path("centrelines/", CentrelineList.as_view(), name="centreline-list"),
    path("centrelines/<uuid:mark_id>/", CentrelineDetail.as_view(), name="centreline-detail"),
    path(
        "centrelines/<uuid:mark_id>/restore/",
        CentrelineRestore.as_view(),
        name="centreline-restore",
    ),
]
