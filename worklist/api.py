"""The REST interface of this room, composed into /api/v1 by noctis/urls.py."""

from django.urls import URLPattern, URLResolver

from worklist import order_api

urlpatterns: list[URLPattern | URLResolver] = [*order_api.urlpatterns]
