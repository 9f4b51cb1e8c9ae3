"""The REST form of measurements: `/api/v1/measurements/`, docs/measurements.md."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Instance
from archive.viewing import ensure_view_recorded
from imaging.measure_plane import MeasureError
from viewer import measurements
from viewer.measurements import Author, Shape
from viewer.measurements_form import (
    ChangedMeasurement,
    MeasurementSerializer,
    NewMeasurement,
    PlainJSONParser,
)
from viewer.models import Measurement

_PROBLEMS = {
    400: OpenApiResponse(description="A field is wrong; `errors` says which and why."),
    403: OpenApiResponse(description="The role reads only."),
    404: OpenApiResponse(description="It is not there, or belongs to another facility."),
}
_PICTURE = {
    422: OpenApiResponse(description="The file is damaged or has no picture to measure on."),
    503: OpenApiResponse(description="Too much is wanted at once; come again."),
}
_CONFLICT = {409: OpenApiResponse(description="Somebody has changed it: read it again.")}


class MayMeasure(BasePermission):
    """Everybody reads what they may see; some roles write."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the role may do this to anything at all."""
        return request.method in SAFE_METHODS or measurements.may_measure(request.user)


class _MeasurementView(APIView):
    permission_classes = [IsAuthenticated, MayMeasure]
    parser_classes = [PlainJSONParser]

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Let nobody keep the answer."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "private, no-store"
        return answer


class MeasurementFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    study = filters.UUIDFilter(field_name="study_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")
    series = filters.UUIDFilter(field_name="instance__series_id")
    series_instance_uid = filters.CharFilter(field_name="instance__series__series_instance_uid")
    sop_instance_uid = filters.CharFilter(field_name="instance__sop_instance_uid")


class InOrder(CursorPagination):
    """Pages in the order in which measurements were taken."""

    page_size = 200
    page_size_query_param = "page_size"
    max_page_size = 1000
    ordering = "id"


class MeasurementList(_MeasurementView, ListAPIView[Measurement]):
    """The measurements that the person may see."""

    serializer_class = MeasurementSerializer
    filterset_class = MeasurementFilter
    pagination_class = InOrder

    def get_queryset(self) -> QuerySet[Measurement]:
        """Return the visible measurements that nobody deleted."""
        return _visible(self.request)

    @extend_schema(operation_id="measurement_list")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return measurements, oldest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        asked = {name: value for name, value in request.query_params.items() if value}
        author = _author(request)
        record_for_user(author.user, "search", address=author.address, detail=asked)
        return answer

    @extend_schema(
        operation_id="measurement_create",
        request=NewMeasurement,
        responses={201: MeasurementSerializer, **_PROBLEMS, **_PICTURE},
    )
    def post(self, request: Request) -> Response:
        """Measure: the server works out all numbers from the stored pixels."""
        form = NewMeasurement(data=request.data)
        form.is_valid(raise_exception=True)
        facts = form.validated_data
        instance = _find_instance(request, facts)
        count = max(instance.number_of_frames, 1)
        if facts["frame"] >= count:
            raise ValidationError(
                {"frame": [_("This image has %(count)d frames, from 0.") % {"count": count}]}
            )
        shape = _shape(facts, facts["kind"])
        assert shape is not None
        words = {"layer": facts["layer"], "label": facts["label"]}
        try:
            mark = measurements.create(_author(request), instance, facts["frame"], shape, words)
        except MeasureError as error:
            raise _refuse(shape, error) from error
        return Response(MeasurementSerializer(mark).data, status=201)


class MeasurementDetail(_MeasurementView):
    """One measurement."""

    @extend_schema(
        operation_id="measurement_detail", responses={200: MeasurementSerializer, **_PROBLEMS}
    )
    def get(self, request: Request, measurement_id: uuid.UUID) -> Response:
        """Return one measurement."""
        mark = _find(request, measurement_id)
        ensure_view_recorded(request._request, mark.study)
        return Response(MeasurementSerializer(mark).data)

    @extend_schema(
        operation_id="measurement_change",
        request=ChangedMeasurement,
        responses={200: MeasurementSerializer, **_PROBLEMS, **_CONFLICT, **_PICTURE},
    )
    def patch(self, request: Request, measurement_id: uuid.UUID) -> Response:
        """Change points, layer or label of the version that was seen; numbers follow."""
        mark = _find(request, measurement_id)
        form = ChangedMeasurement(data=request.data)
        form.is_valid(raise_exception=True)
        facts = form.validated_data
        shape = _shape(facts, mark.kind)
        words = {name: facts[name] for name in ("layer", "label") if name in facts}
        try:
            mark = measurements.change(_author(request), mark, facts["version"], shape, words)
        except MeasureError as error:
            assert shape is not None
            raise _refuse(shape, error) from error
        return Response(MeasurementSerializer(mark).data)

    @extend_schema(
        operation_id="measurement_delete",
        parameters=[
            OpenApiParameter("version", int, description="The version that was seen; optional.")
        ],
        responses={204: None, **_PROBLEMS, **_CONFLICT},
    )
    def delete(self, request: Request, measurement_id: uuid.UUID) -> Response:
        """Delete; the row stays, with who and when."""
        mark = _find(request, measurement_id)
        text = request.query_params.get("version", "")
        if text and not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValidationError({"version": [_("Give a whole number.")]})
        measurements.delete(_author(request), mark, int(text) if text else None)
        return Response(status=204)


def _visible(request: Request) -> QuerySet[Measurement]:
    rows = Measurement.objects.visible_to(request.user).present()
    return rows.select_related(
        "study__patient", "instance__series", "created_by", "changed_by"
    ).defer("instance__frame_table")


def _find(request: Request, measurement_id: uuid.UUID) -> Measurement:
    mark = _visible(request).filter(pk=measurement_id).first()
    if mark is None:
        raise NotFound(_("Not found."), "not_found")
    return mark


def _find_instance(request: Request, facts: dict[str, Any]) -> Instance:
    """Return the image; facilities may each have one of the same UID."""
    rows = Instance.objects.visible_to(request.user).select_related("series")
    rows = rows.filter(sop_instance_uid=facts["sop_instance_uid"])
    if "instance_id" in facts:
        rows = rows.filter(pk=facts["instance_id"])
    found = list(rows[:2])
    if not found:
        raise NotFound(_("Not found."), "not_found")
    if len(found) > 1:
        raise ValidationError(
            {"instance_id": [_("Several facilities have this image: say which one.")]}
        )
    return found[0]


def _shape(facts: dict[str, Any], kind: str) -> Shape | None:
    """Return what was drawn, None when no points were sent."""
    for name in ("points_lps_mm", "points_px"):
        if name in facts:
            return Shape(kind, facts[name], is_lps=name == "points_lps_mm")
    return None


def _refuse(shape: Shape, error: MeasureError) -> ValidationError:
    return ValidationError({"points_lps_mm" if shape.is_lps else "points_px": [str(error)]})


def _author(request: Request) -> Author:
    assert isinstance(request.user, User)
    return Author(request.user, read_address(request._request))


urlpatterns: list[URLPattern | URLResolver] = [
    path("measurements/", MeasurementList.as_view(), name="measurement-list"),
    path(
        "measurements/<uuid:measurement_id>/",
        MeasurementDetail.as_view(),
        name="measurement-detail",
    ),
]
