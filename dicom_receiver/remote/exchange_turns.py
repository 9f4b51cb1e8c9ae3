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
from dicom_receiver.remote.models import REASON_LENGTH, Exchange
from dicom_receiver.remote.progress import Tally

EVENT = "exchange"
LEASE = timedelta(seconds=20)
ATTEMPTS_LIMIT = 4
# 10 s, 40 s, 160 s: a peer that restarts is back by then.
_FIRST_PAUSE_SECONDS = 10
_LOOK_AT = 8
Status = Exchange.Status


def publish(row: Exchange) -> None:
    """Tell pages how it stands with an import; must be the last writing of its transaction."""
    events.publish_for(
        EVENT, row.facility_id, id=str(row.pk), status=row.status, done=row.done,
        failed=row.failed, expected=row.expected,
    )  # fmt: skip


def claim_next(worker: str) -> Exchange | None:
    """Return the import whose turn it is, claimed by us; None when nothing is due."""
    while candidates := list(_due()[:_LOOK_AT]):
        for row in candidates:
            if row.attempts >= ATTEMPTS_LIMIT:
                _give_up(row)
            elif _claim(row, worker):
                return row
    return None


def _due() -> QuerySet[Exchange]:
    now = timezone.now()
    due = Q(status=Status.QUEUED, due_at__lte=now) | Q(status=Status.RUNNING, lease_until__lt=now)
    return Exchange.objects.filter(due).order_by("due_at", "id")


def _unchanged(row: Exchange) -> QuerySet[Exchange]:
    """Return the import if nobody has claimed it, or renewed its lease, since it was read."""
    return Exchange.objects.filter(
        pk=row.pk, status=row.status, claim=row.claim, lease_until=row.lease_until
    )


def _claim(row: Exchange, worker: str) -> bool:
    now = timezone.now()
    with transaction.atomic():
        count = _unchanged(row).update(
            status=Status.RUNNING, claim=uuid.uuid4(), lease_until=now + LEASE, started_at=now,
            attempts=F("attempts") + 1, worker=worker[:150], done=0, failed=0,
        )  # fmt: skip
        if count:
            row.refresh_from_db()
            publish(row)
    return count == 1


def _give_up(row: Exchange) -> None:
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
    held = Exchange.objects.held_by(key, claim)
    return held.update(lease_until=timezone.now() + LEASE) == 1


def is_held(key: uuid.UUID, claim: uuid.UUID) -> bool:
    """Whether the import still runs under this claim: not cancelled, not taken over."""
    return Exchange.objects.held_by(key, claim).exists()


def tell(row: Exchange, claim: uuid.UUID, tally: Tally) -> None:
    """Write how far a run is."""
    with transaction.atomic():
        count = Exchange.objects.held_by(row.pk, claim).update(
            done=tally.done, failed=tally.failed, expected=tally.expected
        )
        if count:
            row.done, row.failed = tally.done, tally.failed
            row.expected = tally.expected
            publish(row)


def end(row: Exchange, claim: uuid.UUID, status: str, **columns: object) -> bool:
    """Write how a run ended; false when the import is not ours any more."""
    with transaction.atomic():
        count = Exchange.objects.held_by(row.pk, claim).update(
            status=status, ended_at=timezone.now(), claim=None, lease_until=None, **columns
        )
        if count:
            row.refresh_from_db()
            publish(row)
    return count == 1


def put_back(row: Exchange, claim: uuid.UUID, words: str, **columns: object) -> bool:
    """Let the import wait for another attempt; false when it has none left, or is not ours."""
    if row.attempts >= ATTEMPTS_LIMIT:
        return False
    seconds = _FIRST_PAUSE_SECONDS * 4 ** (row.attempts - 1)
    due_at = timezone.now() + timedelta(seconds=seconds)
    return _wait(row, claim, due_at=due_at, reason=words[:REASON_LENGTH], **columns)


def release(row: Exchange, claim: uuid.UUID) -> None:
    """Give an import back because its worker stops: that was no attempt."""
    _wait(row, claim, due_at=timezone.now(), attempts=F("attempts") - 1)


def _wait(row: Exchange, claim: uuid.UUID, **columns: object) -> bool:
    with transaction.atomic():
        held = Exchange.objects.held_by(row.pk, claim)
        count = held.update(status=Status.QUEUED, claim=None, lease_until=None, **columns)
        if count:
            row.refresh_from_db()
            publish(row)
    return count == 1
