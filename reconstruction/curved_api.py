"""The address of curved pictures: a line through the patient, seen while it is drawn."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from archive.json_bodies import PlainJSONParser
from archive.places import Places
from archive.viewing import ensure_view_recorded
from imaging.curve import FORMS
from imaging.plane import MODES
from reconstruction.curved import (
    KNOWN,
    WantedCurve,
    cut_curve,
    describe_curve,
    parse_curve,
    place_curve,
)
from reconstruction.planes import to_int16
from reconstruction.volume_door import PROBLEMS, WAIT_SECONDS, VolumeView
from reconstruction.volume_files import Volume
from reconstruction.volumes import open_volume
from reconstruction.warm import kernels_within
from reconstruction.wishes import refuse_unknown

# Pixels begin at a multiple of this, so that a page can look at them where they lie.
_ALIGNED = 8
_places = Places(2, waiting_limit=32, wait_seconds=10)


class CurveForm(serializers.Serializer[Any]):
    """What is asked for, as the schema tells it; `parse_curve` reads it."""

    points = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=3, max_length=3),
        min_length=2,
        help_text="[[x, y, z], ...]: lps in mm; the line is smooth and meets every one of them.",
    )
    form = serializers.ChoiceField(FORMS, required=False)
    width_mm = serializers.FloatField(required=False, help_text="Across the line; 60 if not given.")
    spacing_mm = serializers.FloatField(
        required=False, help_text="Of pixels, both ways; that of the finest voxels if not given."
    )
    angle_deg = serializers.FloatField(
        required=False, help_text="The picture turns about the line."
    )
    mode = serializers.ChoiceField(MODES, required=False)
    thickness_mm = serializers.FloatField(required=False)
    time_point = serializers.IntegerField(required=False)


class SeriesCurved(VolumeView):
    """A curved picture of a series."""

    http_method_names = ["post", "options"]
    parser_classes = [PlainJSONParser]

    @extend_schema(
        operation_id="series_curved",
        request=CurveForm,
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            400: OpenApiResponse(description="A parameter is wrong; the words name it."),
            **PROBLEMS,
        },
    )
    def post(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return head and picture. Nothing is changed.

        Four bytes (little endian) say how long the JSON is that follows: where every column lies.
        Behind it int16, little endian, row after row: modality value = int16 * `scale` + `offset`.
        """
        series = self.find_series(series_id)
        if not isinstance(request.data, dict):
            raise ValidationError(_("The body must be a JSON object."))
        refuse_unknown(request.data, KNOWN)
        wanted = parse_curve(request.data)
        ensure_view_recorded(request._request, series.study)
        volume = open_volume(series, time_point=wanted.time_point, wait_seconds=WAIT_SECONDS)
        kernels_within(WAIT_SECONDS)
        with _places.one():
            content = _encode(volume, wanted)
        response = HttpResponse(content, content_type="application/octet-stream")
        response["X-Pixel-Format"] = "i16"
        response["Cache-Control"] = "private, no-store"
        return response


def _encode(volume: Volume, wanted: WantedCurve) -> bytes:
    geometry = place_curve(volume, wanted)
    picture = to_int16(cut_curve(volume, geometry, wanted.slab), volume.lowest)
    about = describe_curve(volume, geometry, wanted)
    head = json.dumps(about, separators=(",", ":"), allow_nan=False).encode()
    head += b" " * (-(4 + len(head)) % _ALIGNED)
    return len(head).to_bytes(4, "little") + head + picture.tobytes()


urlpatterns: list[URLPattern | URLResolver] = [
    path("series/<uuid:series_id>/curved", SeriesCurved.as_view(), name="series-curved"),
]
