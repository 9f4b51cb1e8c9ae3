"""Addresses of what is retrieved (PS3.18 Table 10.4.1-1) and of what the service says of itself."""

from django.urls import path, register_converter

from dicomweb.bulkdata import BulkDataView
from dicomweb.capabilities import CapabilitiesView
from dicomweb.converters import BulkPathConverter
from dicomweb.frames import FramesView
from dicomweb.metadata import MetadataView
from dicomweb.study_resources import OneInstanceView, SeriesView

register_converter(BulkPathConverter, "bulkpath")

_STUDY = "studies/<uid:StudyInstanceUID>"
_SERIES = f"{_STUDY}/series/<uid:SeriesInstanceUID>"
_INSTANCE = f"{_SERIES}/instances/<uid:SOPInstanceUID>"

urlpatterns = [
    path("", CapabilitiesView.as_view(), name="capabilities"),
    path(_SERIES, SeriesView.as_view(), name="series-retrieve"),
    path(_INSTANCE, OneInstanceView.as_view(), name="instance"),
    path(f"{_STUDY}/metadata", MetadataView.as_view(), name="study-metadata"),
    path(f"{_SERIES}/metadata", MetadataView.as_view(), name="series-metadata"),
    path(f"{_INSTANCE}/metadata", MetadataView.as_view(), name="instance-metadata"),
    path(f"{_INSTANCE}/frames/<str:frames>", FramesView.as_view(), name="frames"),
    path(f"{_INSTANCE}/bulkdata/<bulkpath:path>", BulkDataView.as_view(), name="bulkdata"),
]
