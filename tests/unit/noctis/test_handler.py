"""Bodies are read when a view asks for them, and threads serve again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import pytest
from django.core.exceptions import RequestDataTooBig
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.request import UnreadablePostError
from django.test import override_settings
from django.urls import path

from noctis.handler import NoctisHandler

seen: list[Any] = []


def read_all(request: HttpRequest) -> HttpResponse:
    seen.append(threading.get_ident())
    return HttpResponse(str(len(request.body)))


def read_in_pieces(request: HttpRequest) -> HttpResponse:
    total = 0
    try:
        while piece := request.read(65536):
            total += len(piece)
    except UnreadablePostError:
        seen.append("gone")
        raise
    return HttpResponse(str(total))


def read_unbounded(request: HttpRequest) -> HttpResponse:
    try:
        request.read()
    except RequestDataTooBig:
        return HttpResponse(status=413)
    return HttpResponse()


def refuse(request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=403)


def stream(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b": hello\n\n"
            await asyncio.sleep(600)
        finally:
            seen.append("stream ended")

    return StreamingHttpResponse(pieces(), content_type="text/event-stream")


def fail(request: HttpRequest) -> HttpResponse:
    raise OperationalError("could not connect to server")


def fail_badly(request: HttpRequest) -> HttpResponse:
    raise ValueError("the patient's name")


handler500 = "noctis.errors.answer_failure"
urlpatterns = [
    path("api/fail", fail),
    path("api/fail-badly", fail_badly),
    path("all", read_all),
    path("pieces", read_in_pieces),
    path("unbounded", read_unbounded),
    path("refuse", refuse),
    path("stream", stream),
]


@pytest.fixture(autouse=True)
def own_pages(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = []
    seen.clear()


class Client:
    """One HTTP client at the ASGI border; counts what was taken from it."""

    def __init__(self, chunks: Iterable[bytes], *, leaves: bool = False) -> None:
        self.chunks = list(chunks)
        self.leaves = leaves
        self.taken = 0
        self.sent: list[Any] = []
        self.answered = asyncio.Event()
        self.begun = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self.taken < len(self.chunks):
            self.taken += 1
            more = self.leaves or self.taken < len(self.chunks)
            return {"type": "http.request", "body": self.chunks[self.taken - 1], "more_body": more}
        if not self.leaves:
            await self.answered.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.begun.set()
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.answered.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


async def ask(handler: NoctisHandler, address: str, client: Client) -> Client:
    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/{address}",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await asyncio.wait_for(handler(scope, client.receive, client.send), 20)
    return client


def play(scene: Callable[[NoctisHandler], Any]) -> Any:
    async def run() -> Any:
        return await scene(NoctisHandler())

    return asyncio.run(run())


def test_body_arrives_whole_in_any_pieces() -> None:
    chunks = [b"a" * 70_000, b"", b"b" * 5, b"c" * 130_000]

    async def scene(handler: NoctisHandler) -> list[bytes]:
        return [(await ask(handler, name, Client(chunks))).body for name in ("all", "pieces")]

    assert play(scene) == [b"200005", b"200005"]


def test_body_that_no_view_wants_is_not_taken() -> None:
    client = play(lambda handler: ask(handler, "refuse", Client([b"x" * 65536] * 100)))

    assert client.status == 403
    # What a server discards after the answer is not kept: at most the look for the client's end.
    assert client.body == b""


def test_body_of_unknown_length_stays_within_memory() -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100_000):
        client = play(lambda handler: ask(handler, "unbounded", Client([b"x" * 65536] * 50)))

    assert client.status == 413


def test_client_that_leaves_in_the_middle_ends_the_reading() -> None:
    play(lambda handler: ask(handler, "pieces", Client([b"x" * 65536] * 3, leaves=True)))

    assert seen == ["gone"]


def test_stream_ends_when_its_client_leaves() -> None:
    async def scene(handler: NoctisHandler) -> None:
        client = Client([b""])
        request = asyncio.create_task(ask(handler, "stream", client))
        await client.begun.wait()
        client.answered.set()
        await request

    play(scene)

    assert seen == ["stream ended"]


def test_stream_ends_whole_when_the_server_stops() -> None:
    async def scene(handler: NoctisHandler) -> Client:
        client = Client([b""])
        request = asyncio.create_task(ask(handler, "stream", client))
        await client.begun.wait()
        handler.end_streams()
        return await request

    client = play(scene)

    assert seen == ["stream ended"]
    assert client.sent[-1]["more_body"] is False


@pytest.mark.parametrize("middleware", [[], ["noctis.middleware.OneThread"]])
def test_database_that_is_away_is_503_and_anything_else_500(
    settings: Any, middleware: list[str]
) -> None:
    settings.MIDDLEWARE = middleware

    async def scene(handler: NoctisHandler) -> list[Client]:
        return [await ask(handler, f"api/{name}", Client([b""])) for name in ("fail", "fail-badly")]

    away, broken = play(scene)

    assert (away.status, broken.status) == (503, 500)
    assert (b"retry-after", b"5") in [(k.lower(), v) for k, v in away.sent[0]["headers"]]
    assert b"patient" not in broken.body


def test_requests_after_each_other_share_a_thread() -> None:
    async def scene(handler: NoctisHandler) -> None:
        for _ in range(5):
            await ask(handler, "all", Client([b"x"]))
            await asyncio.sleep(0.02)

    play(scene)

    assert len(set(seen)) == 1
