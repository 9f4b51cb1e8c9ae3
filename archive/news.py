"""Live news for pages: from the event table to every open stream of this process.

One thread a process looks for new events a few times a second and hands each
to the streams whose people may see it, however many there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.contrib.sessions.models import Session
from django.db import connections
from django.utils import timezone

from accounts.bearers import read_bearer
from accounts.models import User
from archive.models import Event

logger = logging.getLogger("noctis.news")

POLL_SECONDS = 0.25
# Rights are looked up again this often: a change of role or facility holds at once for pages,
# and within this time for streams.
RIGHTS_SECONDS = 2.0
MOST_STREAMS_A_PERSON = 12
_MOST_WAITING = 1000

RESET = b"event: reset\ndata: {}\n\n"
# The place of what belongs into a stream whatever it has heard already.
ALWAYS = sys.maxsize
# The first look goes back a little: streams that just opened pass over what they know.
_LOOK_BACK = 1000


@dataclass(frozen=True)
class News:
    """One event as streams carry it."""

    id: int
    kind: str
    facility_id: uuid.UUID | None
    study_id: uuid.UUID | None
    payload: str

    @classmethod
    def from_event(cls, event: Event) -> News:
        """Return what streams need of a row."""
        return cls(
            event.pk, event.kind, event.facility_id, event.study_id, json.dumps(event.payload)
        )

    def as_text(self) -> bytes:
        """Return the event as the stream's text (HTML 9.2.5)."""
        study = f'"{self.study_id}"' if self.study_id else "null"
        data = f'{{"study":{study},"payload":{self.payload}}}'
        return f"id: {self.id}\nevent: {self.kind}\ndata: {data}\n\n".encode()


def coalesce(news: Iterable[News]) -> list[News]:
    """Return the news without those that a later one repeats; a burst becomes one a study."""
    latest: dict[tuple[str, uuid.UUID | None, uuid.UUID | None, str], News] = {}
    for item in news:
        key = (item.kind, item.study_id, item.facility_id, item.payload)
        latest.pop(key, None)
        latest[key] = item
    return list(latest.values())


@dataclass(frozen=True)
class Rights:
    """What a person may hear of."""

    sees_all: bool
    facility_ids: frozenset[uuid.UUID]

    def may_hear(self, news: News) -> bool:
        """Whether the news is about what the person may see."""
        return self.sees_all or news.facility_id in self.facility_ids

    @classmethod
    def of(cls, user: User) -> Rights:
        """Return the rights of a person as they are now."""
        return cls(user.is_archive_admin, frozenset(user.facility_keys()))


