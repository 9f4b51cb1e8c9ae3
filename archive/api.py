"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from django.urls import URLPattern, URLResolver, path

from archive import news_views

urlpatterns: list[URLPattern | URLResolver] = [
    path("events/", news_views.stream_events, name="events"),
]
