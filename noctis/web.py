"""One web process: uvicorn on a socket that the supervisor opened.

The supervisor keeps the socket, so a restart of a web process refuses
nobody: new connections wait until it is back.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import uvicorn
from django.conf import settings

from noctis.asgi import application
from noctis.handler import NoctisHandler, is_event_stream

GRACE_SECONDS = 15


class EndlessResponses:
    """Wraps the application; ends event streams when the server stops.

    A page that watches for news would hold the shutdown until its time-out;
    it reconnects by itself.
    """

    def __init__(self, application: NoctisHandler) -> None:
        self.application = application
        self.streams: set[asyncio.Task[Any] | None] = set()
        self.stopping = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        task = asyncio.current_task()

        async def watch(message: Any) -> None:
            if message["type"] == "http.response.start" and is_event_stream(message):
                if self.stopping:
                    raise asyncio.CancelledError
                self.streams.add(task)
            await send(message)

        try:
            await self.application(scope, receive, watch)
        except asyncio.CancelledError:
            if not self.stopping:
                raise
        finally:
            self.streams.discard(task)

    def end(self) -> None:
        """End the streams that are open, and refuse new ones."""
        self.stopping = True
        for task in self.streams:
            if task is not None:
                task.cancel()


class WebServer(uvicorn.Server):
    """uvicorn that lets go of event streams at once."""

    def __init__(self, config: uvicorn.Config, streams: EndlessResponses) -> None:
        super().__init__(config)
        self.streams = streams

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, let everything else finish."""
        self.streams.end()
        await super().shutdown(sockets)


def main(descriptor: int) -> None:
    """Serve Noctis on an inherited listening socket until a signal comes."""
    streams = EndlessResponses(application)
    config = uvicorn.Config(
        streams,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        proxy_headers=settings.NOCTIS_TRUST_PROXY,
        forwarded_allow_ips=settings.NOCTIS_TRUSTED_PROXIES,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    WebServer(config, streams).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
