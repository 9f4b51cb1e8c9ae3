"""Answers that grow while the work goes on, under ASGI and under WSGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpRequest, StreamingHttpResponse


def stream(
    request: HttpRequest, pieces: Iterator[bytes], content_type: str
) -> StreamingHttpResponse:
    """Return an answer that sends each piece as soon as it is made.

    Under ASGI the iterator runs in a thread of its own. When the client goes
    away the iterator is closed, so that its `finally` runs.
    """
    content = in_thread(pieces) if isinstance(request, ASGIRequest) else pieces
    response = StreamingHttpResponse(content, content_type=content_type)
    response["Cache-Control"] = "no-store"
    # Proxies that gather answers would turn progress into one late lump.
    response["X-Accel-Buffering"] = "no"
    return response


async def in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what the iterator yields; it runs and ends in one thread."""
    loop = asyncio.get_running_loop()
    thread = ThreadPoolExecutor(1, thread_name_prefix="stream")
    try:
        while (piece := await loop.run_in_executor(thread, next, pieces, None)) is not None:
            yield piece
    finally:
        # Not awaited: a client that went away cancels this coroutine.
        thread.submit(_end, pieces)
        thread.shutdown(wait=False)


def _end(pieces: Iterator[bytes]) -> None:
    close = getattr(pieces, "close", None)
    try:
        if close is not None:
            close()
    finally:
        connections.close_all()
