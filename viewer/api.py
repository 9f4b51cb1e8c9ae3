"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from __future__ import annotations

import uuid
from typing import NoReturn

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_view,
)
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.frames import read_frame
from archive.kept_pictures import read_kept_picture
from archive.known_facts import fill_facts, without_facts
from archive.models import Instance, Series
from archive.overlays import pack_overlays, read_overlays
from archive.picture_answers import AnyAccept, answer_unchanged, kept_private
from archive.rendering import Rendering, find_window, render_picture
from archive.stack import Stack, build_stack, read_stack
from archive.thumbnails import make_thumbnail, read_thumbnail
from archive.viewing import ensure_view_recorded
from imaging.display import encode_jpeg, encode_png
from imaging.errors import ConflictError, MissingError, NoctisError, TransientError
from viewer import annotation_api, centreline_api, key_image_api, mark_export_api, measurement_api
from viewer.ahead import decode_ahead_of_frame, plan_ahead_of_images
from viewer.compression import choose_coding, is_near
from viewer.frame_stream import AsyncFrameStream, FrameStream, WantedImage
from viewer.looks import parse_rendering
from viewer.parameters import ParameterError, parse_images
from viewer.statuses import RETRY_SECONDS, Refusal
from viewer.windows import add_windows

REQUEST_LIMIT_BYTES = 64 << 20
# A browser may show frames, whose address names their version, again so long without asking:
# a day's work, and not the night after. Another session's cookie does not find them (Vary).
KEPT_SECONDS = 12 * 3600

_PROBLEMS = {
    400: OpenApiResponse(description="A parameter cannot be understood; the words say which."),
    404: OpenApiResponse(description="It is not there, or belongs to another facility."),
    503: OpenApiResponse(description="Too much is wanted at once; come again."),
}
_BROKEN = {422: OpenApiResponse(description="The file is damaged or cannot be shown.")}


class PictureView(APIView):
    """What all addresses of this room share: who may ask, and how a refusal reads."""

    permission_classes = [IsAuthenticated]
    content_negotiation_class = AnyAccept
    http_method_names = ["get", "head", "options"]

    def handle_exception(self, exc: Exception) -> Response:
        """Map the house's errors to their statuses; a browser keeps none of them."""
        if isinstance(exc, NoctisError):
            response = super().handle_exception(Refusal(exc))
            if isinstance(exc, TransientError):
                response["Retry-After"] = str(RETRY_SECONDS)
        elif isinstance(exc, ParameterError):
            response = super().handle_exception(ValidationError(str(exc), "invalid"))
        else:
            response = super().handle_exception(exc)
        response["Cache-Control"] = "private, no-store"
        return response

    def find_series(self, series_id: uuid.UUID) -> Series:
        """Return a series that the person may see, with its study."""
        visible = Series.objects.visible_to(self.request.user)
        series = visible.select_related("study__patient").filter(pk=series_id).first()
        return series or _refuse_missing()

    def find_instance(self, instance_id: uuid.UUID) -> Instance:
        """Return an instance that the person may see, with its study."""
        visible = without_facts(Instance.objects.visible_to(self.request.user))
        instance = visible.select_related("study__patient").filter(pk=instance_id).first()
        if instance is None:
            _refuse_missing()
        fill_facts([instance])
        return instance


