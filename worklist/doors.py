"""What every page of this room asks first: who is there, and the trail of what they saw."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.views.decorators.cache import cache_control

from accounts import audit
from accounts.address import read_address
from accounts.models import User

logger = logging.getLogger("noctis.worklist")

View = Callable[..., HttpResponseBase]


def person_of(request: HttpRequest) -> User:
    """Return who is logged in; the view must be behind `for_people`."""
    return cast(User, request.user)


def for_people(view: View) -> View:
    """Let only people who are logged in see the page; nothing of it is kept by caches.

    A fragment's request is told where to log in by a header, for a
    log-in page must not land inside a list.
    """

    @wraps(view)
    @cache_control(private=True, no_store=True)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        login = resolve_url(settings.LOGIN_URL)
        if is_fragment(request):
            return HttpResponse(status=401, headers={"HX-Redirect": login})
        return redirect(f"{login}?{urlencode({'next': request.get_full_path()})}")

    return guarded


def is_fragment(request: HttpRequest) -> bool:
    """Whether HTMX asks for a part of the page, not for the page itself."""
    headers = request.headers
    return "HX-Request" in headers and "HX-History-Restore-Request" not in headers


def tell(request: HttpRequest, action: str, **about: Any) -> None:
    """Write to the audit trail that this person saw something.

    When the database takes no writing, reading goes on and the log tells of
    the gap: a full disk must not close the reading room.
    """
    try:
        audit.record_for_user(person_of(request), action, address=read_address(request), **about)
    except DatabaseError:
        logger.exception("the audit trail did not take %s", action)
