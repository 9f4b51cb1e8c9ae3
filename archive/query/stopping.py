"""Queries that somebody may stop while the database works on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection

# SQLite asks after so many steps of its machine: every millisecond or two.
_STEPS = 50_000
_LOOK_SECONDS = 0.1


class StoppedError(Exception):
    """The query was stopped because nobody wants its answer any more."""


@contextmanager
def stoppable(should_stop: Callable[[], bool]) -> Iterator[None]:
    """Stop the statements of this block in the database when `should_stop` says so.

    It is called often and, beside PostgreSQL, from another thread: it may only look.

    Raises StoppedError when it did.
    """
    if should_stop():
        raise StoppedError
    connection.ensure_connection()
    stopped = threading.Event()

    def look() -> bool:
        if should_stop():
            stopped.set()
        return stopped.is_set()

    watch = _ask_sqlite if connection.vendor == "sqlite" else _watch_postgresql
    try:
        with watch(connection.connection, look):
            yield
    except DatabaseError as error:
        if stopped.is_set():
            raise StoppedError from error
        raise


@contextmanager
def _ask_sqlite(raw: Any, look: Callable[[], bool]) -> Iterator[None]:
    raw.set_progress_handler(lambda: int(look()), _STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)


@contextmanager
def _watch_postgresql(raw: Any, look: Callable[[], bool]) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_SECONDS):
            if look():
                raw.cancel()
                return

    thread = threading.Thread(target=watch, name="query-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
