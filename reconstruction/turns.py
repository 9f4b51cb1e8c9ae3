"""Whose turn it is: jobs are claimed, their leases renewed, their ends written.

Every change is one conditional update: of two workers that want the same job one gets it, and
of a run that lost its claim nothing is written any more.
"""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from archive import events
from reconstruction.models import REASON_LENGTH, ReconstructionJob

LEASE = timedelta(seconds=15)
ATTEMPTS_LIMIT = 3
_LOOK_AT = 8
Status = ReconstructionJob.Status

EVENT = "reconstruction"
# Set by a message that says that there is something to do.
woken = threading.Event()


def publish(job: ReconstructionJob) -> None:
    """Tell pages how it stands with a job; must be the last writing of its transaction.

    The event names the study in its payload: a row that refers to it would wait for whoever
    locks the study, and hold up all other news meanwhile.
    """
    events.publish_for(
        EVENT, job.facility_id, job=str(job.pk), study=str(job.study_id),
        series=str(job.series_id), made=job.kind, status=job.status,
        progress=round(job.progress, 3), series_instance_uid=job.series_instance_uid,
    )  # fmt: skip


def claim_next(lane: str, worker: str) -> ReconstructionJob | None:
    """Return the job whose turn it is, claimed by us; None when nothing is due.

    Who was served last waits longest: ten jobs of one person do not stand before another's one.
    A job whose worker has fallen silent is taken up again.
    """
    # Who loses against another worker looks again: there is one job less.
    while candidates := list(_due(lane)[:_LOOK_AT]):
        for job in candidates:
            if job.attempts >= ATTEMPTS_LIMIT:
                _give_up(job)
            elif _claim(job, worker):
                return job
    return None


def _claim(job: ReconstructionJob, worker: str) -> bool:
    """Take the job unless another worker was faster."""
    now = timezone.now()
    with transaction.atomic():
        count = _unchanged(job).update(
            status=Status.RUNNING, claim=uuid.uuid4(), lease_until=now + LEASE, started_at=now,
            attempts=F("attempts") + 1, worker=worker[:150],
        )  # fmt: skip
        if count:
            job.refresh_from_db()
            publish(job)
    return count == 1


def _unchanged(job: ReconstructionJob) -> QuerySet[ReconstructionJob]:
    """Return the job if nobody has claimed it, or renewed its lease, since it was read."""
    return ReconstructionJob.objects.filter(
        pk=job.pk, status=job.status, claim=job.claim, lease_until=job.lease_until
    )


def _due(lane: str) -> QuerySet[ReconstructionJob]:
    now = timezone.now()
    jobs = ReconstructionJob.objects.filter(lane=lane)
    served = jobs.filter(requested_by=OuterRef("requested_by")).order_by().values("requested_by")
    last = Subquery(served.annotate(last=Max("started_at")).values("last"))
    due = Q(status=Status.QUEUED, due_at__lte=now) | Q(status=Status.RUNNING, lease_until__lt=now)
    ordered = jobs.filter(due).annotate(served_at=last)
    return ordered.order_by(F("served_at").asc(nulls_first=True), "id")


def renew(job: ReconstructionJob, claim: uuid.UUID) -> bool:
    """Prolong the lease; false when the job is not ours any more."""
    held = ReconstructionJob.objects.held_by(job.pk, claim)
    return held.update(lease_until=timezone.now() + LEASE) == 1


def is_held(key: uuid.UUID, claim: uuid.UUID) -> bool:
    """Whether the job still runs under this claim: not cancelled, not taken over."""
    return ReconstructionJob.objects.held_by(key, claim).exists()


def is_done(key: uuid.UUID) -> bool:
    """Whether the job has its results, by whichever run."""
    return ReconstructionJob.objects.filter(pk=key, status=Status.DONE).exists()


def tell_progress(job: ReconstructionJob, claim: uuid.UUID, progress: float) -> None:
    """Write the progress of a run, unless it was further already."""
    with transaction.atomic():
        held = ReconstructionJob.objects.held_by(job.pk, claim).filter(progress__lt=progress)
        if held.update(progress=progress):
            job.progress = progress
            publish(job)


def begin_storing(job: ReconstructionJob, claim: uuid.UUID) -> bool:
    """Note that results come into the archive from now on; false when the job is not ours."""
    held = ReconstructionJob.objects.held_by(job.pk, claim)
    return held.update(is_storing=True) == 1


def end(job: ReconstructionJob, claim: uuid.UUID, status: str, **columns: object) -> bool:
    """Write how a run ended; false when the job is not ours any more."""
    with transaction.atomic():
        count = ReconstructionJob.objects.held_by(job.pk, claim).update(
            status=status, ended_at=timezone.now(), claim=None, lease_until=None, **columns
        )
        if count:
            job.refresh_from_db()
            publish(job)
    return count == 1


def fail(job: ReconstructionJob, claim: uuid.UUID, words: str, **columns: object) -> None:
    """End a run that trying again cannot help."""
    end(job, claim, Status.FAILED, reason=words[:REASON_LENGTH], **columns)


def put_back(job: ReconstructionJob, claim: uuid.UUID, words: str, **columns: object) -> None:
    """Let the job wait for another attempt, if it has one left; else fail it with these words."""
    if job.attempts >= ATTEMPTS_LIMIT:
        fail(job, claim, words, **columns)
        return
    due_at = timezone.now() + timedelta(seconds=2**job.attempts)
    _wait(job, claim, due_at=due_at, reason=words[:REASON_LENGTH], **columns)


def release(job: ReconstructionJob, claim: uuid.UUID) -> None:
    """Give a job back because its worker stops: that was no attempt."""
    _wait(job, claim, due_at=timezone.now(), attempts=F("attempts") - 1)


def _wait(job: ReconstructionJob, claim: uuid.UUID, **columns: object) -> None:
    with transaction.atomic():
        held = ReconstructionJob.objects.held_by(job.pk, claim)
        if held.update(status=Status.QUEUED, claim=None, lease_until=None, **columns):
            job.refresh_from_db()
            publish(job)


def _give_up(job: ReconstructionJob) -> None:
    """Fail a job that ended its worker as often as it may."""
    with transaction.atomic():
        count = _unchanged(job).update(
            status=Status.FAILED, ended_at=timezone.now(), claim=None, lease_until=None,
            reason=_("Its worker ended %(count)d times in the middle of it.")
            % {"count": job.attempts},
        )  # fmt: skip
        if count:
            job.refresh_from_db()
            publish(job)
