"""Uploads in pieces over REST: docs/uploads.md."""

from __future__ import annotations

import re
import uuid
from typing import Any

from django.db.models import QuerySet
from django.http.request import UnreadablePostError
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.api_pages import NumberPages
from accounts.models import User
from archive.api_pages import NewestFirst
from archive.json_bodies import PlainJSONParser
from imaging.errors import ConflictError, NotAllowedError
from worklist import uploads
from worklist.upload_models import NAME_LENGTH, Upload, UploadVerdict
from worklist.uploading import UnknownFacilityError, may_upload, read_destination

PIECE_TYPES = ("application/offset+octet-stream", "application/octet-stream")
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_MISSING = {404: OpenApiResponse(description="It is not there, or is another's.")}


class UploadSerializer(serializers.ModelSerializer[Upload]):
    """An upload: how far it is, and how many files of it met which verdict."""

    facility = serializers.CharField(
        source="facility.code", default=None, allow_null=True, help_text="Null: quarantine."
    )
    offset = serializers.SerializerMethodField(help_text="Where the next piece begins.")
    counts = serializers.DictField(
        child=serializers.IntegerField(), help_text="Files by verdict: stored, duplicate, …"
    )

    class Meta:
        model = Upload
        fields = [
            "id", "name", "size_bytes", "offset", "sha256", "facility", "state", "reason",
            "file_count", "counts", "created_at", "expires_at",
        ]  # fmt: skip

    def get_offset(self, upload: Upload) -> int:
        """Return how many bytes are here."""
        return uploads.offset_of(upload)


class NewUploadSerializer(serializers.Serializer[Any]):
    """What is about to come."""

    name = serializers.CharField(max_length=4 * NAME_LENGTH, help_text="For people; no path.")
    size_bytes = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    facility = serializers.CharField(
        max_length=64,
        required=False,
        help_text="Code of the facility; needed by who has the choice. `none`: quarantine.",
    )
    sha256 = serializers.RegexField(
        r"^[0-9a-fA-F]{64}$", required=False, help_text="Checked before anything is stored."
    )


class VerdictSerializer(serializers.ModelSerializer[UploadVerdict]):
    """What became of one file: `reason` says why in words."""

    status = serializers.ChoiceField(
        ["stored", "duplicate", "healed", "conflict", "skipped", "refused"]
    )

    class Meta:
        model = UploadVerdict
        fields = [
            "id", "number", "name", "status", "reason", "study_instance_uid", "sop_instance_uid",
        ]  # fmt: skip


class InOrder(NumberPages):
    """Verdicts in the order of the files."""

    page_size = 500
    max_page_size = 5000
    ordering = "number"


