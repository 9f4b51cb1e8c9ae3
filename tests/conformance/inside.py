"""The port inside the test's own process: real associations and handlers, no receiver to start.

What stands before an association (the front door, the children) is left out; tests of that use
`port.Port`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.conf import settings
from django.db import connections

from dicom_receiver import pdu
from dicom_receiver.association import Association, Surroundings
from dicom_receiver.database import DatabaseThread
from dicom_receiver.diary import Diary
from dicom_receiver.handlers import HANDLERS
from dicom_receiver.peers import PeerDirectory
from dicom_receiver.statistics import Ledger
from dicom_receiver.wire import Stop
from tests.conformance.port import Reachable


class InsidePort(Reachable):
    """Serves each connection in a thread, by the settings of the test."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.number: int = self._listener.getsockname()[1]
        self.home = settings.NOCTIS_HOME
        self._database = DatabaseThread()
        self._database.start()
        self._stop = Stop()
        self._ledger = Ledger()
        self._diary = Diary()
        self._surroundings = Surroundings(
            PeerDirectory(self._database), self._ledger, self._stop, self._diary
        )
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def write_counts(self) -> None:
        """Write counts and diary, as a receiver does every few seconds."""
        for flush in (self._ledger.flush, self._diary.flush):
            self._database.submit(flush).result(10)

    def close(self) -> None:
        self._stop.at_pause.set()
        self._stop.now.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
        self._database.submit(connections.close_all).result(10)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _address = self._listener.accept()
                thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            head = _read(sock, pdu.HEADER.size)
            _kind, length = pdu.HEADER.unpack(head)
            association = Association(sock, "127.0.0.1", self._surroundings, HANDLERS)
            association.run(_read(sock, length))
        except OSError:
            sock.close()
        finally:
            connections.close_all()


def _read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionResetError
        data += piece
    return data


@contextmanager
def inside_port() -> Iterator[InsidePort]:
    """Give a port that ends with the block."""
    port = InsidePort()
    try:
        yield port
    finally:
        port.close()
