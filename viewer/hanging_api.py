"""The REST form of hanging protocols, docs/hanging.md."""

from __future__ import annotations

import re
import uuid
from typing import Any, cast

from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Facility, User
from archive.json_bodies import PlainJSONParser
from archive.models import Study
from archive.viewing import ensure_view_recorded
from viewer.api import PictureView
from viewer.hanging import (
    PROTOCOLS_LIMIT,
    change_hanging,
    create_hanging,
    delete_hanging,
    may_change,
)
from viewer.hanging_form import ChangedHanging, HangingAnswer, NewHanging
from viewer.mark_api import read_version
from viewer.models import HangingProtocol
from viewer.page import hang

_NAME = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_PROBLEMS = {
    400: OpenApiResponse(description="A field is wrong; `errors` says which and why."),
    403: OpenApiResponse(description="Only administrators save layouts for a whole facility."),
    404: OpenApiResponse(description="It is not there, or not the person's to change."),
    409: OpenApiResponse(description="It was changed since: read it again."),
}


class HangingView(PictureView):
    """What both addresses of protocols share."""

    parser_classes = [PlainJSONParser]
    content_negotiation_class = DefaultContentNegotiation  # type: ignore[assignment]

    @property
    def person(self) -> User:
        """Who asks."""
        return cast(User, self.request.user)


class HangingList(HangingView):
    """A person's protocols, and those of the person's facilities."""

    http_method_names = ["get", "head", "options", "post"]

    @extend_schema(operation_id="hanging_protocol_list", responses={200: HangingAnswer(many=True)})
    def get(self, request: Request) -> HttpResponseBase:
        """Return the protocols, the newest first."""
        rows = HangingProtocol.objects.visible_to(self.person).select_related("facility")
        found = rows.order_by("-changed_at")[:PROTOCOLS_LIMIT]
        return _answer([HangingAnswer(row).data for row in found])

    @extend_schema(
        operation_id="hanging_protocol_create",
        request=NewHanging,
        responses={201: HangingAnswer, **_PROBLEMS},
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Keep a new protocol."""
        form = NewHanging(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        facility = self._find_facility(facts.pop("facility", ""))
        if HangingProtocol.objects.visible_to(self.person).count() >= PROTOCOLS_LIMIT:
            raise ValidationError({"name": [_("There are too many layouts: delete one first.")]})
        row = create_hanging(self.person, facts, facility)
        return _with_etag(Response(HangingAnswer(row).data, status=201), row)

    def _find_facility(self, code: str) -> Facility | None:
        if not code:
            return None
        facility = Facility.objects.visible_to(self.person).filter(code=code).first()
        if facility is None:
            raise ValidationError({"facility": [_("There is no such facility.")]})
        return facility


class HangingDetail(HangingView):
    """One protocol."""

    http_method_names = ["get", "head", "options", "patch", "delete"]

    @extend_schema(
        operation_id="hanging_protocol_detail", responses={200: HangingAnswer, **_PROBLEMS}
    )
    def get(self, request: Request, protocol_id: uuid.UUID) -> HttpResponseBase:
        """Return it; the ETag is its version."""
        row = self._find(protocol_id)
        return _with_etag(Response(HangingAnswer(row).data), row)

    @extend_schema(
        operation_id="hanging_protocol_change",
        request=ChangedHanging,
        responses={200: HangingAnswer, **_PROBLEMS},
    )
    def patch(self, request: Request, protocol_id: uuid.UUID) -> HttpResponseBase:
        """Change the version that was seen."""
        row = self._find_own(protocol_id)
        form = ChangedHanging(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        row = change_hanging(row, facts, version=facts.pop("version"))
        return _with_etag(Response(HangingAnswer(row).data), row)

    @extend_schema(
        operation_id="hanging_protocol_delete",
        parameters=[OpenApiParameter("version", int, description="That was seen; optional.")],
        responses={204: None, **_PROBLEMS},
    )
    def delete(self, request: Request, protocol_id: uuid.UUID) -> HttpResponseBase:
        """Delete it."""
        delete_hanging(self._find_own(protocol_id), version=read_version(request))
        return Response(status=204)

    def _find(self, protocol_id: uuid.UUID) -> HangingProtocol:
        rows = HangingProtocol.objects.visible_to(self.person).select_related("facility")
        row = rows.filter(pk=protocol_id).first()
        if row is None:
            raise NotFound(_("Not found."), "not_found")
        return row

    def _find_own(self, protocol_id: uuid.UUID) -> HangingProtocol:
        """Return one that the person may change; another's is as missing as none."""
        row = self._find(protocol_id)
        if not may_change(self.person, row):
            raise NotFound(_("Not found."), "not_found")
        return row


class StudyHanging(HangingView):
    """How a study is hung."""

    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="study_hanging",
        parameters=[
            OpenApiParameter(
                "protocol",
                str,
                description="A protocol's key, or `standard` for the house's own; else the best.",
            )
        ],
        responses={200: OpenApiTypes.OBJECT, 204: None, 404: _PROBLEMS[404]},
    )
    def get(self, request: Request, study_id: uuid.UUID) -> HttpResponseBase:
        """Return grid and panes; no content when the first series alone is to be shown."""
        studies = Study.objects.visible_to(self.person).select_related("facility", "patient")
        study = studies.filter(pk=study_id).first()
        if study is None:
            raise NotFound(_("Not found."), "not_found")
        wanted = request.query_params.get("protocol", "")
        if wanted and not _NAME.fullmatch(wanted):
            raise ValidationError({"protocol": [_("Give a protocol's key, or standard.")]})
        hung = hang(self.person, study, wanted)
        ensure_view_recorded(request._request, study)
        return _answer(hung) if hung is not None else Response(status=204)


def _answer(document: Any) -> Response:
    answer = Response(document)
    answer["Cache-Control"] = "private, no-store"
    return answer


def _with_etag(answer: Response, row: HangingProtocol) -> Response:
    answer["ETag"] = f'"{row.version}"'
    answer["Cache-Control"] = "private, no-store"
    return answer


_ONE = "hanging-protocols/<uuid:protocol_id>/"
urlpatterns: list[URLPattern | URLResolver] = [
    path("hanging-protocols/", HangingList.as_view(), name="hanging-protocol-list"),
    path(_ONE, HangingDetail.as_view(), name="hanging-protocol-detail"),
    path("studies/<uuid:study_id>/hanging/", StudyHanging.as_view(), name="study-hanging"),
]