class _UploadView(APIView):
    parser_classes = [PlainJSONParser]

    def person(self) -> User:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return self.request.user

    def check_role(self) -> None:
        """Raise NotAllowedError for roles that bring nothing in, whatever they name."""
        if not may_upload(self.person()):
            raise NotAllowedError(_("Your role may not upload."))

    def answer(self, upload: Upload, status: int = 200) -> Response:
        """Return the upload as it is now."""
        response = Response(UploadSerializer(upload).data, status=status)
        response["Upload-Offset"] = str(uploads.offset_of(upload))
        return response

    def handle_exception(self, exc: Exception) -> Response:
        """Add to a wrong offset the right one."""
        if not isinstance(exc, uploads.OffsetError):
            return super().handle_exception(exc)
        response = super().handle_exception(ConflictError(str(exc)))
        if isinstance(response.data, dict):
            response.data["offset"] = exc.offset
            response["Upload-Offset"] = str(exc.offset)
        return response

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Let no answer be kept: it is old in a second."""
        response = super().finalize_response(*args, **kwargs)
        response["Cache-Control"] = "private, no-store"
        return response


class UploadList(_UploadView, ListAPIView[Upload]):
    """A person's uploads."""

    serializer_class = UploadSerializer
    pagination_class = NewestFirst
    filterset_fields = ["state"]
    queryset = Upload.objects.none()

    def get_queryset(self) -> QuerySet[Upload]:
        """Return the person's own."""
        return uploads.visible_to(self.person())

    @extend_schema(operation_id="upload_list", summary="The person's uploads, newest first")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return uploads that are under way, and those that ended in the last days."""
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="upload_begin",
        summary="Begin an upload",
        request=NewUploadSerializer,
        responses={
            201: UploadSerializer,
            409: OpenApiResponse(description="Too many are under way."),
            413: OpenApiResponse(description="It is larger than any upload may be."),
            503: OpenApiResponse(description="There is no room for it."),
        },
    )
    def post(self, request: Request) -> Response:
        """Say how large the file is; its pieces follow by PATCH, in order, of any size."""
        self.check_role()
        form = NewUploadSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        wish = dict(form.validated_data)
        try:
            facility_id = read_destination(self.person(), wish.pop("facility", ""))
        except UnknownFacilityError:
            words = _("Choose the facility to which the studies belong.")
            raise ValidationError({"facility": [words]}) from None
        address = read_address(request._request)
        upload = uploads.begin_upload(self.person(), facility_id, address=address, **wish)
        response = self.answer(uploads.find_upload(self.person(), upload.pk), 201)
        response["Location"] = reverse("api:upload", args=[upload.pk])
        return response


class UploadDetail(_UploadView):
    """One upload."""

    throttle_scope = "upload"

    @extend_schema(
        operation_id="upload_detail",
        summary="How far an upload is",
        responses={200: UploadSerializer, **_MISSING},
    )
    def get(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Return the upload; `offset` is where to continue after a break."""
        return self.answer(uploads.find_upload(self.person(), upload_id))

    @extend_schema(
        operation_id="upload_append",
        summary="Send the next piece",
        parameters=[
            OpenApiParameter(
                "Upload-Offset",
                int,
                OpenApiParameter.HEADER,
                required=True,
                description="Where the piece begins: the `offset` of the upload.",
            )
        ],
        request=dict.fromkeys(PIECE_TYPES, OpenApiTypes.BINARY),
        responses={
            200: UploadSerializer,
            409: OpenApiResponse(description="It stands elsewhere: `offset` says where."),
            413: OpenApiResponse(description="The piece goes beyond the end; it was dropped."),
            415: OpenApiResponse(description="The body is no piece."),
            503: OpenApiResponse(description="The disk does not take it now."),
            **_MISSING,
        },
    )
    def patch(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Append bytes; what came before the connection broke stays.

        With the last byte the upload is put in line to be stored.
        """
        self.check_role()
        upload = uploads.find_upload(self.person(), upload_id)
        media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type not in PIECE_TYPES:
            raise UnsupportedMediaType(media_type)
        offset = request.headers.get("Upload-Offset", "")
        if not _NUMBER.fullmatch(offset):
            raise ValidationError({"Upload-Offset": [_("Say at which byte the piece begins.")]})
        try:
            upload = uploads.append(upload, int(offset), request._request.read)
        except (UnreadablePostError, ConnectionError):
            # Nobody hears this; how far it came is known when they ask.
            raise ValidationError(_("The piece was cut off.")) from None
        return self.answer(upload)

    @extend_schema(
        operation_id="upload_delete",
        summary="Give an upload up",
        responses={204: None, **_MISSING},
    )
    def delete(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Drop what has come, or forget an upload that has ended; what is stored stays."""
        self.check_role()
        upload = uploads.find_upload(self.person(), upload_id)
        uploads.delete_upload(self.person(), upload, address=read_address(request._request))
        return Response(status=204)


class UploadVerdicts(_UploadView, ListAPIView[UploadVerdict]):
    """What became of the files of an upload."""

    serializer_class = VerdictSerializer
    pagination_class = InOrder
    filterset_fields = ["status"]
    queryset = UploadVerdict.objects.none()

    def get_queryset(self) -> QuerySet[UploadVerdict]:
        """Return the verdicts that are there so far."""
        upload = uploads.find_upload(self.person(), self.kwargs["upload_id"])
        return UploadVerdict.objects.filter(upload=upload)

    @extend_schema(operation_id="upload_verdicts", summary="A verdict for each file of an upload")
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return verdicts in the order of the files, also while more are to come."""
        return super().get(request, *args, **kwargs)


urlpatterns: list[URLPattern | URLResolver] = [
    path("uploads/", UploadList.as_view(), name="uploads"),
    path("uploads/<uuid:upload_id>/", UploadDetail.as_view(), name="upload"),
    path("uploads/<uuid:upload_id>/verdicts/", UploadVerdicts.as_view(), name="upload-verdicts"),
]
