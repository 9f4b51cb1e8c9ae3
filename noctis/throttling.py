"""How much one person may ask in a minute: counted for all processes that share a cache.

The framework's views name this module while they are being made, so it imports none of them.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.core.cache import cache
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

WINDOW_SECONDS = 60


class PersonThrottle(BaseThrottle):
    """Bounds searches and changes. Single reads and pictures have bounds of their own kind.

    A view may say `throttle_scope`; the scopes are those of `settings.NOCTIS_RATES`, 0 is
    without bound. A cache that is away bounds nothing.
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        """Return whether the person has asked less than the rate in this minute."""
        scope = scope_of(request.method or "", view)
        limit = settings.NOCTIS_RATES.get(scope, 0)
        if not limit or not request.user.is_authenticated:
            return True
        key = f"rate:{scope}:{request.user.pk}:{int(time.time()) // WINDOW_SECONDS}"
        cache.add(key, 0, 2 * WINDOW_SECONDS)
        try:
            count: int | None = cache.incr(key)
        except ValueError:
            return True
        return count is None or count <= limit

    def wait(self) -> float:
        """Return the seconds until the next minute."""
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


def scope_of(method: str, view: Any) -> str:
    """Return what a request counts as; empty when it is not counted."""
    told = getattr(view, "throttle_scope", None)
    if told is not None:
        return str(told)
    if method not in SAFE_METHODS:
        return "change"
    return "search" if getattr(view, "pagination_class", None) is not None else ""
