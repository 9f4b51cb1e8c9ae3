"""Is each part of the house well? Asked by /readyz, /metrics and `check_system`."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from archive import storage
from archive.models import Heartbeat, Job
from imaging.errors import StorageUnavailableError

# Heartbeats come every five seconds.
SILENT_AFTER = timedelta(seconds=20)
OVERDUE_AFTER = timedelta(minutes=5)


@dataclass(frozen=True)
class PartState:
    """How one part is; `word` is safe to show to anybody."""

    is_well: bool
    word: str


def look_at_all() -> dict[str, PartState]:
    """Return the state of every part that /readyz names."""
    database = look_at_database()
    if not database.is_well:
        unknown = PartState(False, "unknown while the database is away")
        beats = {"receiver": unknown, "worker": unknown, "queue": unknown}
    else:
        beats = {
            "receiver": look_at_role("receiver"),
            "worker": look_at_role("worker"),
            "queue": look_at_queue(),
        }
    return {"database": database, "storage": look_at_storage(), **beats}


def look_at_database() -> PartState:
    """Ask the database one question."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
        return PartState(False, "does not answer")
    return PartState(True, "answers")


def look_at_storage() -> PartState:
    """Write, sync and remove a small file where studies arrive, and look at the reserve."""
    try:
        write_probe(storage.root())
        storage.check_reserve()
    except OSError:
        return PartState(False, "cannot be written")
    except StorageUnavailableError:
        return PartState(False, "is full: the reserve is reached")
    return PartState(True, "can be written")


def write_probe(directory: Path) -> None:
    """Prove that a durable file can be made in the directory. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    probe = directory / f".probe.{os.getpid()}"
    descriptor = os.open(probe, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, b"noctis")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        probe.unlink(missing_ok=True)


def look_at_role(role: str) -> PartState:
    """Say whether any process of the role gave a sign of life lately."""
    try:
        is_alive = Heartbeat.objects.filter(
            role=role, seen_at__gt=timezone.now() - SILENT_AFTER
        ).exists()
    except DatabaseError:
        return PartState(False, "unknown while the database is away")
    return PartState(is_alive, "alive" if is_alive else "no sign of life")


def look_at_queue() -> PartState:
    """Say whether workers can be woken and work is not piling up."""
    if settings.NOCTIS_REDIS_URL:
        if not _is_redis_there(settings.NOCTIS_REDIS_URL):
            return PartState(False, "Redis does not answer; jobs run a little later")
    elif not os.access(settings.QUEUE_ROOT / "messages", os.W_OK):
        return PartState(False, "the queue's folder cannot be written")
    try:
        overdue = Job.objects.filter(
            state=Job.State.WAITING, due_at__lt=timezone.now() - OVERDUE_AFTER
        ).exists()
    except DatabaseError:
        return PartState(False, "unknown while the database is away")
    return PartState(not overdue, "jobs are overdue" if overdue else "moves")


def _is_redis_there(url: str) -> bool:
    # Imported here: a tenth of every start on a machine that has no Redis.
    from redis import Redis  # noqa: PLC0415
    from redis.exceptions import RedisError  # noqa: PLC0415

    try:
        return bool(Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1).ping())
    except (RedisError, OSError):
        return False


def free_disk_bytes() -> tuple[int, int]:
    """Return (free, in all) of the storage's file system; zeros when it can't be reached."""
    try:
        usage = shutil.disk_usage(storage.root())
    except OSError:
        return 0, 0
    return usage.free, usage.total
