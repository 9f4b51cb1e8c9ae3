"""Who asks a REST endpoint: by a token in the header, else by the browser's session.

The framework's views name this module while they are being made, so it
imports none of them; then either may be imported first.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from accounts.address import read_address
from accounts.bearers import REALM, find_word, read_bearer
from accounts.models import User
from viewer import launches

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class InvalidToken(AuthenticationFailed):
    """A token that opens nothing (RFC 6750 3.1); why not is not said."""

    default_detail = "The token is not good, or not any more."
    default_code = "invalid_token"


class BearerAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer …`: an access token (JWT), a token for programs, or a ticket.

    A request with such a header is asked by it alone, whatever its cookies say; it needs no
    token against forgery, for no browser sends the header by itself.
    """

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        """Return the person whose token it is, None when none was given."""
        word = find_word(request.META.get("HTTP_AUTHORIZATION", ""))
        if word is None:
            return None
        user = self._read(word, read_address(request._request))
        if user is None:
            raise InvalidToken
        if not user.grant.may_write and request.method not in SAFE_METHODS:
            raise PermissionDenied("This token reads only.", "read_only_token")
        if user.grant.study_id is not None and not _is_dicomweb(request):
            raise PermissionDenied("A ticket opens its study over DICOMweb alone.", "ticket")
        return user, user.grant.name

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the answer a 401; and say that the token was refused."""
        is_refused = "HTTP_AUTHORIZATION" in request.META
        return f'{REALM}, error="invalid_token"' if is_refused else REALM

    def _read(self, word: str, address: str) -> User | None:
        if word.startswith(launches.PREFIX):
            return launches.read_ticket(word, address)
        return read_bearer(word, address)


def _is_dicomweb(request: Request) -> bool:
    match = request._request.resolver_match
    return match is not None and "dicomweb" in match.namespaces


class SessionAuthentication(authentication.SessionAuthentication):
    """Django's session; who isn't logged in gets 401, who may not gets 403."""

    def authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes the answer a 401."""
        return "Session"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How tokens show in the OpenAPI document."""

    target_class = "noctis.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme."""
        about = "An access token of /api/token/, or a token for programs (noctis_…)."
        return {"type": "http", "scheme": "bearer", "description": about}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the session shows in the OpenAPI document."""

    target_class = "noctis.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the cookie's name and place."""
        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
