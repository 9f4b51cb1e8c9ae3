"""Turns in the database: who writes to a chain or a log waits for who came before."""

from __future__ import annotations

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
