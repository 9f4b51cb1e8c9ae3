"""The REST form of measurements: `/api/v1/measurements/`, docs/measurements.md."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path
from drf_spectacular.utils import extend_schema_view

from viewer import measurements
from viewer.drawing_api import DrawingDetail, DrawingList
from viewer.mark_api import PICTURE, KeptRestore, KeptView, describe
from viewer.measurements_form import ChangedMeasurement, MeasurementSerializer, NewMeasurement
from viewer.models import Measurement

_SCHEMA = describe(
    "measurement", NewMeasurement, ChangedMeasurement, MeasurementSerializer, PICTURE
)


class _Measurements(KeptView):
    model = Measurement
    answer = MeasurementSerializer


@extend_schema_view(get=_SCHEMA["list"], post=_SCHEMA["create"])
class MeasurementList(_Measurements, DrawingList):
    """The measurements that the person may see."""

    new_form = NewMeasurement
    create = staticmethod(measurements.create)


@extend_schema_view(get=_SCHEMA["detail"], patch=_SCHEMA["change"], delete=_SCHEMA["delete"])
class MeasurementDetail(_Measurements, DrawingDetail):
    """One measurement; its numbers follow its points."""

    changed_form = ChangedMeasurement
    rewrite = staticmethod(measurements.change)


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
