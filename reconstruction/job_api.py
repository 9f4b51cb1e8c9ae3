"""Reconstruction jobs over REST: ask, look how far it is, cancel, try again, fetch."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, BinaryIO

from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.api_pages import NewestFirst
from archive.json_bodies import PlainJSONParser
from archive.models import Series
from imaging.errors import MissingError, NotAllowedError
from reconstruction.job_documents import (
    AcceptedSerializer,
    JobSerializer,
    KindsSerializer,
    WishSerializer,
)
from reconstruction.jobs import (
    KEY_LENGTH,
    TooManyJobsError,
    ask_for,
    cancel_job,
    find_job,
    may_ask,
    retry_job,
)
from reconstruction.kinds import KINDS
from reconstruction.models import ReconstructionJob
from reconstruction.results import path_of
from reconstruction.volume_door import VolumeView

_PIECE_BYTES = 1 << 18
_KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_LENGTH}}}")
_UID = re.compile(r"[0-9.]{1,64}")
_PROBLEMS = {
    400: OpenApiResponse(description="A parameter is wrong; the words begin with its name."),
    403: OpenApiResponse(description="The role may look only."),
    404: OpenApiResponse(description="It is not there, or belongs to others."),
    409: OpenApiResponse(description="Too late, or the Idempotency-Key belongs to another wish."),
    422: OpenApiResponse(
        description="The series is no volume: `not_a_volume`, `reasons`, `reason_codes`."
    ),
    429: OpenApiResponse(description="The person has too many jobs under way."),
}


class TooManyJobs(APIException):
    """The person has too many jobs under way."""

    status_code = 429
    default_code = "too_many_jobs"
    wait = 5


class _JobView(VolumeView):
    http_method_names = ["get", "head", "options", "post", "delete"]
    parser_classes = [PlainJSONParser]

    def person(self) -> User:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return self.request.user

    def address(self) -> str:
        """Return from where they ask."""
        return read_address(self.request._request)

    def find(self, key: uuid.UUID) -> ReconstructionJob:
        """Return a job that the person may see."""
        return find_job(self.person(), key)

    def handle_exception(self, exc: Exception) -> Response:
        """Turn this room's own refusal into its status."""
        if isinstance(exc, TooManyJobsError):
            exc = TooManyJobs(str(exc))
        return super().handle_exception(exc)


class JobFilter(filters.FilterSet):
    """What the list can be narrowed by; all conditions must hold."""

    status = filters.MultipleChoiceFilter(choices=ReconstructionJob.Status.choices)
    kind = filters.CharFilter()
    series = filters.UUIDFilter(field_name="series_id")
    study = filters.UUIDFilter(field_name="study_id")
    requested_by = filters.CharFilter(field_name="requested_by__username")


class JobList(_JobView, ListAPIView[ReconstructionJob]):
    """The jobs that the person may see."""

    serializer_class = JobSerializer
    filterset_class = JobFilter
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[ReconstructionJob]:
        """Return the visible jobs."""
        visible = ReconstructionJob.objects.visible_to(self.request.user)
        return visible.select_related("requested_by")

    @extend_schema(operation_id="reconstruction_list", responses=JobSerializer(many=True))
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return jobs, newest first: one's own; all of a facility for who looks after it."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="reconstruction_create",
        request=WishSerializer,
        parameters=[
            OpenApiParameter(
                "Idempotency-Key", str, OpenApiParameter.HEADER,
                description="The same key asks for the same job, however often it is sent.",
            )
        ],
        responses={202: AcceptedSerializer, **_PROBLEMS},
    )  # fmt: skip
    def post(self, request: Request) -> Response:
        """Ask for a reconstruction; it is made in the background."""
        if not may_ask(self.person()):
            raise NotAllowedError(_("Your role may look at reconstructions only."))
        series, kind, parameters = _read_wish(request.data)
        key = request.headers.get("Idempotency-Key", "")
        if key and not _KEY.fullmatch(key):
            raise ValidationError(_("Idempotency-Key: give 1 to 200 plain characters."))
        found = _find_source(self.person(), series)
        job = ask_for(self.person(), found, (kind, parameters), key=key, address=self.address())
        return _accept(job)


def _accept(job: ReconstructionJob) -> Response:
    answer = {"id": str(job.pk), "status": job.status, "progress": round(job.progress, 4)}
    address = reverse("api:reconstruction", args=[job.pk])
    headers = {"Location": address, "Cache-Control": "private, no-store"}
    return Response(answer, status=202, headers=headers)


