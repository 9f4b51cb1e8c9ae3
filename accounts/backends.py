"""Check a password: the one place for every door, so that every door is throttled."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from accounts import throttle
from accounts.address import read_address
from accounts.models import User

# Set on a request whose password was not looked at.
DELAYED = "login_was_delayed"


class PasswordBackend(ModelBackend):
    """Names and passwords from the database, slowed down for who guesses."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **also: Any,
    ) -> User | None:
        """Return the user when the password is right and it was their turn to try.

        Raises
        ------
        PermissionDenied
            During a delay: the password is not looked at and no other
            backend is asked. `accounts.throttle.read_wait` says how long.
        """
        if username is None or password is None:
            return None
        address = read_address(request)
        if throttle.begin_attempt(username, address):
            if request is not None:
                setattr(request, DELAYED, True)
            raise PermissionDenied
        user = super().authenticate(request, username=username, password=password, **also)
        if user is not None:
            throttle.end_attempt(username, address)
        return user
