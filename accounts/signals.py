"""What Django tells of log-ins goes into the audit trail, whichever door it was."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from accounts import throttle
from accounts.address import read_address
from accounts.audit import AuditEntry, record, record_for_user
from accounts.backends import DELAYED
from accounts.models import User


def record_login(request: HttpRequest, user: User, **_also: Any) -> None:
    """Write that a person logged in."""
    record_for_user(user, "login", address=read_address(request))


def record_logout(request: HttpRequest, user: User | None, **_also: Any) -> None:
    """Write that a person logged out; who was not logged in leaves no row."""
    if user is not None:
        record_for_user(user, "logout", address=read_address(request))


def record_failed_login(
    credentials: dict[str, Any], request: HttpRequest | None = None, **_also: Any
) -> None:
    """Write that a log-in failed, and how long the name must wait now.

    A name that nobody has is not written down: it may be a password, typed
    into the wrong field. An attempt refused during a delay leaves no row,
    so that guessing cannot flood the trail: the row before says how long.
    """
    if getattr(request, DELAYED, False):
        return
    username = str(credentials.get("username") or "")
    address = read_address(request)
    user = User.objects.filter(username=username[:150]).first()
    entry = AuditEntry(
        action="login",
        actor=user.get_username() if user else "unknown name",
        user_id=user.pk if user else None,
        address=address,
        outcome="failure",
        detail={"wait_seconds": throttle.read_wait(username, address)},
    )
    record([entry])
