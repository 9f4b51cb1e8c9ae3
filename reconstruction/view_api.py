"""The addresses of views: a volume seen as a body, and what it may be seen as."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from archive.json_bodies import PlainJSONParser
from archive.picture_answers import answer_unchanged, kept_private
from archive.places import Places
from archive.viewing import ensure_view_recorded
from imaging.rendering import EVERY_CODE, MODES
from reconstruction.casting import QUALITIES, describe_view, render_view
from reconstruction.plane_form import parse_time_point
from reconstruction.view_form import FORMATS, JSON, RAW, WantedView, parse_view
from reconstruction.view_pictures import (
    Sight,
    choose_sight,
    describe_offer,
    encode_view,
    raw_view,
)
from reconstruction.volume_door import PROBLEMS, TIME_POINT, WAIT_SECONDS, VolumeView
from reconstruction.volume_files import Volume
from reconstruction.volumes import open_volume
from reconstruction.warm import rays_within

# A view takes all threads of its own; a storm waits, then is refused.
_places = Places(2, waiting_limit=16, wait_seconds=10)

_PARAMETERS = [
    OpenApiParameter("quaternion", str, description="`x,y,z,w`: turns the front view, in lps."),
    OpenApiParameter("direction", str, description="`x,y,z`, lps: away from the reader."),
    OpenApiParameter("up", str, description="`x,y,z`, lps: the picture's top."),
    OpenApiParameter("center", str, description="`x,y,z`, lps in mm; else the volume's middle."),
    OpenApiParameter("width_mm", float, description="Of the picture; else all of it fits."),
    OpenApiParameter("columns", int, description="512 unless given; at most 1024."),
    OpenApiParameter("rows", int, description="512 unless given; at most 1024."),
    OpenApiParameter("mode", str, enum=list(MODES)),
    OpenApiParameter("preset", str, enum=list(EVERY_CODE)),
    OpenApiParameter("points", str, description="`value,opacity,rrggbb;…`, in modality units."),
    OpenApiParameter("shaded", bool),
    OpenApiParameter("clip", str, description="`x0,x1,y0,y1,z0,z1`, lps in mm: what is kept."),
    OpenApiParameter("cuts", str, description="`x,y,z,d;…`: kept is where x,y,z · place <= d."),
    OpenApiParameter("quality", str, enum=list(QUALITIES)),
    OpenApiParameter("format", str, enum=list(FORMATS)),
    OpenApiParameter("window", str, description="`centre,width`, for projections as pictures."),
    TIME_POINT,
]
_RESPONSES: dict[Any, Any] = {
    (200, "image/jpeg"): OpenApiTypes.BINARY,
    (200, "image/png"): OpenApiTypes.BINARY,
    (200, "image/webp"): OpenApiTypes.BINARY,
    (200, "application/octet-stream"): OpenApiTypes.BINARY,
    (200, "application/json"): OpenApiTypes.OBJECT,
    304: None,
    400: OpenApiResponse(description="A parameter is wrong; the words name it."),
    **PROBLEMS,
}


class SeriesView3d(VolumeView):
    """A view of a series from any side: composited, or a projection along the rays."""

    http_method_names = ["get", "head", "post", "options"]
    parser_classes = [PlainJSONParser]

    @extend_schema(operation_id="series_view3d", parameters=_PARAMETERS, responses=_RESPONSES)
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the picture; `X-Noctis-View3d` (JSON) says which geometry and look were used.

        `raw`: of a projection int16, little endian, row after row (modality value = int16 *
        `scale` + `offset`); composited red, green and blue as bytes.
        """
        return self._view(request, series_id, request.query_params.dict())

    @extend_schema(
        operation_id="series_view3d_by_document",
        request=OpenApiTypes.OBJECT,
        responses=_RESPONSES,
    )
    def post(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the same; parameters are the keys of a JSON object. Nothing is changed."""
        if not isinstance(request.data, dict):
            raise ValidationError(_("The body must be a JSON object."))
        return self._view(request, series_id, request.data)

    def _view(
        self, request: Request, series_id: uuid.UUID, query: Mapping[str, object]
    ) -> HttpResponseBase:
        series = self.find_series(series_id)
        wanted = parse_view(query)
        ensure_view_recorded(request._request, series.study)
        volume = open_volume(series, time_point=wanted.time_point, wait_seconds=WAIT_SECONDS)
        verdict = repr((series.passport or {}).get("hu"))
        asked = repr(sorted((name, repr(value)) for name, value in query.items())) + verdict
        etag = f'"{volume.key[:32]}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"'
        if request.method != "POST" and (answer := answer_unchanged(request, etag)):
            return answer
        rays_within(WAIT_SECONDS)
        with _places.one():
            answer = _answer(volume, choose_sight(series, volume, wanted), wanted)
        return kept_private(answer, etag)


def _answer(volume: Volume, sight: Sight, wanted: WantedView) -> HttpResponseBase:
    window = [sight.window.center, sight.window.width]
    about = describe_view(volume, sight.plane, sight.look) | {
        "preset": sight.preset,
        "window": window,
    }
    if wanted.format == JSON:
        return Response(about)
    picture = render_view(volume, sight.plane, sight.look)
    if wanted.format == RAW:
        response = HttpResponse(raw_view(volume, picture), content_type="application/octet-stream")
        response["X-Pixel-Format"] = "rgb8" if picture.ndim == 3 else "i16"
    else:
        content = encode_view(volume, picture, sight, wanted.format)
        response = HttpResponse(content, content_type=f"image/{wanted.format}")
    response["X-Noctis-View3d"] = json.dumps(about, separators=(",", ":"))
    return response


class SeriesRenderings(VolumeView):
    """What a series may be seen as."""

    @extend_schema(
        operation_id="series_renderings",
        parameters=[TIME_POINT],
        responses={200: OpenApiTypes.OBJECT, **PROBLEMS},
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the presets in modality values, the histogram, and where the volume lies.

        The volume is built when it is asked for; 503 with `progress` meanwhile.
        """
        series = self.find_series(series_id)
        time_point = parse_time_point(request.query_params.dict())
        ensure_view_recorded(request._request, series.study)
        volume = open_volume(series, time_point=time_point, wait_seconds=WAIT_SECONDS)
        rays_within(WAIT_SECONDS)
        with _places.one():
            response = Response(describe_offer(series, volume))
        response["Cache-Control"] = "private, no-store"
        return response
