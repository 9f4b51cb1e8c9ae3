"""What every REST endpoint shares: how a refusal reads.

Errors are problem documents (RFC 9457): `type`, `title`, `status`,
`detail`, `code`, and `errors` by field when a form was wrong.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions, views
from rest_framework.response import Response

from imaging.errors import NoctisError
from viewer.statuses import RETRY_SECONDS, Refusal

PROBLEM = "application/problem+json"


class Unavailable(exceptions.APIException):
    """The database is away; it heals by itself."""

    status_code = 503
    default_code = "database_unavailable"
    default_detail = "The database does not answer; try again soon."


def answer_problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an error that a view raised into a problem document; None leaves it to Django."""
    if isinstance(error, NoctisError):
        error = Refusal(error)
    elif isinstance(error, OperationalError | InterfaceError):
        error = Unavailable()
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if not isinstance(error, exceptions.APIException):
        return None
    views.set_rollback()
    response = build_problem(error.status_code, *_read_detail(error))
    if isinstance(error, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        response["WWW-Authenticate"] = getattr(error, "auth_header", "Session")
    if error.status_code == 503:
        response["Retry-After"] = str(RETRY_SECONDS)
    wait_seconds = getattr(error, "wait", None)
    if wait_seconds is not None:
        response["Retry-After"] = str(max(1, round(wait_seconds)))
    return response


def build_problem(
    code: int, detail: str, name: str, errors: dict[str, Any] | None = None
) -> Response:
    """Return a problem document with this status."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(code).phrase,
        "status": code,
        "detail": detail,
        "code": name,
    }
    if errors:
        body["errors"] = errors
    return Response(body, status=code, content_type=PROBLEM)


def _read_detail(error: exceptions.APIException) -> tuple[str, str, dict[str, Any] | None]:
    """Return one sentence, a code, and the errors by field."""
    if not isinstance(error, exceptions.ValidationError):
        codes = error.get_codes()
        return str(error.detail), codes if isinstance(codes, str) else error.default_code, None
    detail = error.detail
    if isinstance(detail, dict):
        return "Some fields are wrong.", "invalid", dict(detail)
    sentence = " ".join(str(part) for part in detail) if isinstance(detail, list) else str(detail)
    return sentence, "invalid", None
