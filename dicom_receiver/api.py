"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from django.urls import URLPattern, URLResolver

from dicom_receiver import peer_api
from dicom_receiver.outgoing import api as outgoing

urlpatterns: list[URLPattern | URLResolver] = [
    *outgoing.urlpatterns,
    *peer_api.urlpatterns,
]