def _read_wish(data: Any) -> tuple[str, str, dict[str, Any]]:
    if not isinstance(data, dict):
        raise ValidationError(_("Send an object with series, kind and parameters."))
    for name in data:
        if name not in ("series", "kind", "parameters"):
            raise ValidationError(_("%(name)s: there is no such parameter.") % {"name": name[:80]})
    series, kind = data.get("series"), data.get("kind")
    parameters = data.get("parameters", {})
    if not isinstance(series, str):
        raise ValidationError(_("series: give the id or the UID of a series."))
    if not isinstance(kind, str):
        raise ValidationError(_("kind: give the name of a kind."))
    if not isinstance(parameters, dict):
        raise ValidationError(_("parameters: give an object."))
    return series, kind, parameters


def _find_source(user: User, named: str) -> Series:
    """Return the visible series of this id or UID."""
    visible = Series.objects.visible_to(user).select_related("study__patient")
    if _UID.fullmatch(named):
        found = list(visible.filter(series_instance_uid=named)[:2])
        if len(found) > 1:
            raise ValidationError(_("series: several series have this UID; give an id."))
    else:
        try:
            found = list(visible.filter(pk=uuid.UUID(named)))
        except ValueError:
            raise ValidationError(_("series: give the id or the UID of a series.")) from None
    if not found:
        raise NotFound(_("There is no such series."), "not_found")
    return found[0]


class JobKinds(_JobView):
    """What can be asked for here."""

    @extend_schema(operation_id="reconstruction_kinds", responses=KindsSerializer)
    def get(self, request: Request) -> Response:
        """Return the kinds of this installation, and whether the person's role may ask."""
        return Response({"kinds": list(KINDS), "may_ask": may_ask(self.person())})


class JobDetail(_JobView):
    """One job."""

    @extend_schema(
        operation_id="reconstruction_detail", responses={200: JobSerializer, **_PROBLEMS}
    )
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """Return how far it is and what came of it."""
        answer = Response(JobSerializer(self.find(job_id)).data)
        answer["Cache-Control"] = "private, no-store"
        return answer

    @extend_schema(operation_id="reconstruction_cancel", responses={204: None, **_PROBLEMS})
    def delete(self, request: Request, job_id: uuid.UUID) -> Response:
        """Cancel it; whoever runs it ends within a second."""
        cancel_job(self.person(), self.find(job_id), address=self.address())
        return Response(status=204)


class JobRetry(_JobView):
    """A job that is tried again."""

    @extend_schema(
        operation_id="reconstruction_retry",
        request=None,
        responses={202: AcceptedSerializer, **_PROBLEMS},
    )
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Let a job wait again that failed, was cancelled, or whose files were removed."""
        job = self.find(job_id)
        retry_job(self.person(), job, address=self.address())
        return _accept(job)


class JobFile(_JobView):
    """A file that a job made."""

    @extend_schema(
        operation_id="reconstruction_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **_PROBLEMS},
    )
    def get(self, request: Request, job_id: uuid.UUID, name: str) -> HttpResponseBase:
        """Return the file."""
        job = self.find(job_id)
        one = next((one for one in job.files if one["name"] == name), None)
        if one is None or job.status != ReconstructionJob.Status.DONE:
            raise MissingError(_("There is no such file."))
        try:
            file = path_of(job.pk, name).open("rb")
        except OSError:
            raise MissingError(_("This file has been removed.")) from None
        record_for_user(
            self.person(), "reconstruction_fetched", address=self.address(),
            facility_id=job.facility_id, patient_id=job.study.patient.patient_id,
            study_instance_uid=job.study.study_instance_uid,
            detail={"job": str(job.pk), "file": name},
        )  # fmt: skip
        is_asgi = isinstance(request._request, ASGIRequest)
        answer = StreamingHttpResponse(_async_pieces(file) if is_asgi else _pieces(file))
        answer["Content-Type"] = one["media_type"]
        answer["Content-Length"] = str(one["size"])
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        answer["Cache-Control"] = "private, no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


async def _async_pieces(file: BinaryIO) -> AsyncIterator[bytes]:
    with file:
        while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
            yield piece


urlpatterns: list[URLPattern | URLResolver] = [
    path("reconstructions/", JobList.as_view(), name="reconstructions"),
    path("reconstructions/kinds/", JobKinds.as_view(), name="reconstruction-kinds"),
    path("reconstructions/<uuid:job_id>/", JobDetail.as_view(), name="reconstruction"),
    path("reconstructions/<uuid:job_id>/retry/", JobRetry.as_view(), name="reconstruction-retry"),
    path(
        "reconstructions/<uuid:job_id>/files/<str:name>",
        JobFile.as_view(),
        name="reconstruction-file",
    ),
]
