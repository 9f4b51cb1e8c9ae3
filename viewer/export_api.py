"""Exports over REST: ask, look how far it is, fetch, forget."""

from __future__ import annotations

import uuid
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.address import read_address
from accounts.models import User
from archive.json_bodies import PlainJSONParser
from imaging.errors import ConflictError, MissingError
from viewer.export_form import DICOM, FORMS, JPEG, PRINT, ExportForm
from viewer.export_marks import Dresser
from viewer.export_models import Export
from viewer.export_names import left_out_of, words_of
from viewer.export_pictures import draw_picture, encode
from viewer.export_stream import AsyncPieceStream, PieceStream, file_pieces
from viewer.export_zip import object_entries, picture_entries, zip_pieces
from viewer.exports import (
    TYPES,
    create_export,
    delete_export,
    ending_of,
    find_export,
    find_exports,
    load_images,
    name_of,
    path_of,
    record,
)
from viewer.marks import Author

_PROBLEMS = {
    400: OpenApiResponse(description="The request cannot be understood; the words say where."),
    403: OpenApiResponse(description="Pixels may show a name, and nothing was said about that."),
    404: OpenApiResponse(description="It is not there, or belongs to others."),
    409: OpenApiResponse(description="Not ready yet, or too many exports."),
    422: OpenApiResponse(description="Nothing to export, or too much."),
    503: OpenApiResponse(description="Too many exports leave at once; come again."),
}


class ExportSerializer(serializers.ModelSerializer[Export]):
    """An export and how far it is."""

    format = serializers.ChoiceField(FORMS, source="form")
    image_count = serializers.SerializerMethodField()
    left_out_count = serializers.SerializerMethodField()
    left_out = serializers.SerializerMethodField()
    file_name = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField(help_text="Of the file, or of the page to print.")

    class Meta:
        model = Export
        fields = [
            "id", "study", "format", "state", "image_count", "left_out_count", "left_out",
            "done_count", "problem",
            "size_bytes", "created_at", "expires_at", "file_name", "url",
        ]  # fmt: skip

    def get_image_count(self, export: Export) -> int:
        """Return how many pictures or objects it holds."""
        return len(export.images)

    def get_left_out_count(self, export: Export) -> int:
        """Return how many of what was asked for do not leave de-identified."""
        return sum(left_out_of(export.wish).values())

    def get_left_out(self, export: Export) -> list[str]:
        """Return in words what does not leave de-identified, a sentence for each reason."""
        return words_of(left_out_of(export.wish))

    def get_file_name(self, export: Export) -> str:
        """Return the name under which the file is saved; a page to print has none."""
        return "" if export.form == PRINT else name_of(export)

    def get_url(self, export: Export) -> str:
        """Return where it is fetched; empty while it is being made."""
        if export.form == PRINT:
            return reverse("viewer:print", args=[export.pk])
        if export.state in (Export.State.READY, Export.State.DONE):
            return reverse("api:export-file", args=[export.pk])
        return ""


class _ExportView(APIView):
    permission_classes = [IsAuthenticated]
    parser_classes = [PlainJSONParser]

    def author(self) -> Author:
        """Return who asks."""
        assert isinstance(self.request.user, User)
        return Author(self.request.user, read_address(self.request._request))

    def find(self, key: uuid.UUID) -> Export:
        """Return one of the person's exports."""
        return find_export(self.author().user, key)


