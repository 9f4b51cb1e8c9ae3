"""What answers with pictures share: one kind of answer an address, kept by one browser alone."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request


class AnyAccept(BaseContentNegotiation):
    """An address has one kind of answer; what the Accept header wishes changes nothing."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the JSON renderer, which errors and documents use."""
        return JSONRenderer(), JSONRenderer.media_type


def answer_unchanged(request: Request, etag: str) -> HttpResponseBase | None:
    """Return the 304 for a browser that has this already; who asked was checked before."""
    answer = get_conditional_response(request._request, etag=_plain(etag))
    return kept_private(answer, etag) if answer is not None else None


def kept_private(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    """Let only this person's browser keep the answer, and ask each time whether it still may."""
    response["Cache-Control"] = "private, no-cache"
    response["ETag"] = _plain(etag)
    response["X-Content-Type-Options"] = "nosniff"
    patch_vary_headers(response, ["Cookie", "Authorization"])
    return response


def _plain(etag: str) -> str:
    """Return the tag without commas: lists of tags are split there, inside quotes too."""
    return etag.replace(",", "_")
