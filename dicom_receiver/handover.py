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
from dataclasses import dataclass
from typing import NamedTuple

_HANDOVER = struct.Struct(">QB64s")
_NEWS = struct.Struct(">cQ")

# What a child says: it is ready, it is alive, a TLS connection has become an association or
# will not, a connection has ended.
READY = b"R"
ALIVE = b"A"
ENTERED = b"E"
CLOSED = b"C"
ADDRESS_BYTES = 64

_IS_TLS = 1
_IS_OVER_LIMIT = 2
_NO_KEY = 0


@dataclass(frozen=True)
class Arrival:
    """What the front door knows of a connection.

    `request_body` follows the PDU's six bytes. By TLS it is empty: the child
    shakes hands and reads it; `is_over_limit` says that it then has to be
    rejected, since only the child can say so.
    """

    address: str
    sock: socket.socket
    request_body: bytes = b""
    is_tls: bool = False
    is_over_limit: bool = False


class Handover(NamedTuple):
    """One connection as the child receives it."""

    key: int
    arrival: Arrival


def send_connection(control: socket.socket, key: int, arrival: Arrival) -> None:
    """Give a connection to the child; the caller's own copy of the socket stays open.

    Raises BlockingIOError when the child does not take messages, OSError when
    it is gone.
    """
    kind = _IS_TLS * arrival.is_tls | _IS_OVER_LIMIT * arrival.is_over_limit
    address = arrival.address.encode("ascii", "replace")[:ADDRESS_BYTES]
    message = _HANDOVER.pack(key, kind, address)
    with tempfile.TemporaryFile() as file:
        file.write(arrival.request_body)
        file.flush()
        socket.send_fds(control, [message], [arrival.sock.fileno(), file.fileno()])


def send_question(control: socket.socket) -> None:
    """Ask the child whether it still takes connections; it answers with ALIVE. Raises OSError."""
    control.send(_HANDOVER.pack(_NO_KEY, 0, b""))


def receive_connection(control: socket.socket) -> Handover | None:
    """Wait for the next connection, answering questions; None when we have to end.

    That is so when the parent is gone, too.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _HANDOVER.size, 2)
        if len(message) < _HANDOVER.size:
            return None
        key, kind, address = _HANDOVER.unpack(message)
        if key != _NO_KEY:
            break
        send_news(control, ALIVE)
    if len(descriptors) < 2:
        return None
    with os.fdopen(descriptors[1], "rb") as file:
        file.seek(0)
        request_body = file.read()
    arrival = Arrival(
        address.rstrip(b"\0").decode("ascii"),
        socket.socket(fileno=descriptors[0]),
        request_body,
        is_tls=bool(kind & _IS_TLS),
        is_over_limit=bool(kind & _IS_OVER_LIMIT),
    )
    return Handover(key, arrival)


def send_news(control: socket.socket, kind: bytes, key: int = _NO_KEY) -> None:
    """Tell the parent something, of one connection or of ourselves."""
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
