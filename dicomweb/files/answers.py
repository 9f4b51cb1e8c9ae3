"""How every address of the file interface answers: `{detail}` when it refuses, JSON that is safe.

The words and statuses are the interface's contract; this is its one table.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFilesSent
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions, views
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from dicomweb.search import AnyNegotiation
from imaging import errors

RETRY_SECONDS = 5

STATUSES: dict[type[errors.NoctisError], HTTPStatus] = {
    errors.UnreadableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.LimitExceededError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.UnsupportedError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.IdentityError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.MismatchError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.QueryError: HTTPStatus.BAD_REQUEST,
    errors.TooBroadError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UndecodableError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAVolumeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotAllowedError: HTTPStatus.FORBIDDEN,
    errors.MissingError: HTTPStatus.NOT_FOUND,
    errors.StorageUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.IndexUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.PeerUnavailableError: HTTPStatus.BAD_GATEWAY,
    errors.BusyError: HTTPStatus.SERVICE_UNAVAILABLE,
}


class Refused(exceptions.APIException):
    """An answer of the contract that is no success."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status_code = status


class SafeJSONRenderer(JSONRenderer):
    """JSON that means the same and holds no markup, wherever somebody pastes it."""

    def render(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the JSON with the characters of markup written as escapes."""
        text: bytes = super().render(data, *args, **kwargs)
        for letter in (b"<", b">", b"&"):
            text = text.replace(letter, rb"\u%04x" % letter[0])
        return text


class FileView(views.APIView):
    """What all addresses of the file interface share."""

    permission_classes = [IsAuthenticated]
    renderer_classes = [SafeJSONRenderer]
    content_negotiation_class = AnyNegotiation

    def get_exception_handler(self) -> Any:
        """Return what turns an error into `{detail}`."""
        return answer_detail

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        """Let nobody keep what does not say otherwise."""
        response = super().finalize_response(*args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        return response


def answer_detail(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn an error that a view raised into `{detail}`; None leaves it to Django."""
    refusal = _refusal_of(error)
    if refusal is None:
        return None
    views.set_rollback()
    detail = refusal.detail
    response = Response(
        {"detail": _sentence(detail)}, status=refusal.status_code, content_type="application/json"
    )
    if isinstance(refusal, exceptions.AuthenticationFailed | exceptions.NotAuthenticated):
        response["WWW-Authenticate"] = getattr(refusal, "auth_header", "Session")
    wait_seconds = getattr(refusal, "wait", None)
    if refusal.status_code == 503:
        response["Retry-After"] = str(RETRY_SECONDS)
    elif wait_seconds is not None:
        response["Retry-After"] = str(max(1, round(wait_seconds)))
    return response


def _refusal_of(error: Exception) -> exceptions.APIException | None:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, errors.NoctisError):
        leaf = next(kind for kind in type(error).__mro__ if kind in STATUSES)
        return Refused(STATUSES[leaf], str(error))
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, OperationalError | InterfaceError):
        return Refused(503, "The database does not answer; try again soon.")
    if isinstance(error, TooManyFilesSent | RequestDataTooBig):
        return Refused(413, "Too many files or fields in one request")
    if isinstance(error, MultiPartParserError):
        return Refused(400, "The upload was cut off or is no form")
    return None


def _sentence(detail: Any) -> str:
    """Return a refusal as one sentence; of a form, field by field."""
    if isinstance(detail, dict):
        return " ".join(f"{name}: {_sentence(words)}" for name, words in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(one) for one in detail)
    return str(detail)
