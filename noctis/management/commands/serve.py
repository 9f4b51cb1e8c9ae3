"""`manage.py serve`: the whole PACS on this machine."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import connections

from noctis import startup
from noctis.supervise import Child, Supervisor

ANNOUNCE_ANYWAY_SECONDS = 20.0


class Command(BaseCommand):
    """Start web, receiver and worker, and keep them running."""

    help = "Starts web server, DICOM receiver and worker, and keeps them running."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        self.begun_at = time.monotonic()
        self.is_announced = False
        try:
            startup.prepare_home()
            listener = startup.open_listener(settings.NOCTIS_HTTP, "NOCTIS_HTTP")
            self.port = listener.getsockname()[1]
            startup.check_port(settings.NOCTIS_DICOM, "NOCTIS_DICOM")
            if settings.NOCTIS_DICOM_TLS:
                startup.check_port(settings.NOCTIS_DICOM_TLS, "NOCTIS_DICOM_TLS")
            self._prepare_database()
        except startup.NotReadyError as error:
            raise CommandError(str(error)) from None
        supervisor = Supervisor(_list_children(listener), self._announce_when_ready)
        supervisor.run()
        self.stdout.write("Noctis has stopped.")

    def _prepare_database(self) -> None:
        try:
            startup.migrate()
            password = startup.create_first_admin()
        except DatabaseError as error:
            sentence = str(error).strip().splitlines()[0]
            raise startup.NotReadyError(f"The database cannot be used: {sentence}") from error
        finally:
            connections.close_all()
        if password:
            self.stdout.write(
                f"First administrator: user admin, password {password}  (shown this once)"
            )
            self.stdout.flush()

    def _announce_when_ready(self) -> None:
        """Print the address as soon as every part answers."""
        if self.is_announced:
            return
        waited = time.monotonic() - self.begun_at
        is_ready = _is_ready(settings.NOCTIS_HTTP[0], self.port)
        if not is_ready and waited < ANNOUNCE_ANYWAY_SECONDS:
            return
        self.is_announced = True
        scheme = "https" if settings.NOCTIS_HTTPS else "http"
        state = f"ready in {waited:.1f} s" if is_ready else "starting; /readyz says what is missing"
        self.stdout.write(
            f"Noctis {settings.NOCTIS_VERSION} is {state}\n"
            f"  pages  {scheme}://{_spell(settings.NOCTIS_HTTP[0])}:{self.port}/\n"
            f"  DICOM  {settings.NOCTIS_AET} at {_spell_dicom()}\n"
            f"  home   {settings.NOCTIS_HOME}\n"
            "Ctrl-C stops it."
        )
        self.stdout.flush()


def _list_children(listener: socket.socket) -> list[Child]:
    """Return the programs of a whole PACS."""
    descriptor = listener.fileno()
    commands = {"receiver": ["manage.py", "receive", "--port", str(settings.NOCTIS_DICOM[1])]}
    for number in range(1, settings.NOCTIS_WEB_PROCESSES + 1):
        commands[f"web {number}"] = ["-m", "noctis.web", str(descriptor)]
    for number in range(1, settings.NOCTIS_WORKER_PROCESSES + 1):
        commands[f"worker {number}"] = [
            *("-m", "celery", "-q", "-A", "noctis", "worker", "--hostname", f"worker{number}@%h"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    # Absolute, because the children run in the project's directory.
    environment = {**os.environ, "NOCTIS_HOME": str(settings.NOCTIS_HOME)}
    return [
        Child(
            name,
            [sys.executable, *arguments],
            environment,
            directory=settings.BASE_DIR,
            pass_fds=[descriptor] if name.startswith("web") else [],
        )
        for name, arguments in commands.items()
    ]


def _is_ready(host: str, port: int) -> bool:
    """Ask our own readiness page."""
    connection = http.client.HTTPConnection(_spell(host), port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _spell_dicom() -> str:
    """Return where DICOM listens, with TLS too if that is so."""
    ports = [(settings.NOCTIS_DICOM, ""), (settings.NOCTIS_DICOM_TLS, "with TLS at ")]
    return ", ".join(f"{how}{_spell(port[0])}:{port[1]}" for port, how in ports if port)


def _spell(host: str) -> str:
    """Return a host that a browser on this machine understands."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104
