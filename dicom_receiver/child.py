"""A receiver process: serves the associations that its parent hands over.

It ends when the parent closes the other end of the socket pair: by order, or
because the parent is gone. What is being received then is finished, as far as
the time goes; what waits between two messages is aborted.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError

from django.conf import settings
from django.db import connections

from dicom_receiver import handover, limits
from dicom_receiver.association import Association, Surroundings
from dicom_receiver.database import DatabaseThread
from dicom_receiver.diary import Diary
from dicom_receiver.entry import HandshakeError, enter
from dicom_receiver.handlers import HANDLERS
from dicom_receiver.peers import PeerDirectory
from dicom_receiver.statistics import Ledger
from dicom_receiver.tls import UnusableError, accepting_context
from dicom_receiver.wire import Stop

logger = logging.getLogger("noctis.dimse")

FLUSH_SECONDS = 2.0
LAST_FLUSH_SECONDS = 2.0


class Child:
    """A thread for each association, one for the database, one that flushes the counts."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._database = DatabaseThread()
        self._ledger = Ledger()
        self._stop = Stop()
        self._diary = Diary()
        self._surroundings = Surroundings(
            PeerDirectory(self._database), self._ledger, self._stop, self._diary
        )
        self._tls = accepting_context()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Serve until the parent lets go of us, then drain."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._hang_up)
        self._read_certificate()
        self._database.start()
        threading.Thread(target=self._flush_often, name="dicom-counts", daemon=True).start()
        with contextlib.suppress(OSError):
            handover.send_news(self._control, handover.READY)
            while given := handover.receive_connection(self._control):
                self._begin(given)
        self._drain()

    def _read_certificate(self) -> None:
        """Read it now: files that are exchanged later one by one find the old pair in use."""
        if settings.NOCTIS_DICOM_TLS:
            try:
                self._tls.get()
            except UnusableError as error:
                logger.error("TLS callers cannot be served: %s", error)

    def _hang_up(self, *_: object) -> None:
        """Take SIGTERM as the parent's order to end."""
        with contextlib.suppress(OSError):
            self._control.shutdown(socket.SHUT_RD)

    def _begin(self, given: handover.Handover) -> None:
        thread = threading.Thread(
            target=self._serve, args=(given,), name=f"association-{given.key}", daemon=True
        )
        with self._lock:
            self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            logger.error("no thread could be started for an association")
            given.arrival.sock.close()
            self._end(thread, given.key)

    def _serve(self, given: handover.Handover) -> None:
        arrival = given.arrival
        try:
            if arrival.is_tls:
                self._serve_tls(given)
            else:
                Association(arrival.sock, arrival.address, self._surroundings, HANDLERS).run(
                    arrival.request_body
                )
        except OSError:
            arrival.sock.close()
        finally:
            connections.close_all()
            self._end(threading.current_thread(), given.key)

    def _serve_tls(self, given: handover.Handover) -> None:
        arrival = given.arrival
        try:
            entry = enter(arrival, self._tls)
        except HandshakeError as error:
            logger.warning("TLS refused: %s: %s", arrival.address, error)
            self._ledger.add("", arrival.address, refused=1, cause=error.cause)
            self._diary.note_refusal(arrival.address, error.cause, str(error), is_tls=True)
            return
        handover.send_news(self._control, handover.ENTERED, given.key)
        Association(
            entry.sock,
            arrival.address,
            self._surroundings,
            HANDLERS,
            certificate=entry.certificate,
            is_over_limit=arrival.is_over_limit,
        ).run(entry.request_body)

    def _end(self, thread: threading.Thread, key: int) -> None:
        with self._lock:
            self._threads.discard(thread)
        with contextlib.suppress(OSError):
            handover.send_news(self._control, handover.CLOSED, key)

    def _flush_often(self) -> None:
        flushing: Future[None] | None = None
        while True:
            time.sleep(FLUSH_SECONDS)
            if flushing is None or flushing.done():
                if flushing is not None and flushing.exception() is not None:
                    logger.error("statistics could not be written; they are kept and tried again")
                flushing = self._database.submit(self._flush)

    def _flush(self) -> None:
        self._ledger.flush()
        self._diary.flush()

    def _drain(self) -> None:
        """Let what is in flight finish, end the rest, write the last counts."""
        self._stop.at_pause.set()
        self._wait_for_associations(limits.DRAIN_SECONDS)
        self._stop.now.set()
        self._wait_for_associations(limits.GOODBYE_SECONDS)
        with contextlib.suppress(FutureTimeoutError, Exception):
            self._database.submit(self._flush).result(LAST_FLUSH_SECONDS)
        logging.shutdown()
        # Nothing may hold the process now: no thread that waits for a dead database.
        os._exit(0)

    def _wait_for_associations(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with self._lock:
                if not self._threads:
                    return
            time.sleep(0.05)
