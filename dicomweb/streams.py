"""Long answers: made while they leave, in pieces, under WSGI and ASGI, with flat memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from archive.places import Places
from viewer.compression import Coding

STREAM_LIMIT = 32
THREADS = 4
# What leaves at once; and up to how much is sent whole, without a stream of its own.
PIECE_BYTES = 1 << 19
WHOLE_BYTES = 4 << 20

Pieces = Iterator[bytes | memoryview]
_places = Places(STREAM_LIMIT)
# By process id: threads do not survive a fork.
_executors: dict[int, ThreadPoolExecutor] = {}


def _threads() -> ThreadPoolExecutor:
    made = _executors.get(os.getpid())
    if made is None:
        threads = ThreadPoolExecutor(THREADS, thread_name_prefix="dicomweb")
        made = _executors.setdefault(os.getpid(), threads)
    return made


def in_pieces(small: Pieces) -> Iterator[bytes]:
    """Yield the same bytes in pieces that are worth a turn of the event loop each."""
    held: list[bytes | memoryview] = []
    count = 0
    for piece in small:
        held.append(piece)
        count += len(piece)
        if count >= PIECE_BYTES:
            yield b"".join(held)
            held, count = [], 0
    if held:
        yield b"".join(held)


def coded(pieces: Iterator[bytes], coding: Coding) -> Iterator[bytes]:
    """Yield pieces in a content coding."""
    for piece in pieces:
        yield coding.encode(piece)
    yield coding.finish()


class Stream:
    """The body of an answer under WSGI: iterate once, then close.

    Raises `BusyError` at once when too many run. `then` is called once, when it ends however.
    """

    def __init__(self, pieces: Iterator[bytes], then: Callable[[], None] | None = None) -> None:
        self._is_open = False
        _places.take()
        self._is_open = True
        self._pieces = pieces
        self._then = then

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
            if self._then is not None:
                self._then()

    def __del__(self) -> None:
        self.close()


class AsyncStream:
    """The same body under ASGI: each piece is made in a thread, none in the event loop."""

    def __init__(self, stream: Stream) -> None:
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


def answer_pieces(
    request: Request,
    pieces: Pieces,
    content_type: str,
    *,
    length: int | None = None,
    coding: Coding | None = None,
    then: Callable[[], None] | None = None,
) -> HttpResponseBase:
    """Answer with pieces: at once when they are known to be few bytes, else as a stream.

    `length` is that of all pieces, before any coding. Errors of the first kind become the
    answer; in the midst of a stream they break it off, so that no half answer looks whole.
    """
    is_coded = coding is not None and bool(coding.name)
    if request.method == "HEAD":
        if then is not None:
            then()
        response: HttpResponseBase = HttpResponse(content_type=content_type)
        if length is not None and not is_coded:
            response["Content-Length"] = str(length)
        return response
    if length is not None and length <= WHOLE_BYTES:
        try:
            body = b"".join(pieces)
        finally:
            if then is not None:
                then()
        if is_coded and coding is not None:
            body = coding.encode(body) + coding.finish()
        response = HttpResponse(body, content_type=content_type)
        response["Content-Length"] = str(len(body))
    else:
        larger = in_pieces(pieces)
        stream = Stream(coded(larger, coding) if is_coded and coding else larger, then)
        is_asgi = isinstance(request._request, ASGIRequest)
        response = StreamingHttpResponse(
            AsyncStream(stream) if is_asgi else stream, content_type=content_type
        )
        if length is not None and not is_coded:
            response["Content-Length"] = str(length)
    if is_coded and coding is not None:
        response["Content-Encoding"] = coding.name
    return response
