"""Answers that are made while they leave, piece by piece, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

from archive.places import Places

# Few at once, in threads of their own: exports never starve pictures on screens.
STREAM_LIMIT = 8
THREADS = 2
FILE_BYTES = 1 << 18

_places = Places(STREAM_LIMIT)
# By process id: threads do not survive a fork.
_executors: dict[int, ThreadPoolExecutor] = {}


def file_pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file, and close it."""
    with file:
        while piece := file.read(FILE_BYTES):
            yield piece


def _threads() -> ThreadPoolExecutor:
    made = _executors.get(os.getpid())
    if made is None:
        made = _executors.setdefault(
            os.getpid(), ThreadPoolExecutor(THREADS, thread_name_prefix="exports")
        )
    return made


class PieceStream:
    """The body of an answer under WSGI: iterate once, then close.

    Raises `BusyError` at once when too many run. Closing it, or letting it go, stops the work.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._is_open = False
        _places.take()
        self._is_open = True
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._pieces:
                if not self._is_open:
                    return
                if piece:
                    yield piece
        finally:
            self.close()

    def close(self) -> None:
        """Stop. Safe to repeat."""
        was_open, self._is_open = self._is_open, False
        if was_open:
            _places.give_back()

    def __del__(self) -> None:
        self.close()


class AsyncPieceStream:
    """The same body under ASGI: each piece is made in a thread, none in the event loop."""

    def __init__(self, stream: PieceStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        pieces = iter(self._stream)
        try:
            while piece := await loop.run_in_executor(_threads(), next, pieces, b""):
                yield piece
        finally:
            self._stream.close()

    def close(self) -> None:
        """Stop, when the answer is given up before it began."""
        self._stream.close()
