"""The REST form of measurements: `/api/v1/measurements/`, docs/measurements.md."""

from __future__ import annotations

from typing import Any

from django.urls import URLPattern, URLResolver, path
from drf_spectacular.utils import extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from imaging.measure_plane import MeasureError
from viewer import measurements
from viewer.mark_api import (
    PICTURE,
    KeptDetail,
    KeptList,
    KeptRestore,
    KeptView,
    describe,
    refuse_shape,
    take_shape,
)
from viewer.measurements_form import ChangedMeasurement, MeasurementSerializer, NewMeasurement
from viewer.models import Measurement

_SCHEMA = describe(
    "measurement", NewMeasurement, ChangedMeasurement, MeasurementSerializer, PICTURE
)
_PLACE = ("sop_instance_uid", "instance_id", "frame", "kind")


class _Measurements(KeptView):
    model = Measurement
    answer = MeasurementSerializer


@extend_schema_view(get=_SCHEMA["list"], post=_SCHEMA["create"])
class MeasurementList(_Measurements, KeptList):
    """The measurements that the person may see."""

    def post(self, request: Request) -> Response:
        """Measure: the server works out all numbers from the stored pixels."""
        form = NewMeasurement(data=request.data)
        form.is_valid(raise_exception=True)
        facts = dict(form.validated_data)
        instance = self.find_image(facts)
        shape = take_shape(facts, facts["kind"])
        assert shape is not None
        words = {name: value for name, value in facts.items() if name not in _PLACE}
        try:
            mark = measurements.create(self.author(), instance, facts["frame"], shape, words)
        except MeasureError as error:
            raise refuse_shape(shape, error) from error
        return Response(MeasurementSerializer(mark).data, status=201)


@extend_schema_view(get=_SCHEMA["detail"], patch=_SCHEMA["change"], delete=_SCHEMA["delete"])
class MeasurementDetail(_Measurements, KeptDetail):
    """One measurement; its numbers follow its points."""

    changed_form = ChangedMeasurement

    def change(self, row: Measurement, version: int, facts: dict[str, Any]) -> Measurement:
        """Measure anew when points were sent."""
        shape = take_shape(facts, row.kind)
        try:
            return measurements.change(self.author(), row, version, shape, facts)
        except MeasureError as error:
            raise refuse_shape(shape, error) from error


@extend_schema_view(post=_SCHEMA["restore"])
class MeasurementRestore(_Measurements, KeptRestore):
    """A deleted measurement."""


urlpatterns: list[URLPattern | URLResolver] = [
    path("measurements/", MeasurementList.as_view(), name="measurement-list"),
    path("measurements/<uuid:mark_id>/", MeasurementDetail.as_view(), name="measurement-detail"),
    path(
        "measurements/<uuid:mark_id>/restore/",
        MeasurementRestore.as_view(),
        name="measurement-restore",
    ),
]
