"""What the addresses of volumes, planes and views share: who may ask, and how a refusal reads."""

from __future__ import annotations

import uuid

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from archive.models import Series
from archive.picture_answers import AnyAccept
from imaging.errors import BusyError, NotAVolumeError

# Long enough for most series; who asks for a larger one is told how far it is.
WAIT_SECONDS = 4.0
RETRY_SECONDS = 1

PROBLEMS = {
    404: OpenApiResponse(description="It is not there, or belongs to another facility."),
    422: OpenApiResponse(
        description="The series is no volume (`not_a_volume`, with `reasons` and `reason_codes`), "
        "or a file is damaged."
    ),
    503: OpenApiResponse(
        description="The volume is being built (`volume_building`, with `progress` from 0 to 1), "
        "or too much is wanted at once; come again after Retry-After."
    ),
}
TIME_POINT = OpenApiParameter("time_point", int, description="Of the series, from 0.")


class AnyAnswer(AnyAccept, DefaultContentNegotiation):
    """Any answer is accepted; bodies are read by the view's own parsers alone."""


class VolumeView(APIView):
    """What the addresses of volumes share: who may ask, and how a refusal reads."""

    permission_classes = [IsAuthenticated]
    content_negotiation_class = AnyAnswer
    http_method_names = ["get", "head", "options"]

    def handle_exception(self, exc: Exception) -> Response:
        """Add to a refusal what a program can use; a browser keeps none of them."""
        response = super().handle_exception(exc)
        if isinstance(exc, NotAVolumeError) and exc.reasons:
            response.data["reason_codes"] = [code for code, _words in exc.reasons]
            response.data["reasons"] = [words for _code, words in exc.reasons]
        if isinstance(exc, BusyError) and exc.progress is not None:
            response.data["code"] = "volume_building"
            response.data["progress"] = round(exc.progress, 3)
            response["Retry-After"] = str(RETRY_SECONDS)
        response["Cache-Control"] = "private, no-store"
        return response

    def find_series(self, series_id: uuid.UUID) -> Series:
        """Return a series that the person may see, with its study."""
        visible = Series.objects.visible_to(self.request.user)
        series = visible.select_related("study__patient").filter(pk=series_id).first()
        if series is None:
            raise NotFound(_("Not found."), "not_found")
        return series
