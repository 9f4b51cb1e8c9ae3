"""The address of the highest value of a series: SUVmax and SUVpeak with their places."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from archive.models import Instance, Series
from archive.places import Places
from archive.presets import suv_kinds_of
from archive.viewing import ensure_view_recorded
from imaging.measure_roi import value_unit
from imaging.peak import VOLUME_ML, Ball, Peak, find_highest, find_peak
from reconstruction.parameters import read_number, read_vector
from reconstruction.plane_form import CENTER_LIMIT_MM, parse_time_point
from reconstruction.volume_door import PROBLEMS, TIME_POINT, WAIT_SECONDS, VolumeView
from reconstruction.volume_files import Volume
from reconstruction.volumes import open_volume

RADIUS_LIMIT_MM = 1000.0
_KNOWN = frozenset({"center", "radius_mm", "time_point"})
# All voxels are looked at: a storm waits, then is refused.
_places = Places(1, waiting_limit=16, wait_seconds=10)


class SeriesPeak(VolumeView):
    """The highest voxel of a series, and the millilitre with the highest mean."""

    @extend_schema(
        operation_id="series_peak",
        parameters=[
            OpenApiParameter("center", str, description="`x,y,z`, lps in mm; with `radius_mm`."),
            OpenApiParameter("radius_mm", float, description="Of the ball that is looked at."),
            TIME_POINT,
        ],
        responses={
            200: OpenApiTypes.OBJECT,
            400: OpenApiResponse(description="A parameter is wrong; the words name it."),
            **PROBLEMS,
        },
    )
    def get(self, request: Request, series_id: uuid.UUID) -> Response:
        """Return `max` and `peak` with `value` and `lps_mm`, in `unit`."""
        series = self.find_series(series_id)
        query = request.query_params.dict()
        ball, time_point = _parse_ball(query), parse_time_point(query)
        ensure_view_recorded(request._request, series.study)
        volume = open_volume(series, time_point=time_point, wait_seconds=WAIT_SECONDS)
        with _places.one():
            highest = find_highest(volume.voxels, volume.geometry, ball)
            peak = find_peak(volume.voxels, volume.geometry, ball)
        if highest is None:
            raise ValidationError(_("center: no voxel of the series lies there."))
        unit, factor, kinds = _scale_of(series)
        return Response(
            {
                "series": str(series.pk),
                "frame_of_reference_uid": volume.about["frame_of_reference_uid"],
                "unit": unit,
                "suv_kinds": kinds,
                "max": _told(volume, highest, factor),
                "peak": None
                if peak is None
                else {**_told(volume, peak, factor), "volume_ml": VOLUME_ML},
            }
        )


def _parse_ball(query: Mapping[str, str]) -> Ball | None:
    for name in query:
        if name not in _KNOWN:
            raise ValidationError(_("%(name)s: there is no such parameter.") % {"name": name})
    if "center" not in query and "radius_mm" not in query:
        return None
    center = read_vector(query, "center", most=CENTER_LIMIT_MM)
    return Ball(center, read_number(query, "radius_mm", 0.1, most=RADIUS_LIMIT_MM))


def _told(volume: Volume, peak: Peak, factor: float) -> dict[str, Any]:
    value = (peak.value * volume.scale.scale + volume.scale.offset) * factor
    return {"value": value, "lps_mm": list(peak.lps_mm), "voxels": peak.voxels}


def _scale_of(series: Series) -> tuple[str, float, dict[str, float]]:
    kinds = suv_kinds_of(series)
    if "bw" in kinds:
        by_weight = kinds["bw"]
        return "SUVbw", by_weight, {kind: one / by_weight for kind, one in kinds.items()}
    first = Instance.objects.filter(series=series, number_of_frames__gte=1).first()
    return value_unit({} if first is None else first.image, series.modality), 1.0, {}
