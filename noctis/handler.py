"""Django under ASGI, with bodies that are streamed and threads that stay.

Django's own handler receives a request's whole body, of any size and from
anybody, before it asks who is there, and gives every request a new thread and
with it a new database connection. Here the body is read when the view asks for
it, and threads with their connections are used again.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core.exceptions import RequestAborted, RequestDataTooBig, SynchronousOnlyOperation
from django.core.handlers.asgi import ASGIHandler
from django.db import connections

# ASGI messages are plain dictionaries; the specification types them by their "type".
Message = Any
Receive = Callable[[], Any]
Send = Callable[[Message], Any]

SILENCE_SECONDS = 60.0
IDLE_THREADS = 16


class Inbox:
    """What a client still sends: its body first, then perhaps its going away."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._thread = threading.current_thread()
        self._is_complete = False
        self._at_end = asyncio.Event()
        self._listening: asyncio.Future[None] | None = None
        self.is_hung_up = False
        self.body = RequestBody(self)

    def read_chunk(self) -> bytes:
        """Return the next piece of the body, b"" at its end; called in a worker thread.

        Raises ConnectionError when the client went away or fell silent.
        """
        if self._is_complete:
            return b""
        if threading.current_thread() is self._thread:
            raise SynchronousOnlyOperation("Read the body in a sync view or through sync_to_async.")
        coming = asyncio.run_coroutine_threadsafe(self._next_chunk(), self._loop)
        try:
            return coming.result(SILENCE_SECONDS)
        except (TimeoutError, concurrent.futures.CancelledError):
            coming.cancel()
            self._is_complete = True
            raise ConnectionAbortedError("The client stopped sending.") from None

    async def _next_chunk(self) -> bytes:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.end_body()
                raise ConnectionResetError("The client went away.")
            if not message.get("more_body", False):
                self.end_body()
            chunk: bytes = message.get("body", b"")
            if chunk or self._is_complete:
                return chunk

    def end_body(self) -> None:
        """Note that the body has ended, or that nobody wants the rest: an answer is on its way."""
        self._is_complete = True
        self._at_end.set()

    async def wait_for_disconnect(self) -> None:
        """Return when the client has gone or was hung up on; looks only after the body is read."""
        await self._at_end.wait()
        self._listening = asyncio.ensure_future(self._hear_disconnect())
        try:
            await self._listening
        except asyncio.CancelledError:
            if not self.is_hung_up:
                raise

    async def _hear_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def hang_up(self) -> None:
        """Let the request end as if the client had gone."""
        self.is_hung_up = True
        if self._listening is not None:
            self._listening.cancel()


class _RawBody(io.RawIOBase):
    """The body as Python's streams want it."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._rest:
            self._rest = memoryview(self._inbox.read_chunk())
        target = memoryview(buffer)
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class RequestBody(io.BufferedReader):
    """A request's body; read whole, it must fit what Django allows in memory."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(_RawBody(inbox), 2**16)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes; without a size everything, within bounds."""
        if size is not None and size >= 0:
            return super().read(size)
        limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        whole = super().read(limit + 1)
        if len(whole) > limit:
            raise RequestDataTooBig("Request body exceeded DATA_UPLOAD_MAX_MEMORY_SIZE.")
        return whole


class ThreadStable:
    """Threads of one event loop, each for one request at a time."""

    def __init__(self) -> None:
        self._idle: list[ThreadPoolExecutor] = []

    def take(self) -> ThreadPoolExecutor:
        """Return a thread: the one used last, or a new one."""
        if self._idle:
            return self._idle.pop()
        return ThreadPoolExecutor(max_workers=1, thread_name_prefix="request")

    def give_back(self, executor: ThreadPoolExecutor) -> None:
        """Take the thread back once it has finished what it does, even for a client that left."""
        loop = asyncio.get_running_loop()
        executor.submit(_nothing).add_done_callback(
            lambda _: loop.call_soon_threadsafe(self._keep, executor)
        )

    def _keep(self, executor: ThreadPoolExecutor) -> None:
        if len(self._idle) < IDLE_THREADS:
            self._idle.append(executor)
        else:
            executor.submit(connections.close_all)
            executor.shutdown(wait=False)


def _nothing() -> None:
    """Run in a thread to learn that it is free."""


class NoctisHandler(ASGIHandler):
    """The ASGI application."""

    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadStable()
        self._streams: set[Inbox] = set()

    def end_streams(self) -> None:
        """End the open event streams, for the server stops; pages come back by themselves."""
        for inbox in self._streams:
            inbox.hang_up()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise ValueError(f"Noctis speaks HTTP alone, not {scope['type']}.")
        inbox = Inbox(receive)

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                inbox.end_body()
                if _is_event_stream(message):
                    self._streams.add(inbox)
                    # A page may watch for hours: it must not keep a connection from others.
                    await sync_to_async(connections.close_all)()
            await send(message)

        executor = self._threads.take()
        try:
            async with ThreadSensitiveContext(executor=executor):
                await self.handle(scope, cast(Any, inbox), watch)
            if inbox.is_hung_up:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.discard(inbox)
            self._threads.give_back(executor)

    async def read_body(self, receive: Any) -> RequestBody:
        """Return the body, not read yet."""
        body: RequestBody = receive.body
        return body

    async def listen_for_disconnect(self, receive: Any) -> None:
        """Raise RequestAborted when the client has gone."""
        await receive.wait_for_disconnect()
        raise RequestAborted


def _is_event_stream(message: Message) -> bool:
    """Whether a response's start announces Server-Sent Events."""
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )
