"""Addresses of pictures and texts made of what is stored (PS3.18 Tables 10.4.1-3, 10.4.1-4)."""

from django.urls import path

from dicomweb.rendered import RenderedView
from dicomweb.thumbnails import ThumbnailView
from dicomweb.wado_uri import WadoUriView

_STUDY = "studies/<uid:StudyInstanceUID>"
_SERIES = f"{_STUDY}/series/<uid:SeriesInstanceUID>"
_INSTANCE = f"{_SERIES}/instances/<uid:SOPInstanceUID>"
_FRAMES = f"{_INSTANCE}/frames/<str:frames>"

urlpatterns = [
    path(f"{_STUDY}/rendered", RenderedView.as_view(), name="study-rendered"),
    path(f"{_SERIES}/rendered", RenderedView.as_view(), name="series-rendered"),
    path(f"{_INSTANCE}/rendered", RenderedView.as_view(), name="instance-rendered"),
    path(f"{_FRAMES}/rendered", RenderedView.as_view(), name="frames-rendered"),
    path(f"{_STUDY}/thumbnail", ThumbnailView.as_view(), name="study-thumbnail"),
    path(f"{_SERIES}/thumbnail", ThumbnailView.as_view(), name="series-thumbnail"),
    path(f"{_INSTANCE}/thumbnail", ThumbnailView.as_view(), name="instance-thumbnail"),
    path(f"{_FRAMES}/thumbnail", ThumbnailView.as_view(), name="frames-thumbnail"),
    path("wado", WadoUriView.as_view(), name="wado-uri"),
]