class ExportList(_ExportView):
    """A person's exports."""

    @extend_schema(operation_id="export_list", responses=ExportSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Return the person's exports, newest first."""
        return Response(ExportSerializer(find_exports(self.author().user), many=True).data)

    @extend_schema(
        operation_id="export_create",
        request=ExportForm,
        responses={201: ExportSerializer, **_PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        """Ask for an export; fetch its `url` once the state is `ready` or `done`."""
        form = ExportForm(data=request.data)
        form.is_valid(raise_exception=True)
        export = create_export(self.author(), form.validated_data)
        return Response(ExportSerializer(export).data, status=201)


class ExportDetail(_ExportView):
    """One export."""

    @extend_schema(operation_id="export_detail", responses={200: ExportSerializer, **_PROBLEMS})
    def get(self, request: Request, export_id: uuid.UUID) -> Response:
        """Return how far it is."""
        return Response(ExportSerializer(self.find(export_id)).data)

    @extend_schema(operation_id="export_delete", responses={204: None, **_PROBLEMS})
    def delete(self, request: Request, export_id: uuid.UUID) -> Response:
        """Stop it, and forget it with its file."""
        delete_export(self.author(), self.find(export_id))
        return Response(status=204)


class ExportFile(_ExportView):
    """What leaves."""

    @extend_schema(
        operation_id="export_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY, **_PROBLEMS},
    )
    def get(self, request: Request, export_id: uuid.UUID) -> HttpResponseBase:
        """Return the file; what nothing was made of before is made while it is sent."""
        export = self.find(export_id)
        if export.form == PRINT:
            raise MissingError(_("A page to print has no file."))
        if export.state not in (Export.State.READY, Export.State.DONE):
            raise ConflictError(_("This export is not ready."))
        answer = self._body(export)
        record(self.author(), export, "export_fetched")
        return _as_file(answer, export)

    def _body(self, export: Export) -> HttpResponseBase:
        images = load_images(export)
        if export.state == Export.State.DONE:
            try:
                return self._stream(file_pieces(path_of(export.pk).open("rb")))
            except FileNotFoundError:
                raise MissingError(_("The file of this export is gone.")) from None
        if export.form == DICOM:
            return self._stream(zip_pieces(object_entries(export, images, _new_uid())))
        dresser = Dresser(export)
        if len(images) == 1:
            picture = draw_picture(export, dresser, images[0], 1, 1)
            return HttpResponse(encode(picture, export.form))
        return self._stream(zip_pieces(picture_entries(export, dresser, images)))

    def _stream(self, pieces: Any) -> HttpResponseBase:
        stream = PieceStream(pieces)
        is_asgi = isinstance(self.request._request, ASGIRequest)
        return StreamingHttpResponse(AsyncPieceStream(stream) if is_asgi else stream)


class ExportPicture(_ExportView):
    """One picture of an export, for the page that is printed."""

    @extend_schema(
        operation_id="export_picture",
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, **_PROBLEMS},
    )
    def get(self, request: Request, export_id: uuid.UUID, place: int) -> HttpResponseBase:
        """Return the picture at a place, counted from 0."""
        export = self.find(export_id)
        if export.form == DICOM or place >= len(export.images):
            raise MissingError(_("There is no such picture."))
        image = load_images(export)[place]
        picture = draw_picture(export, Dresser(export), image, place + 1, len(export.images))
        answer = HttpResponse(encode(picture, JPEG), content_type="image/jpeg")
        answer["Cache-Control"] = "private, no-store"
        answer["X-Content-Type-Options"] = "nosniff"
        return answer


def _as_file(answer: HttpResponseBase, export: Export) -> HttpResponseBase:
    answer["Content-Type"] = TYPES[ending_of(export)]
    answer["Content-Disposition"] = f'attachment; filename="{name_of(export)}"'
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


def _new_uid() -> str:
    return f"2.25.{uuid.uuid4().int}"


urlpatterns: list[URLPattern | URLResolver] = [
    path("exports/", ExportList.as_view(), name="exports"),
    path("exports/<uuid:export_id>/", ExportDetail.as_view(), name="export"),
    path("exports/<uuid:export_id>/file/", ExportFile.as_view(), name="export-file"),
    path(
        "exports/<uuid:export_id>/pictures/<int:place>.jpg",
        ExportPicture.as_view(),
        name="export-picture",
    ),
]
