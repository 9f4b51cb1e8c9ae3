"""The REST form of a reader's preferences, docs/preferences.md."""

from __future__ import annotations

from typing import cast

from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from archive.json_bodies import PlainJSONParser
from viewer.api import PictureView
from viewer.preferences import read_preferences, replace_preferences
from viewer.preferences_form import FORMAT, PreferencesForm


class PreferencesView(PictureView):
    """The settings of the person who asks; nobody else's can be reached."""

    http_method_names = ["get", "head", "options", "put"]
    parser_classes = [PlainJSONParser]
    content_negotiation_class = DefaultContentNegotiation  # type: ignore[assignment]

    @extend_schema(operation_id="preferences", responses={200: PreferencesForm})
    def get(self, request: Request) -> HttpResponseBase:
        """Return the settings; what is left out is as the house has it."""
        return _answer(*read_preferences(cast(User, request.user)))

    @extend_schema(
        operation_id="preferences_replace",
        request=PreferencesForm,
        responses={
            200: PreferencesForm,
            400: OpenApiResponse(description="A field is wrong; `errors` says which and why."),
            409: OpenApiResponse(description="They were changed since: read them again."),
        },
    )
    def put(self, request: Request) -> HttpResponseBase:
        """Replace the settings whole."""
        form = PreferencesForm(data=request.data)
        form.is_valid(raise_exception=True)
        wish = form.validated_data
        user = cast(User, request.user)
        version = replace_preferences(user, wish["document"], version=wish["version"])
        return _answer(version, wish["document"])


def _answer(version: int, document: object) -> Response:
    answer = Response({"format": FORMAT, "version": version, "document": document})
    answer["Cache-Control"] = "private, no-store"
    return answer


urlpatterns: list[URLPattern | URLResolver] = [
    path("preferences/", PreferencesView.as_view(), name="preferences"),
]
