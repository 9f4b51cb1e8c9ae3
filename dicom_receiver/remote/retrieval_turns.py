"""Whose turn it is: imports are claimed, their leases renewed, their ends written.

Every change is one conditional update: of two workers that want the same import one gets it, and
of a run that lost its claim nothing is written any more.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from archive import events
from dicom_receiver.remote.models import REASON_LENGTH, Retrieval
from dicom_receiver.remote.progress import Tally

EVENT = "import"
LEASE = timedelta(seconds=20)
ATTEMPTS_LIMIT = 4
# 10 s, 40 s, 160 s: a peer that restarts is back by then.
_FIRST_PAUSE_SECONDS = 10
_LOOK_AT = 8
Status = Retrieval.Status


def publish(row: Retrieval) -> None:
    """Tell pages how it stands with an import; must be the last writing of its transaction."""
    events.publish_for(
        EVENT, row.facility_id, id=str(row.pk), status=row.status, received=row.received,
        failed=row.failed, expected=row.expected,
    )  # fmt: skip


def claim_next(worker: str) -> Retrieval | None:
    """Return the import whose turn it is, claimed by us; None when nothing is due."""
    while candidates := list(_due()[:_LOOK_AT]):
        for row in candidates:
            if row.attempts >= ATTEMPTS_LIMIT:
                _give_up(row)
            elif _claim(row, worker):
                return row
    return None


def _due() -> QuerySet[Retrieval]:
    now = timezone.now()
    due = Q(status=Status.QUEUED, due_at__lte=now) | Q(status=Status.RUNNING, lease_until__lt=now)
    return Retrieval.objects.filter(due).order_by("due_at", "id")


def _unchanged(row: Retrieval) -> QuerySet[Retrieval]:
    """Return the import if nobody has claimed it, or renewed its lease, since it was read."""
    return Retrieval.objects.filter(
        pk=row.pk, status=row.status, claim=row.claim, lease_until=row.lease_until
    )


def _claim(row: Retrieval, worker: str) -> bool:
    now = timezone.now()
    with transaction.atomic():
        count = _unchanged(row).update(
            status=Status.RUNNING, claim=uuid.uuid4(), lease_until=now + LEASE, started_at=now,
            attempts=F("attempts") + 1, worker=worker[:150], received=0, failed=0,
        )  # fmt: skip
        if count:
            row.refresh_from_db()
            publish(row)
    return count == 1


def _give_up(row: Retrieval) -> None:
    with transaction.atomic():
        count = _unchanged(row).update(
            status=Status.FAILED, ended_at=timezone.now(), claim=None, lease_until=None,
            reason=row.reason or _("Its worker ended in the middle of it, several times."),
        )  # fmt: skip
        if count:
            row.refresh_from_db()
            publish(row)


def renew(key: uuid.UUID, claim: uuid.UUID) -> bool:
    """Prolong the lease; false when the import is not ours any more."""
    held = Retrieval.objects.held_by(key, claim)
    return held.update(lease_until=timezone.now() + LEASE) == 1


def is_held(key: uuid.UUID, claim: uuid.UUID) -> bool:
    """Whether the import still runs under this claim: not cancelled, not taken over."""
    return Retrieval.objects.held_by(key, claim).exists()


def tell(row: Retrieval, claim: uuid.UUID, tally: Tally) -> None:
    """Write how far a run is."""
    with transaction.atomic():
        count = Retrieval.objects.held_by(row.pk, claim).update(
            received=tally.received, failed=tally.failed, expected=tally.expected
        )
        if count:
            row.received, row.failed = tally.received, tally.failed
            row.expected = tally.expected
            publish(row)


def end(row: Retrieval, claim: uuid.UUID, status: str, **columns: object) -> bool:
    """Write how a run ended; false when the import is not ours any more."""
    with transaction.atomic():
        count = Retrieval.objects.held_by(row.pk, claim).update(
            status=status, ended_at=timezone.now(), claim=None, lease_until=None, **columns
        )
        if count:
            row.refresh_from_db()
            publish(row)
    return count == 1


def put_back(row: Retrieval, claim: uuid.UUID, words: str, **columns: object) -> bool:
    """Let the import wait for another attempt; false when it has none left, or is not ours."""
    if row.attempts >= ATTEMPTS_LIMIT:
        return False
    seconds = _FIRST_PAUSE_SECONDS * 4 ** (row.attempts - 1)
    due_at = timezone.now() + timedelta(seconds=seconds)
    return _wait(row, claim, due_at=due_at, reason=words[:REASON_LENGTH], **columns)


def release(row: Retrieval, claim: uuid.UUID) -> None:
    """Give an import back because its worker stops: that was no attempt."""
    _wait(row, claim, due_at=timezone.now(), attempts=F("attempts") - 1)


def _wait(row: Retrieval, claim: uuid.UUID, **columns: object) -> bool:
    with transaction.atomic():
        held = Retrieval.objects.held_by(row.pk, claim)
        count = held.update(status=Status.QUEUED, claim=None, lease_until=None, **columns)
        if count:
            row.refresh_from_db()
            publish(row)
    return count == 1
