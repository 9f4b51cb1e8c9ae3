"""Where a request comes from."""

from __future__ import annotations

from django.http import HttpRequest


def read_address(request: HttpRequest | None) -> str:
    """Return the peer's address, "" without a request.

    Headers such as X-Forwarded-For are not read: anybody can write them. A
    server behind a proxy it trusts puts the true address into REMOTE_ADDR.
    """
    return str(request.META.get("REMOTE_ADDR") or "") if request is not None else ""
