"""Frames decoded before they are asked for, while decoders have nothing else to do.

A reader's newest wishes replace the ones before, so whoever turns elsewhere
leaves nothing behind. One decoder always stays free for what is asked for;
where there is only one, nothing is decoded ahead.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from archive.caches import caches
from archive.decode import decode_pool
from archive.frames import read_frame
from archive.models import Instance
from imaging.errors import NoctisError
from imaging.header import DEFLATED_SYNTAXES, NATIVE_SYNTAXES

logger = logging.getLogger("noctis.prefetch")

FRAMES_AHEAD = 8
READERS = 16
# Of the memory's bound: what is decoded ahead must not push out what is being read.
BYTES_SHARE = 0.125
WISH_SECONDS = 5.0
LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class Wish:
    """One frame, counted from 0, and until when it is worth decoding."""

    instance: Instance
    frame: int
    until: float


def is_worth_decoding_ahead(instance: Instance) -> bool:
    """Whether the instance's frames are decoded and kept; uncompressed ones are read at once."""
    syntax = instance.transfer_syntax_uid
    return syntax not in NATIVE_SYNTAXES or syntax in DEFLATED_SYNTAXES


class Prefetcher:
    """Wishes of the last readers, and one thread while there are any."""

    def __init__(
        self,
        read: Callable[[Instance, int], object] = read_frame,
        is_idle: Callable[[], bool] = lambda: decode_pool().has_spare_place(),
    ) -> None:
        self._read = read
        self._is_idle = is_idle
        self._lock = threading.Lock()
        self._wishes: OrderedDict[Hashable, deque[Wish]] = OrderedDict()
        self._current: tuple[Hashable, deque[Wish]] = ("", deque())
        self._is_running = False

    def wish(self, reader: Hashable, frames: Iterable[tuple[Instance, int]]) -> None:
        """Take these frames, the most wanted first, for what this reader wants next."""
        until = time.monotonic() + WISH_SECONDS
        wishes = deque(Wish(instance, frame, until) for instance, frame in _bounded(frames))
        with self._lock:
            self._drop(self._wishes.pop(reader, ()))
            if not wishes:
                return
            self._wishes[reader] = wishes
            while len(self._wishes) > READERS:
                self._drop(self._wishes.popitem(last=False)[1])
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="prefetch", daemon=True).start()

    def _run(self) -> None:
        while (wish := self._next()) is not None:
            while not self._is_idle() and time.monotonic() < wish.until:
                time.sleep(LOOK_SECONDS)
            if time.monotonic() >= wish.until or not self._is_still_wanted(wish):
                continue
            try:
                self._read(wish.instance, wish.frame)
                caches().counts.add("prefetch made")
            except NoctisError:
                continue  # Whoever asks for it is told.
            except Exception:
                logger.exception("frame %s of %s ahead", wish.frame, wish.instance.pk)

    def _next(self) -> Wish | None:
        """Return the next wish of the reader who came last; None ends the thread."""
        with self._lock:
            now = time.monotonic()
            while self._wishes:
                reader, wishes = self._wishes.popitem()
                while wishes:
                    wish = wishes.popleft()
                    if wish.until > now:
                        self._wishes[reader] = wishes
                        self._current = reader, wishes
                        return wish
                    self._drop([wish])
            self._is_running = False
            return None

    def _is_still_wanted(self, wish: Wish) -> bool:
        with self._lock:
            reader, wishes = self._current
            if self._wishes.get(reader) is wishes:
                return True
            self._drop([wish])
            return False

    def _drop(self, wishes: Iterable[Wish]) -> None:
        count = len(list(wishes))
        if count:
            caches().counts.add("prefetch dropped", amount=count)


def _bounded(frames: Iterable[tuple[Instance, int]]) -> Iterable[tuple[Instance, int]]:
    """Return the first of these frames, so few that they fit beside what is being read."""
    room = caches().memory.limit_bytes * BYTES_SHARE
    for number, (instance, frame) in enumerate(frames):
        # Four bytes a pixel are the most that is common.
        room -= (instance.rows or 0) * (instance.columns or 0) * 4
        if number >= FRAMES_AHEAD or room < 0:
            return
        yield instance, frame


# One a process: threads do not survive a fork.
_prefetchers: dict[int, Prefetcher] = {}


def prefetcher() -> Prefetcher:
    """Return this process' own."""
    return _prefetchers.setdefault(os.getpid(), Prefetcher())
