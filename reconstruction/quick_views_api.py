"""The addresses of a quick look: three planes through a point as one picture, or described."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from archive.picture_answers import answer_unchanged, kept_private
from archive.places import Places
from archive.viewing import ensure_view_recorded
from imaging.display import encode_png
from reconstruction.parameters import read_integer, read_vector
from reconstruction.plane_form import CENTER_LIMIT_MM, parse_time_point, parse_window
from reconstruction.quick_views import (
    DEFAULT_PX,
    LEAST_PX,
    MOST_PX,
    choose_views,
    describe_view,
    draw_views,
    size_of,
)
from reconstruction.volume_door import PROBLEMS, TIME_POINT, WAIT_SECONDS, VolumeView
from reconstruction.volumes import open_volume
from reconstruction.warm import kernels_within

_places = Places(2, waiting_limit=32, wait_seconds=10)
_KNOWN = frozenset({"at", "window", "size", "time_point"})
_PARAMETERS = [
    OpenApiParameter("at", str, description="`x,y,z`, lps in mm; else the volume's middle."),
    OpenApiParameter("window", str, description="`centre,width`; else the series' own."),
    OpenApiParameter("size", int, description="Pixels of the longest side; 512, at most 1024."),
    TIME_POINT,
]
_WRONG = {400: OpenApiResponse(description="A parameter is wrong; the words name it.")}
_NUMBERS = serializers.ListField(child=serializers.FloatField())
_VIEW = inline_serializer(
    "QuickView",
    {
        "name": serializers.ChoiceField(["axial", "coronal", "sagittal"]),
        "left": serializers.IntegerField(help_text="Pixels from the edge of the whole picture."),
        "top": serializers.IntegerField(),
        "columns": serializers.IntegerField(),
        "rows": serializers.IntegerField(),
        "at_px": serializers.ListField(
            child=serializers.FloatField(), help_text="Column and row of the point in the view."
        ),
        "letters": serializers.DictField(
            child=serializers.CharField(), help_text="At `left`, `right`, `top`, `bottom`."
        ),
        "origin": _NUMBERS,
        "row_direction": _NUMBERS,
        "column_direction": _NUMBERS,
        "normal": _NUMBERS,
        "spacing_mm": _NUMBERS,
    },
)
_DOCUMENT = inline_serializer(
    "QuickViews",
    {
        "at": serializers.ListField(child=serializers.FloatField()),
        "columns": serializers.IntegerField(),
        "rows": serializers.IntegerField(),
        "picture_url": serializers.CharField(),
        "views": serializers.ListField(child=_VIEW),
        "notes": serializers.ListField(child=serializers.CharField()),
    },
)


class SeriesViewsPng(VolumeView):
    """Axial, coronal and sagittal plane through a point, side by side."""

    is_described = False

    @extend_schema(
        operation_id="series_views_png",
        parameters=_PARAMETERS,
        responses={(200, "image/png"): OpenApiTypes.BINARY, 304: None, **_WRONG, **PROBLEMS},
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return the picture; `views.json` says what is where in it.

        Pixels are square and of one size, so that all proportions are the patient's.
        """
        series = self.find_series(series_id)
        query = request.query_params.dict()
        for name in query:
            if name not in _KNOWN:
                raise ValidationError(_("%(name)s: there is no such parameter.") % {"name": name})
        at = read_vector(query, "at", most=CENTER_LIMIT_MM) if "at" in query else None
        window = parse_window(query.get("window"))
        size_px = read_integer(query, "size", LEAST_PX, most=MOST_PX, default=DEFAULT_PX)
        time_point = parse_time_point(query)
        ensure_view_recorded(request._request, series.study)
        volume = open_volume(series, time_point=time_point, wait_seconds=WAIT_SECONDS)
        point, views = choose_views(volume.geometry, at, size_px)
        asked = repr((self.is_described, sorted(query.items()))).encode()
        etag = f'"{volume.key[:32]}-{hashlib.sha256(asked).hexdigest()[:16]}"'
        if unchanged := answer_unchanged(request, etag):
            return unchanged
        if self.is_described:
            columns, rows = size_of(views)
            picture_url = reverse("api:series-views-png", args=[series.pk])
            asked_for = request.query_params.urlencode()
            document: dict[str, Any] = {
                "at": point.tolist(),
                "columns": columns,
                "rows": rows,
                "picture_url": f"{picture_url}?{asked_for}" if asked_for else picture_url,
                "views": [describe_view(one, point) for one in views],
                "notes": volume.about["notes"],
            }
            return kept_private(Response(document), etag)
        kernels_within(WAIT_SECONDS)
        with _places.one():
            content = encode_png(draw_views(request.user, volume, views, window))
        return kept_private(HttpResponse(content, content_type="image/png"), etag)


class SeriesViewsJson(SeriesViewsPng):
    """What is where in the picture of three planes."""

    is_described = True

    @extend_schema(
        operation_id="series_views_json",
        parameters=_PARAMETERS,
        responses={200: _DOCUMENT, 304: None, **_WRONG, **PROBLEMS},
    )
    def get(self, request: Request, series_id: uuid.UUID) -> HttpResponseBase:
        """Return place, geometry and orientation letters of each view."""
        return super().get(request, series_id)
