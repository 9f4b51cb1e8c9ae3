"""A wire that counts: what a browser had received from a server at a moment."""

from __future__ import annotations

import asyncio
import threading
import time
from types import TracebackType
from typing import Self


class CountedWire:
    """Passes bytes on between a port of its own and a server, and notes what came when."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._noted: list[tuple[float, int]] = []
        self._loop = asyncio.new_event_loop()
        self.port = 0

    def __enter__(self) -> Self:
        ready = threading.Event()
        threading.Thread(target=self._run, args=(ready,), daemon=True).start()
        ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)

    def bytes_until(self, moment: float) -> int:
        """Return how many bytes had left the server at a time of day."""
        return sum(count for when, count in self._noted if when <= moment)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        start = asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.port = self._loop.run_until_complete(start).sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", self._server_port)
        await asyncio.gather(_copy(reader, forth), _copy(back, writer, self._note))

    def _note(self, count: int) -> None:
        self._noted.append((time.time(), count))


async def _copy(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, note: object = None
) -> None:
    try:
        while data := await source.read(1 << 16):
            if callable(note):
                note(len(data))
            target.write(data)
            await target.drain()
    except ConnectionError:
        pass
    finally:
        target.close()
