"""Hosts that listen and behave as a test tells them: what an honest peer never does, mostly."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.conformance.dimse import IMPLICIT_LITTLE, item

Behave = Callable[[socket.socket], None]


@contextmanager
def host(behave: Behave) -> Iterator[int]:
    """Listen and behave so with the first who calls."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                sock, _ = listening.accept()
                with sock:
                    sock.settimeout(20)
                    behave(sock)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.close()


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    head = b""
    while len(head) < 6:
        head += sock.recv(6 - len(head)) or bytes(6)
    kind, _, length = struct.unpack(">BBI", head)
    body = b""
    while len(body) < length:
        body += sock.recv(length - len(body)) or bytes(length)
    return kind, body


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body) if length is None else length) + body


def acceptance(
    max_pdu: int = 16384, *, syntax: str = IMPLICIT_LITTLE, context_id: int = 1
) -> bytes:
    context = item(0x21, bytes([context_id, 0, 0, 0]) + item(0x40, syntax.encode()))
    user = item(0x50, item(0x51, struct.pack(">I", max_pdu)))
    head = b"\0\1\0\0" + bytes(64)
    return pdu(2, head + item(0x10, b"1.2.840.10008.3.1.1.1") + context + user)
