"""How the parent hands an accepted connection to a child process, and hears of its end.

Both ends of one socket pair speak small messages of fixed size, so neither
ever waits for the other in the middle of one. The association request itself
may be long, so it travels as an open file beside the socket.
"""

from __future__ import annotations

import os
import socket
import struct
import tempfile
from typing import NamedTuple

_HANDOVER = struct.Struct(">Q64s")
_NEWS = struct.Struct(">cQ")

READY = b"R"
CLOSED = b"C"
ADDRESS_BYTES = 64


class Handover(NamedTuple):
    """One connection as the child receives it. `request_body` follows the PDU's six bytes."""

    key: int
    address: str
    sock: socket.socket
    request_body: bytes


def send_connection(
    control: socket.socket, key: int, address: str, sock: socket.socket, request_body: bytes
) -> None:
    """Give a connection to the child; the caller's own copy of the socket stays open.

    Raises BlockingIOError when the child does not take messages, OSError when
    it is gone.
    """
    message = _HANDOVER.pack(key, address.encode("ascii", "replace")[:ADDRESS_BYTES])
    with tempfile.TemporaryFile() as file:
        file.write(request_body)
        file.flush()
        socket.send_fds(control, [message], [sock.fileno(), file.fileno()])


def receive_connection(control: socket.socket) -> Handover | None:
    """Wait for the next connection; None when the parent has gone or wants us to end."""
    message, descriptors, _, _ = socket.recv_fds(control, _HANDOVER.size, 2)
    if len(message) < _HANDOVER.size or len(descriptors) < 2:
        return None
    key, address = _HANDOVER.unpack(message)
    with os.fdopen(descriptors[1], "rb") as file:
        file.seek(0)
        request_body = file.read()
    sock = socket.socket(fileno=descriptors[0])
    return Handover(key, address.rstrip(b"\0").decode("ascii"), sock, request_body)


def send_news(control: socket.socket, kind: bytes, key: int = 0) -> None:
    """Tell the parent that we are ready, or that a connection has ended."""
    control.sendall(_NEWS.pack(kind, key))


class NewsReader:
    """Puts the news of one child together from what its socket gives."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._buffer = bytearray()

    def read(self) -> list[tuple[bytes, int]] | None:
        """Return complete messages without waiting; None when the child is gone."""
        try:
            data = self._control.recv(4096)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._buffer += data
        whole = len(self._buffer) - len(self._buffer) % _NEWS.size
        news = list(_NEWS.iter_unpack(bytes(self._buffer[:whole])))
        del self._buffer[:whole]
        return [(kind, key) for kind, key in news]
