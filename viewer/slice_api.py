"""A quick look at one image of a series by its place: for scripts, without a stack document."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request

from archive.kept_pictures import read_kept_picture
from archive.picture_answers import answer_unchanged, kept_private
from archive.rendering import Rendering, render_picture
from archive.stack import read_stack
from archive.viewing import ensure_view_recorded
from imaging.display import encode_png
from viewer.api import PictureView
from viewer.parameters import ParameterError, parse_window


class SliceView(PictureView):
    """One image of a series, by its place in the order of the screen."""

    @extend_schema(
        operation_id="series_slice",
        parameters=[
            OpenApiParameter("window", str, description="`centre,width`; else the file's own."),
        ],
        responses={
            (200, "image/png"): OpenApiTypes.BINARY,
            304: None,
            400: OpenApiResponse(description="A parameter cannot be understood."),
            404: OpenApiResponse(
                description="There is no such image; the series is not there, or not yours."
            ),
            422: OpenApiResponse(description="The file is damaged or cannot be shown."),
            503: OpenApiResponse(description="Too much is wanted at once; come again."),
        },
    )
    def get(self, request: Request, series_id: uuid.UUID, index: int) -> HttpResponseBase:
        """Return image `index`, counted from 0; `X-Slice-Count` says how many there are."""
        series = self.find_series(series_id)
        for name in request.query_params:
            if name != "window":
                raise ParameterError(_("%(name)s: there is no such parameter.") % {"name": name})
        rendering = Rendering(window=parse_window(request.query_params.get("window")))
        stack = read_stack(series)
        if index >= len(stack):
            raise NotFound(_("Not found."), "not_found")
        instance_id, frame = stack.image(index)
        instance = self.find_instance(instance_id)
        ensure_view_recorded(request._request, series.study)
        etag = f'"{instance.dataset_sha256[:32]}.{instance.facts_version}-{frame}-{rendering.key}"'
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        content = read_kept_picture(
            instance,
            frame,
            f"{rendering.key}-png",
            lambda: encode_png(render_picture(instance, frame, rendering)),
        )
        response = HttpResponse(bytes(content), content_type="image/png")
        response["X-Slice-Count"] = str(len(stack))
        return kept_private(response, etag)


urlpatterns: list[URLPattern | URLResolver] = [
    path("series/<uuid:series_id>/slices/<int:index>.png", SliceView.as_view(), name="series-slice")
]
