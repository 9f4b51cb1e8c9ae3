"""One web process: uvicorn on a socket that the supervisor opened.

The supervisor keeps the socket, so a restart of a web process refuses
nobody: new connections wait until it is back.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from django.conf import settings

from noctis.asgi import application

GRACE_SECONDS = 15


class WebServer(uvicorn.Server):
    """uvicorn that lets go of event streams at once: a page that watches would hold the stop."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, end the streams, let everything else finish."""
        application.end_streams()
        await super().shutdown(sockets)


def main(descriptor: int) -> None:
    """Serve Noctis on an inherited listening socket until a signal comes."""
    config = uvicorn.Config(
        application,
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
    WebServer(config).run(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main(int(sys.argv[1]))
