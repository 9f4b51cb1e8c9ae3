"""Pages of this room."""

from django.urls import URLPattern, URLResolver

app_name = "dicom_receiver"
urlpatterns: list[URLPattern | URLResolver] = []
