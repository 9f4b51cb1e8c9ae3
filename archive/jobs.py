"""Work after the answer: rows first, so that nothing is lost when a worker dies.

A job is written in the transaction that makes it needed. The worker's timer
finds due rows and runs them; a job whose worker died is taken up again when
its lease ends, so every handler may run twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from archive.models import Job
from imaging.errors import NoctisError

logger = logging.getLogger("noctis.jobs")

LEASE = timedelta(minutes=10)
MAX_ATTEMPTS = 8

_handlers: dict[str, str] = {}


def register(kind: str, handler: str) -> None:
    """Name the function, as a dotted path, that does jobs of a kind; called in `ready()`.

    It takes the job's key. It is imported by the worker alone, so that doors
    start without what only the work needs.
    """
    _handlers[kind] = handler


def queue(kind: str, keys: Iterable[object], *, delay: timedelta = timedelta(0)) -> None:
    """Write jobs in the current transaction; one that waits already stays as it is."""
    due_at = timezone.now() + delay
    Job.objects.bulk_create(
        [Job(kind=kind, key=str(key), due_at=due_at) for key in keys], ignore_conflicts=True
    )


def due() -> models.QuerySet[Job]:
    """Return the jobs that should run now, oldest first."""
    now = timezone.now()
    return Job.objects.filter(
        models.Q(state=Job.State.WAITING, due_at__lte=now)
        | models.Q(state=Job.State.RUNNING, locked_until__lt=now)
    ).order_by("due_at")


def run_due(limit: int = 50) -> int:
    """Run due jobs one after another; returns how many were run."""
    ran = 0
    for job in due()[:limit]:
        if _claim(job):
            _run(job)
            ran += 1
    return ran


def retry(jobs: models.QuerySet[Job]) -> int:
    """Let failed jobs wait again; one whose twin waits already is dropped. Returns the count."""
    count = 0
    for job in jobs.filter(state=Job.State.FAILED):
        _wait_again(job, attempts=0, due_at=timezone.now(), error=job.last_error)
        count += 1
    return count


def _claim(job: Job) -> bool:
    """Take the job unless another worker was faster."""
    claimed = Job.objects.filter(pk=job.pk, state=job.state, locked_until=job.locked_until).update(
        state=Job.State.RUNNING,
        locked_until=timezone.now() + LEASE,
        attempts=models.F("attempts") + 1,
    )
    return claimed == 1


def _run(job: Job) -> None:
    try:
        handler: Callable[[str], None] = import_string(_handlers[job.kind])
        handler(job.key)
    except Exception as error:
        logger.exception("job %s %s failed", job.kind, job.key)
        _fail(job, _words(error))
    else:
        Job.objects.filter(pk=job.pk).delete()


def _words(error: Exception) -> str:
    """Return what may be shown of an error: only our own texts are free of patient data."""
    name = type(error).__name__
    return f"{name}: {error}"[:500] if isinstance(error, NoctisError) else name


def _fail(job: Job, error: str) -> None:
    attempts = job.attempts + 1
    if attempts >= MAX_ATTEMPTS:
        Job.objects.filter(pk=job.pk).update(
            state=Job.State.FAILED, attempts=attempts, last_error=error, locked_until=None
        )
        return
    due_at = timezone.now() + timedelta(seconds=2**attempts)
    _wait_again(job, attempts=attempts, due_at=due_at, error=error)


def _wait_again(job: Job, *, attempts: int, due_at: object, error: str) -> None:
    """Put the job back, unless the same one was queued anew meanwhile."""
    with transaction.atomic():
        twin = Job.objects.filter(kind=job.kind, key=job.key, state=Job.State.WAITING)
        if twin.exists():
            Job.objects.filter(pk=job.pk).delete()
            return
        Job.objects.filter(pk=job.pk).update(
            state=Job.State.WAITING,
            attempts=attempts,
            due_at=due_at,
            last_error=error,
            locked_until=None,
        )
