"""Objects on their way in: several are finished at a time, each stands for itself.

What fails undoes nothing of what is stored. Every object is one `Result`, in the order in which
they came.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.db import connection

from archive.ingest import Intake
from archive.models import Instance
from dicomweb.destination import Named, read_names
from dicomweb.statuses import KEPT_FOR_REVIEW, PROCESSING_FAILURE, REASONS
from imaging import errors

logger = logging.getLogger("noctis.dicomweb")

_FINISHERS = 8
_IN_FLIGHT = 2 * _FINISHERS
_ROWS_A_QUERY = 500


@dataclass(kw_only=True)
class Result:
    """What became of one object: stored, perhaps with a warning, or failed for a reason."""

    sop_class_uid: str = ""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    series_instance_uid: str = ""
    warning: int | None = None
    failure: int | None = None
    words: str = ""
    is_transient: bool = False
    instance_id: uuid.UUID | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the archive has it."""
        return self.failure is None


def failed(error: Exception, head: bytes = b"", *, named: Named | None = None) -> Result:
    """Return the result of an object that was not stored; its first bytes tell its name."""
    named = named or (read_names(head) if head else Named())
    if not isinstance(error, errors.NoctisError):
        logger.error("an object was not stored", exc_info=error)
    words = str(error) if isinstance(error, errors.NoctisError) else ""
    leaf = next((kind for kind in type(error).__mro__ if kind in REASONS), None)
    return Result(
        sop_class_uid=named.sop_class_uid,
        sop_instance_uid=named.sop_instance_uid,
        study_instance_uid=named.study_instance_uid,
        failure=PROCESSING_FAILURE if leaf is None else REASONS[leaf],
        words=words,
        is_transient=isinstance(error, errors.TransientError),
    )


Received = Result | tuple[Intake, bytes]


def finish_all(received: Iterable[Received]) -> Iterator[Result]:
    """Finish intakes, several at a time; yields the results in their order.

    Each comes with the first bytes of its object. When taking the next one raises, those before
    it are finished all the same, and none of them is lost: its error is raised behind them.
    """
    waiting: deque[Result | Future[Result]] = deque()
    # Rows that are to be part of the caller's transaction are written by the caller's thread.
    pool = None if connection.in_atomic_block else ThreadPoolExecutor(_FINISHERS)

    def submit(item: Received) -> Result | Future[Result]:
        if isinstance(item, Result):
            return item
        return _finish(*item) if pool is None else pool.submit(_finish, *item)

    try:
        trouble = None
        try:
            for item in received:
                waiting.append(submit(item))
                while len(waiting) >= _IN_FLIGHT or (waiting and _is_ready(waiting[0])):
                    yield _take(waiting)
        except Exception as error:  # noqa: BLE001 - raised again below
            trouble = error
        while waiting:
            yield _take(waiting)
        if trouble is not None:
            raise trouble
    finally:
        if pool is not None:
            pool.shutdown(wait=True)


def _is_ready(one: Result | Future[Result]) -> bool:
    return isinstance(one, Result) or one.done()


def _take(waiting: deque[Result | Future[Result]]) -> Result:
    first = waiting.popleft()
    return first if isinstance(first, Result) else first.result()


def _finish(intake: Intake, head: bytes) -> Result:
    """Wait until an object is durable and indexed."""
    try:
        outcome = intake.finish()
    except Exception as error:  # noqa: BLE001 - each object stands for itself
        return failed(error, head)
    finally:
        intake.abandon()
    return Result(
        # The index knows the class of what it has; what is kept aside is only named by itself.
        sop_class_uid=read_names(head).sop_class_uid if outcome.instance_id is None else "",
        sop_instance_uid=outcome.sop_instance_uid,
        study_instance_uid=outcome.study_instance_uid,
        series_instance_uid=outcome.series_instance_uid,
        warning=KEPT_FOR_REVIEW if outcome.status == "conflict" else None,
        words=outcome.reason,
        instance_id=outcome.instance_id,
    )


def fill_classes(results: Sequence[Result]) -> None:
    """Give the stored ones the SOP class that the index read of each, which is what counts."""
    known = [one for one in results if one.instance_id is not None]
    for begin in range(0, len(known), _ROWS_A_QUERY):
        some = known[begin : begin + _ROWS_A_QUERY]
        rows = Instance.objects.filter(pk__in=[one.instance_id for one in some])
        classes = dict(rows.values_list("pk", "sop_class_uid"))
        for one in some:
            if one.instance_id in classes:
                one.sop_class_uid = classes[one.instance_id]
