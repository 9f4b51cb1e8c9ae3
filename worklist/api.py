"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
