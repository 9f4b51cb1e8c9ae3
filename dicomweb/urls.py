"""Addresses of DICOM over HTTP (PS3.18 10.1)."""

from django.urls import include, path, register_converter

from archive.query.attributes import Level
from dicomweb.converters import UidConverter
from dicomweb.search import SearchView
from dicomweb.study_resources import StudiesView, StudyView

register_converter(UidConverter, "uid")

app_name = "dicomweb"
_STUDY = "studies/<uid:StudyInstanceUID>"
_SERIES = f"{_STUDY}/series/<uid:SeriesInstanceUID>"

urlpatterns = [
    path("", include("dicomweb.workflow_urls")),
    path("", include("dicomweb.rendered_urls")),
    path("", include("dicomweb.retrieve_urls")),
    path("studies", StudiesView.as_view(level=Level.STUDY), name="studies"),
    path(_STUDY, StudyView.as_view(), name="study"),
    path("series", SearchView.as_view(level=Level.SERIES), name="series"),
    path("instances", SearchView.as_view(level=Level.IMAGE), name="instances"),
    path(f"{_STUDY}/series", SearchView.as_view(level=Level.SERIES), name="study-series"),
    path(f"{_STUDY}/instances", SearchView.as_view(level=Level.IMAGE), name="study-instances"),
    path(f"{_SERIES}/instances", SearchView.as_view(level=Level.IMAGE), name="series-instances"),
]
