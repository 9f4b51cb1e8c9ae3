"""Stored objects that are no pictures: lists, documents, outlines, files (docs/objects.md)."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.address import read_address
from accounts.audit import record_for_user
from accounts.models import User
from archive.models import Instance, Study
from archive.viewing import ensure_view_recorded
from imaging.waveform import draw_group, read_waveforms
from viewer.api import PictureView
from viewer.file_stream import AsyncPiece, Piece, open_document, open_file
from viewer.object_kinds import (
    OTHER,
    OUTLINED,
    PICTURE,
    SEGMENTATION,
    kind_of,
    name_of,
    name_of_class,
    open_header,
)
from viewer.object_outlines import find_outlines
from viewer.objects import describe_object
from viewer.parameters import ParameterError
from viewer.pdf_pages import read_page
from viewer.stored_marks import read_stored_marks

OBJECTS_LIMIT = 500
_PROBLEMS = {
    404: OpenApiResponse(description="It is not there, or belongs to another facility."),
    422: OpenApiResponse(description="The file is damaged, or is no such object."),
}
# What is opened in a frame can't run, load or send anything, whatever is in it.
_LOCKED = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
_SUFFIXES = {"application/pdf": "pdf", "text/xml": "xml", "model/stl": "stl", "model/obj": "obj"}


class StudyObjects(PictureView):
    """The objects of a study that are no pictures."""

    @extend_schema(operation_id="study_objects", responses={200: OpenApiTypes.OBJECT, **_PROBLEMS})
    def get(self, request: Request, study_id: uuid.UUID) -> HttpResponseBase:
        """Return them with kind, title and addresses; segmentations are among them."""
        study = Study.objects.visible_to(request.user).filter(pk=study_id).first()
        if study is None:
            raise NotFound(_("Not found."), "not_found")
        ensure_view_recorded(request._request, study)
        rows = Instance.objects.visible_to(request.user).filter(study=study)
        rows = rows.select_related("series").defer("frame_table", "image")
        found = []
        for row in rows.order_by("series__series_number", "instance_number", "pk"):
            kind = kind_of(row.sop_class_uid, row.number_of_frames)
            if kind != PICTURE:
                found.append(_list_object(row, kind))
        answer = Response({"objects": found[:OBJECTS_LIMIT], "count": len(found)})
        return _private(answer)


def _list_object(row: Instance, kind: str) -> dict[str, Any]:
    outlines = reverse("api:instance-outlines", args=[row.pk]) if kind in OUTLINED else ""
    return {
        "id": str(row.pk),
        "kind": kind,
        "name": name_of_class(row.sop_class_uid) if kind == OTHER else name_of(kind),
        "title": row.series.series_description,
        "modality": row.series.modality,
        "series": str(row.series_id),
        "series_number": row.series.series_number,
        "instance_number": row.instance_number,
        "has_pictures": kind == SEGMENTATION,
        "object_url": reverse("api:instance-object", args=[row.pk]),
        "outlines_url": outlines,
    }


class StoredMarks(PictureView):
    """What objects of a study mark."""

    @extend_schema(
        operation_id="study_stored_marks", responses={200: OpenApiTypes.OBJECT, **_PROBLEMS}
    )
    def get(self, request: Request, study_id: uuid.UUID) -> HttpResponseBase:
        """Return numbers of reports, graphics of states, key images: read-only, with origin."""
        study = Study.objects.visible_to(request.user).filter(pk=study_id).first()
        if study is None:
            raise NotFound(_("Not found."), "not_found")
        ensure_view_recorded(request._request, study)
        return _private(Response(read_stored_marks(request.user, study)))


class ObjectView(PictureView):
    """One object as a document for people."""

    @extend_schema(
        operation_id="instance_object", responses={200: OpenApiTypes.OBJECT, **_PROBLEMS}
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return what the object says: see docs/objects.md for each kind."""
        instance = _find(self, instance_id)
        ensure_view_recorded(request._request, instance.study)
        return _private(Response(describe_object(request.user, instance)))


