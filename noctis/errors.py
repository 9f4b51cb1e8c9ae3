"""What a visitor sees when something broke: no traceback, and no page where JSON was asked for."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import loader

from noctis.rest import PROBLEM

RETRY_SECONDS = 5
_PROGRAMS = ("/api/", "/dicomweb/", "/readyz", "/metrics")


def answer_failure(request: HttpRequest) -> HttpResponse:
    """Answer 503 when the database is away, which heals by itself, else 500."""
    is_away = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    status = 503 if is_away else 500
    response = _write(request, status)
    if is_away:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def _write(request: HttpRequest, status: int) -> HttpResponse:
    if request.path.startswith(_PROGRAMS):
        title = "Service Unavailable" if status == 503 else "Internal Server Error"
        body = {"type": "about:blank", "title": title, "status": status, "code": "failure"}
        return JsonResponse(body, status=status, content_type=PROBLEM)
    page = loader.get_template("500.html").render({"status": status})
    return HttpResponse(page, status=status)


def answer_missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404 in the language of who asks."""
    if request.path.startswith(_PROGRAMS):
        body = {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "There is nothing at this address.",
            "code": "not_found",
        }
        return JsonResponse(body, status=404, content_type=PROBLEM)
    return HttpResponse(loader.get_template("404.html").render({}, request), status=404)
