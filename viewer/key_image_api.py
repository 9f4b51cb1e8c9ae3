"""Key images for whoever writes about a study: in the order of the screen, with their marks."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.models import Series, Study
from archive.stack import read_stack
from archive.video_shown import as_shown
from archive.viewing import ensure_view_recorded
from viewer.annotations_form import KeyImageSerializer
from viewer.export_form import PNG
from viewer.export_marks import Dresser
from viewer.export_models import Export
from viewer.export_pictures import draw_picture, encode
from viewer.models import KeyImage

WIDTHS = (64, 4096)


class StudyKeyImages(APIView):
    """The key images of a study."""

    permission_classes = [IsAuthenticated]
    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="study_key_images",
        responses={200: OpenApiTypes.OBJECT, 404: OpenApiResponse()},
    )
    def get(self, request: Request, study_id: uuid.UUID) -> Response:
        """Return them in the order of the screen, each with `picture_url`."""
        study = Study.objects.visible_to(request.user).filter(pk=study_id).first()
        if study is None:
            raise NotFound(_("Not found."), "not_found")
        ensure_view_recorded(request._request, study)
        found = KeyImage.objects.visible_to(request.user).present().filter(study=study)
        related = ("study", "instance__series", "created_by", "changed_by")
        rows = list(found.select_related(*related).defer("instance__frame_table"))
        response = Response({"key_images": [_describe(row) for row in in_screen_order(rows)]})
        response["Cache-Control"] = "private, no-store"
        return response


def in_screen_order(rows: list[KeyImage]) -> list[KeyImage]:
    """Return key images as one comes to them on the screen; a stack is read for each series."""
    places: dict[tuple[uuid.UUID, int], tuple[int, int]] = {}
    wanted = {row.instance.series_id for row in rows}
    series = Series.objects.filter(pk__in=wanted).order_by("series_number", "id")
    for number, one in enumerate(series):
        stack = read_stack(one)
        places |= {stack.image(index): (number, index) for index in range(len(stack))}
    last = (len(wanted), 0)
    return sorted(rows, key=lambda row: (places.get((row.instance_id, row.frame), last), row.pk))


def _describe(row: KeyImage) -> dict[str, Any]:
    return {
        **KeyImageSerializer(row).data,
        "series_number": row.instance.series.series_number,
        "series_description": row.instance.series.series_description,
        "instance_number": row.instance.instance_number,
        "picture_url": reverse("api:key-image-picture", args=[row.pk]),
    }


class PictureQuery(serializers.Serializer[Any]):
    """How the picture is wanted."""

    longest_px = serializers.IntegerField(required=False, min_value=WIDTHS[0], max_value=WIDTHS[1])
    marks = serializers.BooleanField(default=True)


class KeyImagePicture(APIView):
    """A key image as a picture for reports and letters."""

    permission_classes = [IsAuthenticated]
    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="key_image_picture",
        parameters=[
            OpenApiParameter("longest_px", int, description="64 to 4096; never enlarged."),
            OpenApiParameter("marks", bool, description="0: without marks, letters and scale."),
        ],
        responses={
            (200, "image/png"): OpenApiTypes.BINARY,
            404: OpenApiResponse(description="It is not there, or belongs to another facility."),
            422: OpenApiResponse(description="The file is damaged or has no such picture."),
        },
    )
    def get(self, request: Request, mark_id: uuid.UUID) -> HttpResponse:
        """Return the frame with its marks, letters and scale, by the file's own window."""
        found = KeyImage.objects.visible_to(request.user).present().filter(pk=mark_id)
        row = found.select_related("study__patient", "instance__series").first()
        if row is None:
            raise NotFound(_("Not found."), "not_found")
        form = PictureQuery(data=request.query_params.dict())
        form.is_valid(raise_exception=True)
        ensure_view_recorded(request._request, row.study)
        instance = as_shown(row.instance)
        if row.frame >= max(instance.number_of_frames, 1):
            raise NotFound(_("Not found."), "not_found")
        # Never stored: what an export's pictures look like is said by a wish.
        sheet = Export(study=row.study, wish={**form.validated_data, "format": PNG})
        picture = draw_picture(sheet, Dresser(sheet), (instance, row.frame), 1, 1)
        response = HttpResponse(encode(picture, PNG), content_type="image/png")
        response["Cache-Control"] = "private, no-store"
        return response


urlpatterns: list[URLPattern | URLResolver] = [
    path("studies/<uuid:study_id>/key-images/", StudyKeyImages.as_view(), name="study-key-images"),
    path(
        "key-images/<uuid:mark_id>/picture.png", KeyImagePicture.as_view(), name="key-image-picture"
    ),
]