class OutlinesView(PictureView):
    """The outlines of a segmentation or of structures on one image."""

    @extend_schema(
        operation_id="instance_outlines",
        parameters=[
            OpenApiParameter("instance", OpenApiTypes.UUID, required=True, description="Image."),
            OpenApiParameter("frame", int, description="Of the image, from 0."),
        ],
        responses={200: OpenApiTypes.OBJECT, **_PROBLEMS},
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return closed and open ways in pixels of the image, by segment or region."""
        outlined = _find(self, instance_id)
        image = _find(self, _read_key(request.query_params.get("instance", "")))
        frame = _read_frame(request.query_params.get("frame", "0"), image)
        ensure_view_recorded(request._request, outlined.study)
        ensure_view_recorded(request._request, image.study)
        return _private(Response({"shapes": find_outlines(outlined, image, frame)}))


class WaveformView(PictureView):
    """A waveform to scale."""

    @extend_schema(
        operation_id="instance_waveform",
        parameters=[OpenApiParameter("group", int, description="Which group, from 0.")],
        responses={(200, "image/svg+xml"): OpenApiTypes.STR, **_PROBLEMS},
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return a group of channels as SVG: 25 mm a second, 10 mm a millivolt."""
        instance = _find(self, instance_id)
        ensure_view_recorded(request._request, instance.study)
        groups = read_waveforms(open_header(instance))
        number = _read_number(request.query_params.get("group", "0"), "group")
        if number >= len(groups):
            raise NotFound(_("Not found."), "not_found")
        response = HttpResponse(draw_group(groups[number]), content_type="image/svg+xml")
        response["Content-Security-Policy"] = _LOCKED
        return _private(response)


class DocumentView(PictureView):
    """An encapsulated document."""

    @extend_schema(
        operation_id="instance_document",
        parameters=[OpenApiParameter("save", int, description="1: as a file.")],
        responses={(200, "application/pdf"): OpenApiTypes.BINARY, **_PROBLEMS},
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return the document as stored: a PDF for a locked frame, anything else as a file."""
        instance = _find(self, instance_id)
        header = open_header(instance)
        mime = header.text("MIMETypeOfEncapsulatedDocument").lower()
        suffix = _SUFFIXES.get(mime, "bin")
        is_inline = mime == "application/pdf" and request.query_params.get("save") != "1"
        _record_save(request, instance, "document")
        response = _stream(
            request,
            open_document(instance, header),
            mime if is_inline else "application/octet-stream",
        )
        how = "inline" if is_inline else "attachment"
        response["Content-Disposition"] = f'{how}; filename="document.{suffix}"'
        response["X-Frame-Options"] = "SAMEORIGIN"
        return response


class PageView(PictureView):
    """A page of an encapsulated PDF."""

    @extend_schema(
        operation_id="instance_page",
        responses={(200, "image/png"): OpenApiTypes.BINARY, **_PROBLEMS},
    )
    def get(self, request: Request, instance_id: uuid.UUID, page: int) -> HttpResponseBase:
        """Return a page, counted from 0, as a picture."""
        instance = _find(self, instance_id)
        ensure_view_recorded(request._request, instance.study)
        content = read_page(instance, open_header(instance), page)
        return _private(HttpResponse(content, content_type="image/png"))


class FileView(PictureView):
    """A stored file."""

    @extend_schema(
        operation_id="instance_file",
        responses={(200, "application/dicom"): OpenApiTypes.BINARY, **_PROBLEMS},
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return the DICOM file as it was received; only its preamble is zeroed."""
        instance = _find(self, instance_id)
        _record_save(request, instance, "file")
        response = _stream(request, open_file(instance), "application/dicom")
        name = f"{instance.pk}.dcm"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response


# --- shared -----------------------------------------------------------------------------------
def _find(view: PictureView, instance_id: uuid.UUID) -> Instance:
    """Return an instance that the person may see, with its series."""
    visible = Instance.objects.visible_to(view.request.user)
    found = visible.select_related("study__patient", "series").filter(pk=instance_id).first()
    if found is None:
        raise NotFound(_("Not found."), "not_found")
    return found


def _read_key(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise ParameterError(_("instance: give the key of an image.")) from None


def _read_number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise ParameterError(_("%(name)s: give a whole number.") % {"name": name})
    return int(text)


def _read_frame(text: str, image: Instance) -> int:
    frame = _read_number(text, "frame")
    if frame >= max(image.number_of_frames, 1):
        raise NotFound(_("Not found."), "not_found")
    return frame


def _record_save(request: Request, instance: Instance, what: str) -> None:
    """Write into the trail that an object leaves as a file."""
    assert isinstance(request.user, User)
    study = instance.study
    record_for_user(
        request.user,
        f"{what}_saved",
        address=read_address(request._request),
        facility_id=study.facility_id,
        patient_id=study.patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        detail={"sop_instance_uid": instance.sop_instance_uid},
    )


def _stream(request: Request, piece: Piece, content_type: str) -> StreamingHttpResponse:
    is_asgi = isinstance(request._request, ASGIRequest)
    response = StreamingHttpResponse(
        AsyncPiece(piece) if is_asgi else piece, content_type=content_type
    )
    response["Content-Length"] = str(piece.length)
    response["Content-Security-Policy"] = _LOCKED
    # The file is closed with the answer, even when it is never sent.
    response._resource_closers.append(piece.close)  # type: ignore[attr-defined]
    _private(response)
    return response


def _private(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response


_INSTANCE = "instances/<uuid:instance_id>"
urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<uuid:study_id>/objects/", StudyObjects.as_view(), name="study-objects"),
    path("studies/<uuid:study_id>/stored-marks/", StoredMarks.as_view(), name="stored-marks"),
    path(f"{_INSTANCE}/object/", ObjectView.as_view(), name="instance-object"),
    path(f"{_INSTANCE}/outlines/", OutlinesView.as_view(), name="instance-outlines"),
    path(f"{_INSTANCE}/waveform.svg", WaveformView.as_view(), name="instance-waveform"),
    path(f"{_INSTANCE}/document/", DocumentView.as_view(), name="instance-document"),
    path(f"{_INSTANCE}/document/<int:page>.png", PageView.as_view(), name="instance-page"),
    path(f"{_INSTANCE}/file/", FileView.as_view(), name="instance-file"),
]
