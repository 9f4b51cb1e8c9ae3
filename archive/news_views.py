"""The stream of news that pages open: Server-Sent Events.

Under ASGI it stays open. Under WSGI, where a stream would hold a worker, an
answer tells what is new and ends; browsers ask again by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.address import read_address
from accounts.bearers import REALM, find_word, read_bearer
from accounts.models import User
from archive.models import Event
from archive.news import RESET, News, Rights, Stream, coalesce, newest_id, newsroom

CONTENT_TYPE = "text/event-stream"
HEARTBEAT_SECONDS = 15.0
RETRY_MS = 1000
# A page that missed more than this loads itself anew instead of hearing it all.
MOST_MISSED = 500


@require_GET
async def stream_events(request: HttpRequest) -> HttpResponseBase:
    """Tell what happens to studies that the person may see, from `Last-Event-ID` on.

    `?after=<id>` is the place of a page that never listened before; the
    header, which browsers send when they come back, goes first. Event
    `reset` means: too much was missed, load the page anew.
    """
    word = find_word(request.headers.get("Authorization", ""))
    user = await _find_listener(request, word)
    if user is None:
        refused = JsonResponse({"detail": _("Log in first.")}, status=401)
        refused["WWW-Authenticate"] = REALM
        return refused
    after = _read_place(request)
    if not isinstance(request, ASGIRequest):
        text, _newest = await sync_to_async(read_missed)(user, after)
        return _answer(HttpResponse(_opening() + text, content_type=CONTENT_TYPE))
    if not newsroom.has_room(user.pk):
        answer = JsonResponse({"detail": _("Too many open pages listen for news.")}, status=429)
        answer["Retry-After"] = "30"
        return answer
    stream = Stream(
        user_id=user.pk,
        session_key="" if word is not None else request.session.session_key or "",
        word=word or "",
        password_mark=user.get_session_auth_hash(),
        rights=await sync_to_async(Rights.of)(user),
        loop=asyncio.get_running_loop(),
    )
    content = _listen(stream, user, after)
    return _answer(StreamingHttpResponse(content, content_type=CONTENT_TYPE))


async def _find_listener(request: HttpRequest, word: str | None) -> User | None:
    """Return the person of the token or, without one, of the session."""
    if word is not None:
        return await sync_to_async(read_bearer)(word, read_address(request))
    user = await request.auser()
    return user if isinstance(user, User) and request.session.session_key else None


def read_missed(user: User, after: int) -> tuple[bytes, int]:
    """Return the news since `after` as text, and the newest id that it covers."""
    newest = newest_id()
    if after < 0:
        return f"id: {newest}\ndata: {{}}\n\n".encode(), newest
    missed = list(
        Event.objects.visible_to(user)
        .filter(id__gt=after, id__lte=newest)
        .order_by("id")[: MOST_MISSED + 1]
    )
    if len(missed) > MOST_MISSED:
        return f"id: {newest}\n".encode() + RESET, newest
    news = coalesce(News.from_event(event) for event in missed)
    return b"".join(item.as_text() for item in news), newest


async def _listen(stream: Stream, user: User, after: int) -> AsyncIterator[bytes]:
    """Yield what was missed, then the news as they come, until the page goes away."""
    # Joined before the table is read, so that nothing falls between it and the poller.
    newsroom.join(stream)
    try:
        missed, newest = await sync_to_async(_read_missed_and_let_go)(user, after)
        yield _opening() + missed
        while True:
            try:
                place, text = await asyncio.wait_for(stream.waiting.get(), HEARTBEAT_SECONDS)
            except TimeoutError:
                # Proxies need bytes, pages an event: they do not hear comments.
                yield b": still here\nevent: beat\ndata: {}\n\n"
                continue
            if not text:
                return
            if place > newest:
                yield text
    finally:
        newsroom.leave(stream)


def _read_missed_and_let_go(user: User, after: int) -> tuple[bytes, int]:
    """Read what was missed, and keep no connection for the hours that a page may listen."""
    try:
        return read_missed(user, after)
    finally:
        connections.close_all()


def _opening() -> bytes:
    return f"retry: {RETRY_MS}\n: hello\n\n".encode()


def _read_place(request: HttpRequest) -> int:
    """Return the last id that the page has heard; -1 when it begins now."""
    text = request.headers.get("Last-Event-ID") or request.GET.get("after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _answer(response: HttpResponseBase) -> HttpResponseBase:
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response
