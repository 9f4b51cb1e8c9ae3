"""What must be true before anything starts: home, ports, database, an administrator."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.models import Role, User
from archive import storage
from noctis import env

MIGRATION_TURN = 7_300


class NotReadyError(Exception):
    """Why Noctis can't start, in one sentence."""


def prepare_home() -> None:
    """Make the home's directories and prove that they can be written.

    Raises NotReadyError.
    """
    os.umask(0o027)
    places = [
        settings.NOCTIS_HOME,
        settings.LOG_ROOT,
        settings.QUEUE_ROOT / "messages",
        settings.QUEUE_ROOT / "control",
        storage.root(),
    ]
    for place in places:
        try:
            place.mkdir(parents=True, exist_ok=True)
            probe = place / f".writable.{os.getpid()}"
            probe.write_bytes(b"")
            probe.unlink()
            _close_to_others(place)
        except OSError as error:
            raise NotReadyError(
                f"{place} cannot be written ({error.strerror}): set NOCTIS_HOME to a directory "
                "that this user may write, or change its permissions."
            ) from error


def _close_to_others(place: Path) -> None:
    """Keep other users of the machine out of a directory with patient data."""
    if place != settings.NOCTIS_HOME:
        with contextlib.suppress(OSError):
            place.chmod(place.stat().st_mode & 0o7770)


def open_listener(address: tuple[str, int], variable: str) -> socket.socket:
    """Return a listening socket at the address.

    Raises NotReadyError, naming the environment variable that chooses the address.
    """
    host, port = address
    try:
        family, kind, _, _, target = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(target)
            listener.listen(2048)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        reason = (
            "is already in use"
            if error.errno == errno.EADDRINUSE
            else f"cannot be used ({error.strerror})"
        )
        raise NotReadyError(
            f"Port {port} on {host} {reason}: stop the other program or set {variable} "
            "to another address."
        ) from error
    return listener


def check_port(address: tuple[str, int], variable: str) -> None:
    """Prove that the address is free. Raises NotReadyError."""
    open_listener(address, variable).close()


def migrate() -> None:
    """Bring the database up to date; costs little when it is. One process at a time does it."""
    with _migration_turn():
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=0, interactive=False, skip_checks=True)


@contextlib.contextmanager
def _migration_turn() -> Iterator[None]:
    """Hold a lock that every process of this installation respects."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_TURN])
        try:
            yield
        finally:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_TURN])
        return
    with (settings.NOCTIS_HOME / "migrate.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def create_first_admin() -> str | None:
    """Create the user `admin` when there is no administrator yet.

    Returns a new random password, which nobody can read again; None when
    nothing was created or NOCTIS_ADMIN_PASSWORD chose the password.
    """
    if User.objects.filter(role=Role.ADMIN).exists():
        return None
    if User.objects.filter(username="admin").exists():
        return None
    chosen = env.read_text("NOCTIS_ADMIN_PASSWORD")
    password = chosen or secrets.token_urlsafe(12)
    User.objects.create_superuser(username="admin", password=password, role=Role.ADMIN)
    return None if chosen else password
