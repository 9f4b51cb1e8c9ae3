"""One thread and one database connection for all that a receiver process asks.

Associations run in threads of their own and come and go; what they need from
the database (who is this peer, add to these counts) is asked here, so that
connections do not multiply and a database that hangs holds up one thread.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from django.db import DatabaseError, close_old_connections, connection

ResultT = TypeVar("ResultT")


class DatabaseThread(threading.Thread):
    """Runs one piece of work after the other, each with a healthy connection."""

    def __init__(self) -> None:
        super().__init__(name="dicom-database", daemon=True)
        self._waiting: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = (
            queue.SimpleQueue()
        )

    def submit(self, work: Callable[[], ResultT]) -> Future[ResultT]:
        """Queue a piece of work; the future tells its result or error."""
        future: Future[ResultT] = Future()
        self._waiting.put((work, future))
        return future

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            work, future = self._waiting.get()
            try:
                close_old_connections()
                future.set_result(work())
            except DatabaseError as error:
                # It may be broken for good; the next piece of work opens a new one.
                connection.close()
                future.set_exception(error)
            except Exception as error:  # noqa: BLE001 - whoever waits for it decides
                future.set_exception(error)