class StackView(PictureView):
    """The images of a series in the order of the screen."""

    @extend_schema(
        operation_id="series_stack",
        responses={200: OpenApiTypes.OBJECT, 304: None, **_PROBLEMS},
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the stack document: facts that all images share, and each one's own."""
        series = self.find_series(series_id)
        ensure_view_recorded(request._request, series.study)
        document = add_windows(build_stack(series), series)
        etag = f'"{document["version"]}-{document["windows"]["tag"]}"'
        return answer_unchanged(request, etag) or kept_private(Response(document), etag)


class FramesView(PictureView):
    """Many frames of a series in one stream."""

    @extend_schema(
        operation_id="series_frames",
        parameters=[
            OpenApiParameter("version", str, required=True, description="Of the stack document."),
            OpenApiParameter(
                "images",
                str,
                required=True,
                description="Stack indices from 0: `0-15`, `7,3,20-30`; at most 64, 64 MiB.",
            ),
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
            409: OpenApiResponse(description="The stack has changed: read it again."),
            **_PROBLEMS,
        },
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Stream records of 32 bytes of head and pixels, in the asked order.

        Head: instance UUID (16 bytes), then u32le frame, status (0 pixels, 1 file missing,
        2 file damaged, 3 cannot be shown), payload length, stack index.
        """
        series = self.find_series(series_id)
        version = request.query_params.get("version", "")
        stack = read_stack(series, version)
        if version != stack.version:
            raise ConflictError(_("The series has changed: read its stack again."))
        indices = parse_images(request.query_params.get("images", ""), count=len(stack))
        if len(indices) > 1 and sum(map(stack.bytes_of, indices)) > REQUEST_LIMIT_BYTES:
            raise ParameterError(_("images: at most 64 MiB a request."))
        coding = choose_coding(
            request.headers.get("Accept-Encoding", ""), is_near=is_near(request.META)
        )
        etag = f'"{version}-{request.query_params["images"]}-{coding.name or "plain"}"'
        ensure_view_recorded(request._request, series.study)
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        is_large = series.frame_count > series.instance_count
        wanted = self._find_images(stack, indices, is_large=is_large)
        ahead = plan_ahead_of_images(request.user, series.pk, stack, wanted)
        stream = FrameStream(wanted, coding, ahead)
        is_asgi = isinstance(request._request, ASGIRequest)
        response = StreamingHttpResponse(
            AsyncFrameStream(stream) if is_asgi else stream,
            content_type="application/octet-stream",
        )
        if coding.name:
            response["Content-Encoding"] = coding.name
        patch_vary_headers(response, ["Accept-Encoding"])
        kept_private(response, etag)
        response["Cache-Control"] = f"private, max-age={KEPT_SECONDS}, immutable"
        return response

    def _find_images(
        self, stack: Stack, indices: list[int], *, is_large: bool
    ) -> list[WantedImage]:
        """Return what is to be read; rows are asked for once more as this person.

        The facts of large objects, with many frames each, are not read again and again.
        """
        places = [(index, *stack.image(index)) for index in indices]
        visible = Instance.objects.visible_to(self.request.user)
        rows = (without_facts(visible) if is_large else visible).in_bulk(
            {instance_id for _index, instance_id, _frame in places}
        )
        if is_large:
            fill_facts(rows.values())
        if any(instance_id not in rows for _index, instance_id, _frame in places):
            raise ConflictError(_("The series has changed: read its stack again."))
        return [
            WantedImage(index, rows[instance_id], frame) for index, instance_id, frame in places
        ]


class FrameView(PictureView):
    """One frame as pixels."""

    @extend_schema(
        operation_id="instance_frame",
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
            **_PROBLEMS,
            **_BROKEN,
        },
    )
    def get(self, request: Request, instance_id: uuid.UUID, frame: int) -> HttpResponseBase:
        """Return the pixels of a frame, counted from 0, as the stack document describes them."""
        instance = self.find_instance(instance_id)
        etag = f'"{_content_of(instance)}-{frame}"'
        ensure_view_recorded(request._request, instance.study)
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        data = read_frame(instance, frame)
        decode_ahead_of_frame(request.user, instance, frame)
        response = HttpResponse(bytes(data.data), content_type="application/octet-stream")
        response["X-Pixel-Format"] = data.pixel_format
        return kept_private(response, etag)


class OverlaysView(PictureView):
    """What a file lays over one of its frames."""

    @extend_schema(
        operation_id="instance_frame_overlays",
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
            **_PROBLEMS,
            **_BROKEN,
        },
    )
    def get(self, request: Request, instance_id: uuid.UUID, frame: int) -> HttpResponseBase:
        """Return overlay planes (60xx) of a frame, counted from 0, one record after the other.

        Head, little endian: u16 group, rows, columns, 1 for a region of interest; i16 row and
        column of the first bit in the image, from 1; u32 bytes that follow. Then packed bits,
        rows after each other, the first in the lowest bit.
        """
        instance = self.find_instance(instance_id)
        coding = choose_coding(request.headers.get("Accept-Encoding", ""))
        etag = f'"{_content_of(instance)}-{frame}-overlays-{coding.name or "plain"}"'
        ensure_view_recorded(request._request, instance.study)
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        packed = pack_overlays(read_overlays(instance, frame))
        body = coding.encode(packed) + coding.finish()
        response = HttpResponse(body, content_type="application/octet-stream")
        if coding.name:
            response["Content-Encoding"] = coding.name
        patch_vary_headers(response, ["Accept-Encoding"])
        return kept_private(response, etag)


class RenderedView(PictureView):
    """One frame as a picture for the eye."""

    kind = "jpg"

    @extend_schema(
        operation_id="instance_rendered_jpg",
        parameters=[
            OpenApiParameter("window", str, description="`centre,width`, `auto`, else the file's."),
            OpenApiParameter("preset", str, description="Of the stack document's `windows`."),
            OpenApiParameter("invert", int, description="1 turns black to white."),
            OpenApiParameter(
                "enhance",
                str,
                description="`denoise`, `clahe`, `sharpen`, `edges`, each with `:strength` from "
                "0.1 to 3 and commas between; the picture and `X-Enhanced` say so.",
            ),
            OpenApiParameter(
                "colormap", str, description="`hot_iron`, `hot_metal_blue`, `pet`, `rainbow`."
            ),
            OpenApiParameter("width", int, description="Pixels; the picture is never enlarged."),
            OpenApiParameter("overlays", int, description="0: without the file's overlays (60xx)."),
            OpenApiParameter("shutter", int, description="0: without the file's display shutter."),
        ],
        responses={
            (200, "image/jpeg"): OpenApiTypes.BINARY,
            (200, "image/png"): OpenApiTypes.BINARY,
            304: None,
            **_PROBLEMS,
            **_BROKEN,
        },
    )
    def get(self, request: Request, instance_id: uuid.UUID, frame: int) -> HttpResponseBase:
        """Return a frame, counted from 0, through the standard's display pipeline.

        A window that was found in the pixels is told as `X-Window: centre,width`.
        """
        instance = self.find_instance(instance_id)
        rendering = parse_rendering(request.query_params.dict(), instance, frame)
        etag = f'"{_content_of(instance)}-{frame}-{rendering.key}-{self.kind}"'
        ensure_view_recorded(request._request, instance.study)
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        encode, content_type = (
            (encode_jpeg, "image/jpeg") if self.kind == "jpg" else (encode_png, "image/png")
        )
        content = read_kept_picture(
            instance,
            frame,
            f"{rendering.key}-{self.kind}",
            lambda: encode(render_picture(instance, frame, rendering)),
        )
        found = read_kept_picture(
            instance,
            frame,
            f"{rendering.key}-window",
            lambda: _window_found(instance, frame, rendering),
        )
        decode_ahead_of_frame(request.user, instance, frame)
        response = HttpResponse(bytes(content), content_type=content_type)
        if found:
            response["X-Window"] = bytes(found).decode("ascii")
        if rendering.enhancement:
            response["X-Enhanced"] = rendering.enhancement
        return kept_private(response, etag)


def _window_found(instance: Instance, frame: int, rendering: Rendering) -> bytes:
    window = find_window(instance, frame, rendering)
    return b"" if window is None else f"{window.center:.10g},{window.width:.10g}".encode("ascii")


@extend_schema_view(get=extend_schema(operation_id="instance_rendered_png"))
class RenderedPngView(RenderedView):
    """The same without loss."""

    kind = "png"


class ThumbnailView(PictureView):
    """A small picture of a series."""

    @extend_schema(
        operation_id="series_thumbnail",
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 304: None, **_PROBLEMS, **_BROKEN},
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the middle image of the series as a JPEG of at most 128 px; made if missing."""
        series = self.find_series(series_id)
        content = read_thumbnail(series)
        if content is None:
            content = self._make(series)
            series.refresh_from_db(fields=["thumbnail_key", "thumbnail_made_at"])
        ensure_view_recorded(request._request, series.study, "view_thumbnail")
        made = series.thumbnail_made_at.timestamp() if series.thumbnail_made_at else 0
        etag = f'"{series.thumbnail_key.rpartition("/")[2].removesuffix(".jpg")}-{made:.0f}"'
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        return kept_private(HttpResponse(content, content_type="image/jpeg"), etag)

    def _make(self, series: Series) -> bytes:
        try:
            return make_thumbnail(series.pk)
        except TransientError:
            raise
        except NoctisError as reason:
            raise MissingError(_("There is no thumbnail: %s") % reason) from reason


def _refuse_missing() -> NoReturn:
    """Answer alike for what never was and what belongs to others."""
    raise NotFound(_("Not found."), "not_found")


def _content_of(instance: Instance) -> str:
    """Return what names the stored pixels and the version that read their header, for an ETag."""
    return f"{instance.dataset_sha256[:32]}.{instance.facts_version}"


_FRAME = "instances/<uuid:instance_id>/frames/<int:frame>/"
urlpatterns: list[URLPattern | URLResolver] = [
    path("series/<uuid:series_id>/stack/", StackView.as_view(), name="series-stack"),
    path("series/<uuid:series_id>/frames/", FramesView.as_view(), name="series-frames"),
    path("series/<uuid:series_id>/thumbnail/", ThumbnailView.as_view(), name="series-thumbnail"),
    path(_FRAME, FrameView.as_view(), name="instance-frame"),
    path(f"{_FRAME}overlays/", OverlaysView.as_view(), name="instance-overlays"),
    path(f"{_FRAME}rendered.jpg", RenderedView.as_view(), name="instance-rendered-jpg"),
    path(f"{_FRAME}rendered.png", RenderedPngView.as_view(), name="instance-rendered-png"),
    *measurement_api.urlpatterns,
    *annotation_api.urlpatterns,
    *key_image_api.urlpatterns,
    *centreline_api.urlpatterns,
    *mark_export_api.urlpatterns,
]
