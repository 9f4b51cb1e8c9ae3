"""Listen on the DICOM port."""

from __future__ import annotations

import contextlib
import errno
import logging
import resource
import signal
import socket
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from archive import storage
from dicom_receiver import limits
from dicom_receiver.associate import parse_ae_title
from dicom_receiver.diary import Diary
from dicom_receiver.fleet import Fleet
from dicom_receiver.front_door import FrontDoor, Listeners
from dicom_receiver.heartbeat import HeartbeatThread
from dicom_receiver.statistics import Ledger
from dicom_receiver.tls import UnusableError, accepting_context

logger = logging.getLogger("noctis.dimse")

BACKLOG = 1024
HEARTBEAT_MISSED_SECONDS = 10.0
FAREWELL_SECONDS = 2.0


class Command(BaseCommand):
    help = "Listen on the DICOM port."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        host, port = settings.NOCTIS_DICOM
        parser.add_argument("--host", default=host, help="Address to listen on (%(default)s).")
        parser.add_argument("--port", type=int, default=port, help="Port (%(default)s).")
        parser.add_argument(
            "--aet", default=settings.NOCTIS_AET, help="Our AE title (%(default)s)."
        )
        parser.add_argument(
            "--processes",
            type=int,
            default=settings.NOCTIS_RECEIVER_PROCESSES,
            help="How many processes share the port (%(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ae_title = parse_ae_title(options["aet"].encode("ascii", "replace"))
        if ae_title is None or len(options["aet"]) > 16 or "?" in ae_title:
            self._give_up("The AE title must be 1 to 16 printable characters, no backslash.")
        if options["processes"] < 1:
            self._give_up("--processes must be at least 1.")
        listeners = Listeners(
            self._listen(options["host"], options["port"]),
            self._listen_by_tls(settings.NOCTIS_DICOM_TLS) if settings.NOCTIS_DICOM_TLS else None,
        )
        _allow_many_descriptors()
        serve(listeners, options["processes"], str(ae_title))

    def _listen_by_tls(self, address: tuple[str, int]) -> socket.socket:
        """Return the socket for TLS, once certificate and key have proved usable."""
        try:
            accepting_context().get()
        except UnusableError as error:
            self._give_up(f"DICOM over TLS cannot start: {error}.")
        return self._listen(*address)

    def _listen(self, host: str, port: int) -> socket.socket:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                self._give_up(f"The DICOM port {host}:{port} is taken by another program.")
            self._give_up(f"The DICOM port {host}:{port} cannot be opened: {error}.")
        return listener

    def _give_up(self, sentence: str) -> None:
        self.stderr.write(sentence)
        sys.exit(1)


def serve(listeners: Listeners, processes: int, ae_title: str) -> None:
    """Serve until SIGTERM or SIGINT; everything has ended when this returns."""
    addresses = [_spell(listener) for listener in listeners.all()]
    # What a receiver that was killed had begun to receive is nobody's: its senders send again.
    storage.sweep_incoming()
    fleet = Fleet(processes, ae_title)
    fleet.start_first(listeners.all())
    ledger, diary = Ledger(), Diary()
    wake, waker = socket.socketpair()
    door = FrontDoor(listeners, wake, fleet, ledger, diary)

    def describe() -> dict[str, Any] | None:
        is_turning = time.monotonic() - door.turned_at < HEARTBEAT_MISSED_SECONDS
        if not is_turning or not fleet.ready_count:
            return None
        return {
            "address": addresses[0],
            "tls_address": addresses[1] if listeners.tls else None,
            "ae_title": ae_title,
            "processes": fleet.ready_count,
            "associations": fleet.connection_count,
        }

    def stop(*_: object) -> None:
        door.close()
        with contextlib.suppress(OSError):
            waker.send(b"!")

    waker.setblocking(False)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    heartbeat = HeartbeatThread(ledger, diary, describe)
    heartbeat.start()
    where = " and with TLS on ".join(addresses)
    logger.info("listening on %s as %s, %d processes", where, ae_title, processes)
    try:
        door.run()
    finally:
        logger.info("stopping")
        fleet.stop(limits.STOP_SECONDS)
        heartbeat.end(FAREWELL_SECONDS)
        logger.info("stopped")


def _spell(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"{host}:{port}"


def _allow_many_descriptors() -> None:
    """Raise the soft limit of open files to the hard one."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
