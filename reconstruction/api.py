"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

import numpy as np
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from archive.picture_answers import answer_unchanged, kept_private
from archive.places import Places
from archive.viewing import ensure_view_recorded
from imaging.volume import VolumeGeometry
from reconstruction.assembly import Plan
from reconstruction.parameters import read_choice
from reconstruction.peak_api import SeriesPeak
from reconstruction.plane_form import (
    FORMATS,
    JPEG,
    JSON,
    RAW,
    SAMPLES_LIMIT,
    WantedPlane,
    parse_plane,
    parse_time_point,
)
from reconstruction.plane_pictures import encode_plane
from reconstruction.planes import cut_plane, describe_plane, finest_mm, to_int16
from reconstruction.quick_views_api import SeriesViewsJson, SeriesViewsPng
from reconstruction.view_api import SeriesRenderings, SeriesView3d
from reconstruction.volume_door import PROBLEMS, TIME_POINT, WAIT_SECONDS, VolumeView
from reconstruction.volume_files import Volume
from reconstruction.volumes import REFUSED, find_plan, find_state, open_volume
from reconstruction.warm import kernels_within

# Cutting takes a core each: a storm waits, then is refused.
_places = Places(2, waiting_limit=32, wait_seconds=10)


class SeriesVolume(VolumeView):
    """A series as a volume: is it one, is it built, where does it lie?"""

    @extend_schema(
        operation_id="series_volume",
        parameters=[
            TIME_POINT,
            OpenApiParameter("frames", bool, description="Name the frames it is made of."),
        ],
        responses={200: OpenApiTypes.OBJECT, **PROBLEMS},
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return `state` (`absent`, `building`, `ready`, `refused`), reasons and, if ready, all.

        Nothing is built by asking here: the first plane does that. With `frames=1` it says,
        built or not, which frames it is made of, so that a client can cut those it has.
        """
        series = self.find_series(series_id)
        query = request.query_params.dict()
        time_point = parse_time_point(query)
        wants_frames = read_choice(query, "frames", ("0", "1"), "0") == "1"
        ensure_view_recorded(request._request, series.study)
        state = find_state(series, time_point=time_point)
        document: dict[str, Any] = {
            "state": state.name,
            "progress": round(state.progress, 3),
            "reasons": [reason.words for reason in state.reasons],
            "reason_codes": [reason.code for reason in state.reasons],
        }
        if wants_frames and state.name != REFUSED:
            document |= _describe_plan(find_plan(series, time_point=time_point))
        if state.volume is not None:
            document |= _describe(state.volume)
        response = Response(document)
        response["Cache-Control"] = "private, no-store"
        return response


def _describe(volume: Volume) -> dict[str, Any]:
    return {
        **_describe_geometry(volume.geometry, volume.about),
        "size_bytes": volume.size_bytes,
        "scale": volume.scale.scale,
        "offset": volume.scale.offset,
        "is_exact": volume.scale.is_exact,
        "outside": volume.lowest,
    }


def _describe_plan(plan: Plan) -> dict[str, Any]:
    return {
        **_describe_geometry(plan.geometry, plan.about),
        "frames": [[str(one.instance.pk), one.frame] for one in plan.slices],
        "middle": plan.about["middle"],
        "has_tables": any(one.pipeline.modality_lut is not None for one in plan.slices),
    }


def _describe_geometry(geometry: VolumeGeometry, about: dict[str, Any]) -> dict[str, Any]:
    affine = geometry.lps_from_ijk
    return {
        "shape": list(geometry.shape),
        "spacing_mm": list(geometry.spacing_mm),
        "lps_from_ijk": None if affine is None else affine.tolist(),
        "lps_from_ijw": geometry.lps_from_ijw.tolist(),
        "slice_mm": geometry.slice_mm.tolist(),
        "holes": np.flatnonzero(geometry.holes).tolist(),
        "is_even": geometry.is_even,
        "missing_mm": about["missing_mm"],
        "time_point": about["time_point"],
        "time_points": about["time_points"],
        "frame_of_reference_uid": about["frame_of_reference_uid"],
    }


class SeriesPlane(VolumeView):
    """A plane or slab of a series, in any direction."""

    @extend_schema(
        operation_id="series_plane",
        parameters=[
            OpenApiParameter("center", str, required=True, description="`x,y,z`, lps in mm."),
            OpenApiParameter(
                "normal", str, required=True, description="`x,y,z`: away from the reader."
            ),
            OpenApiParameter("up", str, required=True, description="`x,y,z`: the picture's top."),
            OpenApiParameter("width_mm", float, required=True),
            OpenApiParameter("height_mm", float, required=True),
            OpenApiParameter("columns", int, description="512 unless given; at most 2048."),
            OpenApiParameter("rows", int, description="512 unless given; at most 2048."),
            OpenApiParameter("thickness_mm", float, description="Of the slab; 0 unless given."),
            OpenApiParameter("mode", str, enum=["thin", "mip", "minip", "mean"]),
            OpenApiParameter("format", str, enum=list(FORMATS)),
            OpenApiParameter("window", str, description="`centre,width`, for png and jpeg."),
            OpenApiParameter("preset", str, description="Of the stack document's `windows`."),
            TIME_POINT,
        ],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (200, "image/png"): OpenApiTypes.BINARY,
            (200, "image/jpeg"): OpenApiTypes.BINARY,
            (200, "application/json"): OpenApiTypes.OBJECT,
            304: None,
            400: OpenApiResponse(description="A parameter is wrong; the words name it."),
            **PROBLEMS,
        },
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the picture; `X-Noctis-Plane` (JSON) says which geometry was used.

        `raw`: int16, little endian, row after row; modality value = int16 * `scale` + `offset`.
        """
        series = self.find_series(series_id)
        query = request.query_params.dict()
        wanted = parse_plane(query)
        ensure_view_recorded(request._request, series.study)
        volume = open_volume(series, time_point=wanted.time_point, wait_seconds=WAIT_SECONDS)
        layers = wanted.slab.count_samples(finest_mm(volume.geometry))
        if wanted.plane.rows * wanted.plane.columns * layers > SAMPLES_LIMIT:
            raise ValidationError(
                _("thickness_mm: the slab is too thick for so many pixels; ask for fewer.")
            )
        asked = hashlib.sha256(repr(sorted(query.items())).encode()).hexdigest()[:16]
        suv = (series.passport or {}).get("suv") if wanted.preset else None
        etag = f'"{volume.key[:32]}-{asked}-{hashlib.sha256(repr(suv).encode()).hexdigest()[:4]}"'
        if answer := answer_unchanged(request, etag):
            return answer
        return kept_private(_answer(request, volume, wanted), etag)


def _answer(request: Request, volume: Volume, wanted: WantedPlane) -> HttpResponseBase:
    about = describe_plane(volume, wanted.plane, wanted.slab)
    if wanted.format == JSON:
        return Response(about)
    kernels_within(WAIT_SECONDS)
    with _places.one():
        picture = to_int16(cut_plane(volume, wanted.plane, wanted.slab), volume.lowest)
        if wanted.format == RAW:
            response = HttpResponse(picture.tobytes(), content_type="application/octet-stream")
            response["X-Pixel-Format"] = "i16"
        else:
            assert isinstance(request.user, User)
            kind = "image/jpeg" if wanted.format == JPEG else "image/png"
            content = encode_plane(request.user, volume, picture, wanted)
            response = HttpResponse(content, content_type=kind)
    response["X-Noctis-Plane"] = json.dumps(about, separators=(",", ":"))
    return response


urlpatterns: list[URLPattern | URLResolver] = [
    path("series/<uuid:series_id>/volume/", SeriesVolume.as_view(), name="series-volume"),
    path("series/<uuid:series_id>/plane", SeriesPlane.as_view(), name="series-plane"),
    path("series/<uuid:series_id>/peak", SeriesPeak.as_view(), name="series-peak"),
    path("series/<uuid:series_id>/views.png", SeriesViewsPng.as_view(), name="series-views-png"),
    path("series/<uuid:series_id>/views.json", SeriesViewsJson.as_view(), name="series-views-json"),
    path("series/<uuid:series_id>/view3d", SeriesView3d.as_view(), name="series-view3d"),
    path(
        "series/<uuid:series_id>/renderings/", SeriesRenderings.as_view(), name="series-renderings"
    ),
]
