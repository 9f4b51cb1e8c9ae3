"""What the addresses of all marks share: list, one, change, delete, undo: docs/measurements.md."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.permissions import SAFE_METHODS, BasePermission, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.api_pages import KeyPages
from accounts.audit import record_for_user
from accounts.etags import Tagged
from accounts.models import User
from archive.json_bodies import PlainJSONParser
from archive.models import Instance, Series
from archive.video_shown import as_shown
from archive.viewing import ensure_view_recorded
from imaging.errors import BusyError, ConflictError, NotAVolumeError
from imaging.measure_plane import MeasureError
from viewer import marks
from viewer.fused_values import OtherSeriesError
from viewer.marks import Author
from viewer.measured import Shape
from viewer.models import Drawing, Kept, Mark

PROBLEMS = {
    400: OpenApiResponse(description="A field is wrong; `errors` says which and why."),
    403: OpenApiResponse(description="The role reads only."),
    404: OpenApiResponse(description="It is not there, or belongs to another facility."),
}
PICTURE = {
    422: OpenApiResponse(description="The file is damaged or has no picture to measure on."),
    503: OpenApiResponse(description="Too much is wanted at once; come again."),
}
CONFLICT = {
    409: OpenApiResponse(
        description="Somebody has changed it: `current` of the problem is how it is now."
    )
}
VERSION = OpenApiParameter("version", int, description="The version that was seen; optional.")


class MayMark(BasePermission):
    """Everybody reads what they may see; some roles write."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Return whether the role may do this to anything at all."""
        return request.method in SAFE_METHODS or marks.may_mark(request.user)


class MarkFilter(filters.FilterSet):
    """What lists of marks can be narrowed by; all conditions must hold."""

    study = filters.UUIDFilter(field_name="study_id")
    study_instance_uid = filters.CharFilter(field_name="study__study_instance_uid")
    series = filters.UUIDFilter(method="of_series")
    series_instance_uid = filters.CharFilter(method="of_series_uid")
    sop_instance_uid = filters.CharFilter(field_name="instance__sop_instance_uid")

    def of_series(self, rows: QuerySet[Any], _name: str, key: uuid.UUID) -> QuerySet[Any]:
        """Narrow to marks on images of a series, and on planes through it."""
        on_image = Q(instance__series_id=key)
        return rows.filter(on_image | Q(series_id=key) if _may_lie_on_plane(rows) else on_image)

    def of_series_uid(self, rows: QuerySet[Any], _name: str, uid: str) -> QuerySet[Any]:
        """Narrow likewise, by the series' UID."""
        on_image = Q(instance__series__series_instance_uid=uid)
        on_plane = Q(series__series_instance_uid=uid)
        return rows.filter(on_image | on_plane if _may_lie_on_plane(rows) else on_image)


def _may_lie_on_plane(rows: QuerySet[Any]) -> bool:
    return issubclass(rows.model, Drawing)


class InOrder(KeyPages):
    """Pages in the order in which rows were made."""

    page_size = 200
    max_page_size = 1000
    ordering = "id"


class KeptView(APIView):
    """One kind of rows: who may, and which there are."""

    model: ClassVar[type[Kept]]
    answer: ClassVar[type[serializers.BaseSerializer[Any]]]
    permission_classes = [IsAuthenticated, MayMark]
    parser_classes = [PlainJSONParser]
    # By what a new row is the only one, for the answer when there is one already.
    wanted: dict[str, Any] | None = None

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        """Let nobody keep the answer."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "private, no-store"
        return answer

    def handle_exception(self, exc: Exception) -> Response:
        """Add to a conflict how the row is now, to other refusals what a program can use."""
        response = super().handle_exception(exc)
        if isinstance(exc, ConflictError) and isinstance(response.data, dict):
            found = self.find_standing_against()
            response.data["current"] = None if found is None else self.answer(found).data
        if isinstance(exc, NotAVolumeError) and exc.reasons:
            response.data["reason_codes"] = [code for code, _words in exc.reasons]
        if isinstance(exc, BusyError) and exc.progress is not None:
            response.data["progress"] = round(exc.progress, 3)
        return response

    def find_standing_against(self) -> Kept | None:
        """Return the row that a conflict is about."""
        wanted = {"pk": self.kwargs["mark_id"]} if "mark_id" in self.kwargs else self.wanted
        return None if wanted is None else self.visible().filter(**wanted).first()

    def visible(self, *, deleted: bool = False) -> QuerySet[Any]:
        """Return the rows that the person may see: those that are there, or those deleted."""
        manager: Any = self.model._default_manager
        rows = manager.visible_to(self.request.user).filter(deleted_at__isnull=not deleted)
        related = ["study__patient", "created_by", "changed_by"]
        if not issubclass(self.model, Mark):
            found: QuerySet[Any] = rows.select_related(*related)
            return found
        found = rows.select_related(*related, *marks.related_of(self.model))
        return found.defer("instance__frame_table")

    def find(self, key: uuid.UUID, *, deleted: bool = False) -> Any:
        """Return the row; foreign is missing."""
        row = self.visible(deleted=deleted).filter(pk=key).first()
        if row is None:
            raise NotFound(_("Not found."), "not_found")
        return row

    def follow(self) -> marks.Follow:
        """Return what else changes with a row."""
        return marks.nothing_follows

    def author(self) -> Author:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return Author(self.request.user, read_address(self.request._request))


class KeptList(KeptView, ListAPIView[Any]):
    """The rows that the person may see."""

    filterset_class: Any = MarkFilter
    pagination_class = InOrder

    def get_queryset(self) -> QuerySet[Any]:
        """Return the visible rows that nobody deleted."""
        return self.visible()

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        """Return how the rows read."""
        return self.answer

    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return the rows, oldest first, narrowed by the query."""
        answer = super().get(request, *args, **kwargs)
        asked = {name: value for name, value in request.query_params.items() if value}
        author = self.author()
        record_for_user(author.user, "search", address=author.address, detail=asked)
        return answer

    def find_image(self, facts: dict[str, Any]) -> Instance:
        """Return the image that the facts name; its frame is one that it has."""
        instance = as_shown(find_instance(self.request, facts))
        count = max(instance.number_of_frames, 1)
        if facts["frame"] >= count:
            raise ValidationError(
                {"frame": [_("This image has %(count)d frames, from 0.") % {"count": count}]}
            )
        return instance


