"""The stored stream of a video, for the browser's own player."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from archive.video import open_video
from archive.video_stream import VideoStream
from archive.viewing import ensure_view_recorded
from imaging.video import H264, H265, MP4, MPEG, TRANSPORT_STREAM
from viewer.api import PictureView
from viewer.byte_range import NotSatisfiableError, parse_range

_SUFFIXES = {MP4: "mp4", TRANSPORT_STREAM: "ts", MPEG: "mpg", H264: "h264", H265: "hevc"}


class VideoView(PictureView):
    """The video of one instance."""

    @extend_schema(
        operation_id="instance_video",
        responses={
            (200, "video/mp4"): OpenApiTypes.BINARY,
            (206, "video/mp4"): OpenApiTypes.BINARY,
            404: OpenApiResponse(description="Not found."),
            416: OpenApiResponse(description="The range lies behind the end."),
            422: OpenApiResponse(description="The file is damaged or holds no video."),
        },
    )
    def get(self, request: Request, instance_id: uuid.UUID) -> HttpResponseBase:
        """Return the stream as stored, or the range of it that is asked for."""
        instance = self.find_instance(instance_id)
        ensure_view_recorded(request._request, instance.study)
        stream = open_video(instance)
        etag = f'"{instance.dataset_sha256[:32]}-video"'
        wanted = request.headers.get("Range", "")
        if request.headers.get("If-Range", etag) != etag:
            wanted = ""
        try:
            span = parse_range(wanted, stream.size)
        except NotSatisfiableError:
            stream.close()
            refused = HttpResponse(status=HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            refused["Content-Range"] = f"bytes */{stream.size}"
            return _guarded(refused, stream, etag)
        start, end = span or (0, stream.size)
        pieces = stream.pieces(start, end)
        is_asgi = isinstance(request._request, ASGIRequest)
        response = StreamingHttpResponse(
            _AsyncPieces(pieces) if is_asgi else pieces,
            status=HTTPStatus.PARTIAL_CONTENT if span else HTTPStatus.OK,
            content_type=stream.content_type,
        )
        response["Content-Length"] = str(end - start)
        if span:
            response["Content-Range"] = f"bytes {start}-{end - 1}/{stream.size}"
        return _guarded(response, stream, etag)


class _AsyncPieces:
    """The pieces under ASGI: each is read in a thread, none in the event loop."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await asyncio.to_thread(next, self._pieces, b""):
            yield piece


def _guarded(response: HttpResponseBase, stream: VideoStream, etag: str) -> HttpResponseBase:
    """Let players play it and nothing else: opened by itself, it is a download."""
    suffix = _SUFFIXES.get(stream.content_type, "bin")
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, no-cache"
    response["Content-Disposition"] = f'attachment; filename="video.{suffix}"'
    response["ETag"] = etag
    response["Vary"] = "Cookie, Authorization"
    response["X-Content-Type-Options"] = "nosniff"
    # The file is closed with the answer, even when it is never sent.
    response._resource_closers.append(stream.close)  # type: ignore[attr-defined]
    return response


urlpatterns: list[URLPattern | URLResolver] = [
    path("instances/<uuid:instance_id>/video/", VideoView.as_view(), name="instance-video"),
]
