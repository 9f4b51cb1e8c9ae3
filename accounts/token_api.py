"""Credentials over HTTP: log-in by JSON Web Token, and one's own tokens for programs."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth import authenticate
from django.http import Http404
from django.urls import URLPattern, URLResolver, path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from accounts import api_tokens, jwts, throttle
from accounts.address import read_address
from accounts.api_tokens import Wish
from accounts.bearers import REALM
from accounts.models import User
from accounts.token_form import NewTokenSerializer, TokenSerializer, TokenWishSerializer

PROBLEM = OpenApiResponse(description="A problem document.")


class LogInSerializer(serializers.Serializer[Any]):
    """Name and password."""

    username = serializers.CharField(max_length=150)
    password = serializers.CharField(max_length=4096, trim_whitespace=False)


class RefreshSerializer(serializers.Serializer[Any]):
    """A refresh token."""

    refresh = serializers.CharField(max_length=4096)


class PairSerializer(serializers.Serializer[Any]):
    """Two tokens: one to ask with, one to get the next two."""

    access = serializers.CharField(help_text="Good for five minutes.")
    refresh = serializers.CharField(help_text="Good once, for a day.")


class AddressThrottle(SimpleRateThrottle):
    """Bounds what one address asks; passwords are slowed down besides, for all processes."""

    scope = "token"
    rate = "300/min"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """Return the key of the address that really called."""
        place = read_address(request._request)
        return self.cache_format % {"scope": self.scope, "ident": place}


class Waiting(exceptions.Throttled):
    """Too many wrong passwords: wait."""

    default_detail = "Name and password did not match, too often."
    extra_detail_singular = "Try again in {wait} second."
    extra_detail_plural = "Try again in {wait} seconds."


class DoorView(APIView):
    """Where one who is nobody yet gets credentials; cookies are not looked at."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (AddressThrottle,)

    def get_authenticate_header(self, request: Request) -> str:
        """Name the scheme, which makes a refusal a 401."""
        return REALM

    def read(self, serializer: type[serializers.Serializer[Any]], request: Request) -> Any:
        """Return the checked fields of the body."""
        form = serializer(data=request.data)
        form.is_valid(raise_exception=True)
        return form.validated_data


class ObtainPair(DoorView):
    """Log in."""

    @extend_schema(
        request=LogInSerializer,
        responses={200: PairSerializer, 400: PROBLEM, 401: PROBLEM, 429: PROBLEM},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Return an access and a refresh token for a name and a password."""
        asked = self.read(LogInSerializer, request)
        user = authenticate(request._request, **asked)
        address = read_address(request._request)
        if not isinstance(user, User):
            wait = throttle.read_wait(asked["username"], address)
            if wait:
                raise Waiting(wait)
            raise exceptions.AuthenticationFailed("Name and password do not match.")
        return _answer(jwts.open_family(user, address=address))


class RefreshPair(DoorView):
    """Go on."""

    @extend_schema(
        request=RefreshSerializer,
        responses={200: PairSerializer, 400: PROBLEM, 401: PROBLEM, 429: PROBLEM},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Return the next two tokens; the one that is given is over.

        A token that was used before ends the whole log-in: two have had it.
        """
        asked = self.read(RefreshSerializer, request)
        pair = jwts.rotate(asked["refresh"], address=read_address(request._request))
        if pair is None:
            raise exceptions.AuthenticationFailed("This token is over; log in again.")
        return _answer(pair)


class EndPair(DoorView):
    """Log out."""

    @extend_schema(
        request=RefreshSerializer, responses={204: None, 400: PROBLEM, 429: PROBLEM}, auth=[]
    )
    def post(self, request: Request) -> Response:
        """End the log-in that a refresh token came of; whether it was good is not said."""
        asked = self.read(RefreshSerializer, request)
        jwts.close_family(asked["refresh"], address=read_address(request._request))
        return Response(status=204)


class Tokens(APIView):
    """One's own tokens for programs."""

    @extend_schema(responses={200: TokenSerializer(many=True), 401: PROBLEM})
    def get(self, request: Request) -> Response:
        """List the tokens, newest first; their words are nowhere."""
        return Response(TokenSerializer(api_tokens.find_tokens(_person(request)), many=True).data)

    @extend_schema(
        request=TokenWishSerializer,
        responses={
            201: NewTokenSerializer,
            **dict.fromkeys((400, 401, 403, 409), PROBLEM),
        },
    )
    def post(self, request: Request) -> Response:
        """Make a token; its word is in this answer alone."""
        form = TokenWishSerializer(data=request.data, context={"request": request})
        form.is_valid(raise_exception=True)
        wish = Wish(**{"facility": None, **form.validated_data})
        address = read_address(request._request)
        token, word = api_tokens.make_token(_person(request), wish, address=address)
        answer = Response({**TokenSerializer(token).data, "token": word}, status=201)
        answer["Cache-Control"] = "no-store"
        return answer


class OneToken(APIView):
    """One of one's own tokens."""

    @extend_schema(responses={204: None, 401: PROBLEM, 403: PROBLEM, 404: PROBLEM})
    def delete(self, request: Request, token_id: uuid.UUID) -> Response:
        """Revoke the token; from the next request on it opens nothing."""
        person = _person(request)
        if not person.grant.may_delegate:
            raise exceptions.PermissionDenied("A token ends no tokens.")
        token = api_tokens.find_tokens(person).filter(pk=token_id).first()
        if token is None:
            raise Http404
        api_tokens.revoke_token(person, token, address=read_address(request._request))
        return Response(status=204)


def _answer(pair: jwts.Pair) -> Response:
    answer = Response({"access": pair.access, "refresh": pair.refresh})
    answer["Cache-Control"] = "no-store"
    return answer


def _person(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


door_patterns: list[URLPattern | URLResolver] = [
    path("", ObtainPair.as_view(), name="token"),
    path("refresh/", RefreshPair.as_view(), name="token-refresh"),
    path("revoke/", EndPair.as_view(), name="token-revoke"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    path("tokens/", Tokens.as_view(), name="tokens"),
    path("tokens/<uuid:token_id>/", OneToken.as_view(), name="token-detail"),
]
