"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api_pages import KeyPages
from accounts.etags import Tagged
from archive import instance_api, news_views, study_api
from archive.models import Series
from archive.passport import is_current, read_passport
from archive.passport_schema import PassportSerializer
from archive.study_api import record_search
from archive.viewing import ensure_view_recorded

_MISSING = {404: OpenApiResponse(description="It is not there, or belongs to another facility.")}
_SUMMARY = ("is_volume", "slice_count", "missing_count", "slice_spacing_mm", "tilt_deg", "badges")


class SeriesSerializer(serializers.ModelSerializer[Series]):
    """A series with a summary of its passport."""

    study_instance_uid = serializers.CharField(source="study.study_instance_uid")
    passport = serializers.SerializerMethodField()

    class Meta:
        model = Series
        fields = [
            "id", "study", "study_instance_uid", "series_instance_uid", "series_number",
            "modality", "series_description", "body_part_examined", "laterality",
            "protocol_name", "frame_of_reference_uid", "instance_count", "frame_count",
            "size_bytes", "last_received_at", "passport",
        ]  # fmt: skip

    @extend_schema_field(serializers.DictField(allow_null=True))
    def get_passport(self, series: Series) -> dict[str, Any] | None:
        """Return the most asked facts of the passport; null while none was made."""
        if series.passport is None:
            return None
        facts = {name: series.passport.get(name) for name in _SUMMARY}
        return {**facts, "is_current": is_current(series)}


class SeriesFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    series_instance_uid = filters.CharFilter()
    study = filters.UUIDFilter(field_name="study_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")
    modality = filters.CharFilter()


class ByKey(KeyPages):
    """Pages by key: newest first, at the same cost however deep."""

    max_page_size = 500


class SeriesList(ListAPIView[Series]):
    """The series that the person may see."""

    serializer_class = SeriesSerializer
    filterset_class = SeriesFilter
    pagination_class = ByKey

    def get_queryset(self) -> QuerySet[Series]:
        """Return the visible series."""
        return Series.objects.visible_to(self.request.user).select_related("study")

    @extend_schema(operation_id="series_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return series, newest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        record_search(request)
        return answer


class SeriesDetail(Tagged):
    """One series."""

    @extend_schema(operation_id="series_detail", responses={200: SeriesSerializer, **_MISSING})
    def get(self, request: Request, series_id: uuid.UUID) -> Response:
        """Return one series with a summary of its passport."""
        return Response(SeriesSerializer(_find_series(request, series_id)).data)


class Passport(APIView):
    """What a series is good for."""

    @extend_schema(
        operation_id="series_passport",
        responses={
            200: PassportSerializer,
            503: OpenApiResponse(description="Too many are being made; come again."),
            **_MISSING,
        },
    )
    def get(self, request: Request, series_id: uuid.UUID) -> Response:
        """Return the whole passport; one that is missing or out of date is made now."""
        response = Response(read_passport(_find_series(request, series_id)))
        response["Cache-Control"] = "private, no-cache"
        return response


def _find_series(request: Request, series_id: uuid.UUID) -> Series:
    """Return a series that the person may see, and write the trail."""
    visible = Series.objects.visible_to(request.user).select_related("study__patient")
    series = visible.filter(pk=series_id).first()
    if series is None:
        raise NotFound(_("Not found."), "not_found")
    ensure_view_recorded(request._request, series.study)
    return series


urlpatterns: list[URLPattern | URLResolver] = [
    *study_api.urlpatterns,
    *instance_api.urlpatterns,
    path("events/", news_views.stream_events, name="events"),
    path("series/", SeriesList.as_view(), name="series-list"),
    path("series/<uuid:series_id>/", SeriesDetail.as_view(), name="series-detail"),
    path("series/<uuid:series_id>/passport/", Passport.as_view(), name="series-passport"),
]