@dataclass(eq=False)
class Stream:
    """One open page. Belongs to the event loop; the poller hands things over to it."""

    user_id: uuid.UUID
    session_key: str
    password_mark: str
    rights: Rights
    loop: asyncio.AbstractEventLoop
    # Of a program that came by a token instead of a session.
    word: str = field(default="", repr=False)
    # (id, text); an empty text ends the stream. What the table told already is passed over.
    waiting: asyncio.Queue[tuple[int, bytes]] = field(
        default_factory=lambda: asyncio.Queue(_MOST_WAITING)
    )

    def offer(self, news: list[News]) -> None:
        """Hand news over from the poller's thread."""
        heard = [item for item in news if self.rights.may_hear(item)]
        if heard:
            self._call(self._put, heard)

    def end(self) -> None:
        """Close the stream from the poller's thread."""
        self._call(self._end)

    def _call(self, what: object, *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the stream with it
            self.loop.call_soon_threadsafe(what, *args)  # type: ignore[arg-type]

    def _put(self, news: list[News]) -> None:
        for item in news:
            if self.waiting.full():
                # The reader is slower than the news: it starts afresh.
                self._drain()
                self.waiting.put_nowait((ALWAYS, RESET))
            self.waiting.put_nowait((item.id, item.as_text()))

    def _end(self) -> None:
        self._drain()
        self.waiting.put_nowait((ALWAYS, b""))

    def _drain(self) -> None:
        while not self.waiting.empty():
            self.waiting.get_nowait()


class Newsroom:
    """All streams of a process and the one thread that looks for news."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: set[Stream] = set()
        self._thread: threading.Thread | None = None

    def has_room(self, user_id: uuid.UUID) -> bool:
        """Whether the person may open another stream."""
        with self._lock:
            theirs = sum(one.user_id == user_id for one in self._streams)
        return theirs < MOST_STREAMS_A_PERSON

    def join(self, stream: Stream) -> None:
        """Add a stream; the first one starts the poller."""
        with self._lock:
            self._streams.add(stream)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="news", daemon=True)
                self._thread.start()

    def leave(self, stream: Stream) -> None:
        """Remove a stream; the poller ends with the last one."""
        with self._lock:
            self._streams.discard(stream)

    def is_busy(self) -> bool:
        """Whether a stream is open or the poller has not ended yet."""
        with self._lock:
            return bool(self._streams) or self._thread is not None

    def _snapshot(self) -> list[Stream]:
        """Return the open streams; none tells the poller that it has ended."""
        with self._lock:
            if not self._streams:
                self._thread = None
            return list(self._streams)

    def _run(self) -> None:
        position: int | None = None
        next_look = 0.0
        try:
            while streams := self._snapshot():
                try:
                    if position is None:
                        position = max(0, newest_id() - _LOOK_BACK)
                    if time.monotonic() >= next_look:
                        renew_rights(streams)
                        next_look = time.monotonic() + RIGHTS_SECONDS
                    position = _fan_out(streams, position)
                except Exception:
                    # The table is away for now; streams live on by their heartbeats.
                    logger.exception("no news could be read")
                    connections.close_all()
                    time.sleep(RIGHTS_SECONDS)
                time.sleep(POLL_SECONDS)
        finally:
            connections.close_all()


def newest_id() -> int:
    """Return the id of the newest event, 0 without any."""
    return Event.objects.order_by("-id").values_list("id", flat=True).first() or 0


def _fan_out(streams: list[Stream], position: int) -> int:
    """Offer what is new since `position` to all streams; returns the new position."""
    events = list(Event.objects.filter(id__gt=position).order_by("id")[:2000])
    if not events:
        return position
    news = coalesce(News.from_event(event) for event in events)
    for stream in streams:
        stream.offer(news)
    return events[-1].pk


def renew_rights(streams: list[Stream]) -> None:
    """Look up again what each stream's person may hear; end streams that may not be.

    Three queries, however many pages: people, their facilities, sessions. Programs that came
    by a token are asked one by one: a token may be over, or bound to a facility.
    """
    for stream in [one for one in streams if one.word]:
        holder = read_bearer(stream.word)
        if holder is None:
            stream.end()
        else:
            stream.rights = Rights.of(holder)
    streams = [one for one in streams if not one.word]
    users = {
        user.pk: user for user in User.objects.filter(pk__in={stream.user_id for stream in streams})
    }
    facilities: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    for user_id, facility_id in User.objects.filter(
        pk__in=users, facilities__is_active=True
    ).values_list("pk", "facilities"):
        facilities[user_id].add(facility_id)
    sessions = set(
        Session.objects.filter(
            session_key__in={stream.session_key for stream in streams},
            expire_date__gt=timezone.now(),
        ).values_list("session_key", flat=True)
    )
    for stream in streams:
        user = users.get(stream.user_id)
        is_right = (
            user is not None
            and user.is_active
            and stream.session_key in sessions
            and user.get_session_auth_hash() == stream.password_mark
        )
        if user is None or not is_right:
            stream.end()
        else:
            keys = frozenset(facilities[user.pk])
            stream.rights = Rights(user.is_archive_admin, keys)


newsroom = Newsroom()