class KeptDetail(Tagged, KeptView):
    """One row."""

    changed_form: ClassVar[type[serializers.Serializer[Any]]]

    def get(self, request: Request, mark_id: uuid.UUID) -> Response:
        """Return one row."""
        row = self.find(mark_id)
        ensure_view_recorded(request._request, row.study)
        return Response(self.answer(row).data)

    def patch(self, request: Request, mark_id: uuid.UUID) -> Response:
        """Change the version that was seen."""
        row = self.find(mark_id)
        form = self.changed_form(data=request.data, context={"mark": row})
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        return Response(self.answer(self.change(row, facts.pop("version"), facts)).data)

    def change(self, row: Any, version: int, facts: dict[str, Any]) -> Kept:
        """Write the change."""
        kept: Kept = row
        return marks.change(self.author(), kept, version, facts)

    def delete(self, request: Request, mark_id: uuid.UUID) -> Response:
        """Delete; the row stays, with who and when, and can be brought back."""
        marks.delete(self.author(), self.find(mark_id), read_version(request), follow=self.follow())
        return Response(status=204)


class KeptRestore(KeptDetail):
    """A deleted row."""

    http_method_names = ["post", "options"]

    def post(self, request: Request, mark_id: uuid.UUID) -> Response:
        """Undo the deletion."""
        row = marks.restore(
            self.author(),
            self.find(mark_id, deleted=True),
            read_version(request),
            follow=self.follow(),
        )
        return Response(self.answer(row).data)


def describe(
    name: str, new: Any, changed: Any, answer: Any, also: Mapping[int, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Return the OpenAPI decorators of one kind of rows, by what they do."""
    return {
        "list": extend_schema(operation_id=f"{name}_list"),
        "create": extend_schema(
            operation_id=f"{name}_create",
            request=new,
            responses={201: answer, **PROBLEMS, **CONFLICT, **also},
        ),
        "detail": extend_schema(operation_id=f"{name}_detail", responses={200: answer, **PROBLEMS}),
        "change": extend_schema(
            operation_id=f"{name}_change",
            request=changed,
            responses={200: answer, **PROBLEMS, **CONFLICT, **also},
        ),
        "delete": extend_schema(
            operation_id=f"{name}_delete",
            parameters=[VERSION],
            responses={204: None, **PROBLEMS, **CONFLICT},
        ),
        "restore": extend_schema(
            operation_id=f"{name}_restore",
            parameters=[VERSION],
            request=None,
            responses={200: answer, **PROBLEMS, **CONFLICT},
        ),
    }


def read_version(request: Request) -> int | None:
    """Return the version that the query names."""
    text = request.query_params.get("version", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValidationError({"version": [_("Give a whole number.")]})
    return int(text) if text else None


def find_instance(request: Request, facts: dict[str, Any]) -> Instance:
    """Return the image; facilities may each have one of the same UID."""
    rows = Instance.objects.visible_to(request.user).select_related("series")
    rows = rows.filter(sop_instance_uid=facts["sop_instance_uid"])
    if "instance_id" in facts:
        rows = rows.filter(pk=facts["instance_id"])
    found: Sequence[Instance] = list(rows[:2])
    if not found:
        raise NotFound(_("Not found."), "not_found")
    if len(found) > 1:
        raise ValidationError(
            {"instance_id": [_("Several facilities have this image: say which one.")]}
        )
    return found[0]


def find_series(request: Request, facts: dict[str, Any]) -> Series:
    """Return the series; facilities may each have one of the same UID."""
    rows = Series.objects.visible_to(request.user).select_related("study")
    if "series_instance_uid" in facts:
        rows = rows.filter(series_instance_uid=facts["series_instance_uid"])
    if "series_id" in facts:
        rows = rows.filter(pk=facts["series_id"])
    found: Sequence[Series] = list(rows[:2])
    if not found:
        raise NotFound(_("Not found."), "not_found")
    if len(found) > 1:
        raise ValidationError(
            {"series_id": [_("Several facilities have this series: say which one.")]}
        )
    return found[0]


def take_shape(facts: dict[str, Any], kind: str) -> Shape | None:
    """Take what was drawn out of the facts, None when no points were sent."""
    shape = None
    for name in ("points_lps_mm", "points_px"):
        if name in facts:
            shape = Shape(kind, facts.pop(name), is_lps=name == "points_lps_mm")
    return shape


def refuse_shape(shape: Shape | None, error: MeasureError) -> ValidationError:
    """Return the refusal that names the points, or the other series."""
    if isinstance(error, OtherSeriesError):
        return ValidationError({"other": [str(error)]})
    is_lps = shape is not None and shape.is_lps
    return ValidationError({"points_lps_mm" if is_lps else "points_px": [str(error)]})
