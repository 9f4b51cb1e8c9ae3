"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from django.urls import URLPattern, URLResolver

from worklist import entry_api, order_api, upload_api

urlpatterns: list[URLPattern | URLResolver] = [
    *order_api.urlpatterns,
    *entry_api.urlpatterns,
    *upload_api.urlpatterns,
]
