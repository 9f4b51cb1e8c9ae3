"""Group commit: what is ready at the same moment shares one transaction.

Each process has one committing thread with one database connection. Doors
wait for it; what arrives while it works makes up its next batch. The order is
fixed: data synced, name given, directory synced (`archive.storage.publish`,
in the door's thread), then rows committed, then the answer.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    close_old_connections,
    connection,
    connections,
)

from accounts.locks import writing_turn
from archive import storage
from archive.arrival import Arrival, Outcome
from archive.index import index_batch
from archive.models import Discrepancy, Instance
from archive.per_process import PerProcess
from archive.settle import Unsettled, settle
from imaging.errors import IndexUnavailableError, NoctisError, StorageUnavailableError

logger = logging.getLogger("noctis.ingest")

MAX_BATCH = 200
# Rows of larger files wait until the file is synced: the write lock must not.
SYNCED_MEANWHILE_BYTES = 4 * 1024 * 1024

Found = Outcome | Unsettled
Waiting = tuple[Arrival, Future[Found]]


def commit(arrival: Arrival, publish: Callable[[], None]) -> Outcome:
    """Make one file durable with `publish` and index it; blocks until its rows are committed.

    A small file is synced while its rows are being written; the commit
    waits for it. Inside a transaction of the caller's, the rows join that
    transaction and become durable with it.

    Raises
    ------
    StorageUnavailableError
        The disk did not take the file; nothing was kept.
    IndexUnavailableError
        The database did not take the rows; the file was removed again.
    """
    if connection.in_atomic_block:
        publish()
        arrival.durable.set_result(None)
        found = _index_alone(arrival)
    elif arrival.size_bytes > SYNCED_MEANWHILE_BYTES:
        publish()
        arrival.durable.set_result(None)
        found = _committer.get().submit(arrival).result()
    else:
        future = _committer.get().submit(arrival)
        try:
            publish()
        except BaseException as error:
            arrival.durable.set_exception(StorageUnavailableError(type(error).__name__))
            raise
        arrival.durable.set_result(None)
        found = future.result()
    return found if isinstance(found, Outcome) else _settle(arrival, found)


def close_connection() -> None:
    """Close the committing thread's connection once all is committed that was submitted.

    For the end of a process, or of a database; the next arrival opens another.
    """
    _committer.get().rest().result()


class Committer(threading.Thread):
    """The thread that turns waiting arrivals into rows, a batch at a time."""

    def __init__(self) -> None:
        super().__init__(name="ingest-commit", daemon=True)
        self._waiting: queue.SimpleQueue[Waiting | Future[None]] = queue.SimpleQueue()

    def submit(self, arrival: Arrival) -> Future[Found]:
        """Queue an arrival; the future tells its outcome or error."""
        future: Future[Found] = Future()
        self._waiting.put((arrival, future))
        return future

    def rest(self) -> Future[None]:
        """Queue the wish to close the thread's connection; the next arrival opens another."""
        future: Future[None] = Future()
        self._waiting.put(future)
        return future

    def run(self) -> None:
        """Serve until the process ends."""
        while True:
            batch = [self._waiting.get()]
            with writing_turn():
                # What arrived while we waited for our turn goes along.
                batch += self._take_more(MAX_BATCH - 1)
                if arrivals := [one for one in batch if isinstance(one, tuple)]:
                    _commit_batch(arrivals)
            if rests := [one for one in batch if isinstance(one, Future)]:
                connections.close_all()
                for future in rests:
                    future.set_result(None)

    def _take_more(self, limit: int) -> list[Waiting | Future[None]]:
        """Return what waits already, without waiting."""
        more: list[Waiting | Future[None]] = []
        while len(more) < limit and not self._waiting.empty():
            more.append(self._waiting.get())
        return more


def _commit_batch(batch: list[Waiting]) -> None:
    """Give every future of the batch its outcome or its error."""
    try:
        close_old_connections()
        outcomes = index_batch([arrival for arrival, _ in batch])
    except (OperationalError, InterfaceError) as error:
        for pair in batch:
            _refuse(*pair, error)
    except Exception as error:  # noqa: BLE001 - every waiting door is told
        if len(batch) == 1:
            _refuse(*batch[0], error)
            return
        # One bad row undid the whole batch: let each stand for itself.
        for pair in batch:
            _commit_batch([pair])
    else:
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            future.set_result(outcome)


def _refuse(arrival: Arrival, future: Future[Found], error: Exception) -> None:
    """Take the file back and tell the door why."""
    ours = _as_ours(error)
    # The door may still be at syncing the file.
    arrival.durable.add_done_callback(lambda _: _take_back(arrival))
    future.set_exception(ours)


def _take_back(arrival: Arrival) -> None:
    """Remove the file of a failed attempt, unless its row may have been committed all the same.

    A connection that broke during COMMIT leaves that open. A file without a
    row is harmless and found by `check_archive`; a row without a file is not.
    """
    try:
        is_indexed = any(
            rows.filter(storage_key=arrival.storage_key).exists()
            for rows in (Instance.objects.all(), Discrepancy.objects.all())
        )
    except (DatabaseError, InterfaceError):
        if not connection.in_atomic_block:
            connection.close()
        return
    if not is_indexed:
        storage.remove(arrival.storage_key)


def _as_ours(error: Exception) -> Exception:
    if isinstance(error, NoctisError):
        return error
    if isinstance(error, DatabaseError | InterfaceError):
        # The connection may be broken; the next batch opens a new one.
        logger.error("the index did not take the rows: %s", type(error).__name__)
        if not connection.in_atomic_block:
            connection.close()
        return IndexUnavailableError("The database cannot take new rows now.")
    logger.error("indexing failed", exc_info=error)
    return IndexUnavailableError("The index failed; see the server's log.")


def _index_alone(arrival: Arrival) -> Found:
    try:
        return index_batch([arrival])[0]
    except Exception as error:
        storage.remove(arrival.storage_key)
        raise _as_ours(error) from error


def _settle(arrival: Arrival, found: Unsettled) -> Outcome:
    """Compare with what is here, in the thread of the door."""
    try:
        return settle(arrival, found.present)
    except Exception as error:
        ours = _as_ours(error)
        _take_back(arrival)
        raise ours from error
    finally:
        # Doors have threads of their own; a rare duplicate should not keep a connection.
        if not connection.in_atomic_block:
            connection.close()


def _start_committer() -> Committer:
    committer = Committer()
    committer.start()
    return committer


_committer: PerProcess[Committer] = PerProcess(_start_committer, lambda made: made.is_alive())
