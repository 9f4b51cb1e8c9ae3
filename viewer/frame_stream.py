"""Many frames in one answer: records that leave as soon as each is ready.

A record is a head of 32 bytes and a payload. The head: the instance's UUID
(16 bytes), then little-endian unsigned 32-bit numbers: frame, status,
payload length, stack index. With status 0 the payload is the pixels, else
words in UTF-8 that say what is wrong. A picture that cannot be had takes its
place in the order like any other: nothing is left out and nothing invented.
"""

from __future__ import annotations

import asyncio
import enum
import itertools
import logging
import os
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.utils.translation import gettext as _

from archive.frames import read_frame
from archive.models import Instance
from archive.places import Places
from imaging.errors import MissingError, NoctisError, UnreadableError
from viewer.compression import Coding

logger = logging.getLogger("noctis.viewer")

HEAD = struct.Struct("<16sIIII")
STREAM_LIMIT = 32
# Frames that are read while one is on its way out: enough for every decoder to have work.
AHEAD = 3


class RecordStatus(enum.IntEnum):
    """What a record carries."""

    PIXELS = 0
    MISSING = 1
    DAMAGED = 2
    CANNOT_SHOW = 3


@dataclass(frozen=True)
class WantedImage:
    """One image that was asked for; `frame` counts from 0."""

    stack_index: int
    instance: Instance
    frame: int


@dataclass(frozen=True)
class Record:
    """One image on its way out."""

    wanted: WantedImage
    status: RecordStatus
    payload: bytes | memoryview

    def head(self) -> bytes:
        """Return the 32 bytes that go before the payload."""
        return HEAD.pack(
            self.wanted.instance.pk.bytes,
            self.wanted.frame,
            self.status,
            len(self.payload),
            self.wanted.stack_index,
        )


def read_record(wanted: WantedImage) -> Record:
    """Read one image; whatever is wrong with it becomes a record that says so."""
    try:
        data = read_frame(wanted.instance, wanted.frame).data
    except NoctisError as error:
        return Record(wanted, _status_of(error), str(error).encode())
    except Exception:
        logger.exception("frame %s of instance %s failed", wanted.frame, wanted.instance.pk)
        words = _("This picture cannot be shown: an unexpected error was logged.")
        return Record(wanted, RecordStatus.CANNOT_SHOW, words.encode())
    return Record(wanted, RecordStatus.PIXELS, data)


def _status_of(error: NoctisError) -> RecordStatus:
    if isinstance(error, MissingError):
        return RecordStatus.MISSING
    if isinstance(error, UnreadableError):
        return RecordStatus.DAMAGED
    return RecordStatus.CANNOT_SHOW


# --- threads ---------------------------------------------------------------
# By process id: threads do not survive a fork. Readers wait for files and decoders,
# senders for readers; so neither can block the other.
_executors: dict[tuple[int, str], ThreadPoolExecutor] = {}
_THREADS = {"readers": 4, "senders": 8}


def _threads(name: str) -> ThreadPoolExecutor:
    key = (os.getpid(), name)
    executor = _executors.get(key)
    if executor is None:
        made = ThreadPoolExecutor(_THREADS[name], thread_name_prefix=f"frames-{name}")
        executor = _executors.setdefault(key, made)
    return executor


# --- the stream ------------------------------------------------------------
_places = Places(STREAM_LIMIT)


class FrameStream:
    """The body of an answer under WSGI: iterate once, then close.

    Raises `BusyError` at once when too many streams run. Closing it, or
    letting it go, stops the work. `then` is called when all images were
    read, unless it was closed before.
    """

    def __init__(
        self,
        wanted: Iterable[WantedImage],
        coding: Coding,
        then: Callable[[], None] | None = None,
    ) -> None:
        self._is_open = False
        _places.take()
        self._is_open = True
        self._wanted = list(wanted)
        self._coding = coding
        self._then = then
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        try:
            for record in self._records():
                yield self._coding.encode(record.head(), record.payload)
            if self._is_open and (end := self._coding.finish()):
                yield end
        finally:
            self.close()

    def close(self) -> None:
        """Stop: no further frame is read. Safe to repeat, from any thread."""
        with self._lock:
            was_open, self._is_open = self._is_open, False
        if was_open:
            _places.give_back()

    def __del__(self) -> None:
        # A request that was given up before its answer began never iterates.
        if self._is_open:
            self.close()

    def _records(self) -> Iterator[Record]:
        """Yield the records in the asked order, a few of them read ahead."""
        readers = _threads("readers")
        images = iter(self._wanted)
        ahead: deque[Future[Record]] = deque(
            readers.submit(read_record, image) for image in itertools.islice(images, AHEAD)
        )
        try:
            while ahead and self._is_open:
                record = ahead.popleft().result()
                following = itertools.islice(images, 1)
                ahead.extend(readers.submit(read_record, image) for image in following)
                if not ahead and self._then is not None:
                    self._then()
                yield record
        finally:
            for future in ahead:
                future.cancel()


class AsyncFrameStream:
    """The same body under ASGI: each piece is made in a thread, none in the event loop."""

    def __init__(self, stream: FrameStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        pieces = iter(self._stream)
        try:
            while piece := await loop.run_in_executor(_threads("senders"), next, pieces, b""):
                yield piece
        finally:
            # A thread may still be at work on one piece; it sees the closed stream and ends.
            self._stream.close()

    def close(self) -> None:
        """Stop, when the answer is given up before it began."""
        self._stream.close()
