"""Turns in the database: who writes to a chain or a log waits for who came before."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.db import connection

EVENT_TURN = 7_301
AUDIT_TURN = 7_302


def take_turn(turn: int) -> None:
    """Hold a named lock until the current transaction ends.

    PostgreSQL: a transaction-level advisory lock. SQLite: nothing to do,
    for every write transaction already holds the database's only write lock.
    Must be called inside a transaction; may block.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [turn])


@contextmanager
def writing_turn() -> Iterator[None]:
    """Queue for SQLite's write lock with the other processes that write all the time.

    SQLite itself lets a writer that finds the lock taken sleep and look
    again; a file lock wakes the next one at once. Those who do not queue
    here are still kept apart by SQLite. PostgreSQL needs no such turn, nor
    does a transaction that has the lock already.
    """
    path = str(connection.settings_dict["NAME"])
    is_needed = connection.vendor == "sqlite" and not connection.in_atomic_block
    descriptor = _open_turn(f"{path}.turn") if is_needed and Path(path).is_absolute() else None
    if descriptor is None:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open_turn(path: str) -> int | None:
    """Open the lock file; a home that cannot be written has no turns, and SQLite says so."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError:
        return None
