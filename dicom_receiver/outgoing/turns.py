"""Whose turn it is: transfers are claimed, their leases renewed, their ends written.

Every change is one conditional update, so that of two workers that want the same transfer one
gets it, and a run that lost its claim changes nothing any more. A peer gets as many
associations at a time as its line allows, and what goes there of one study goes in the order
in which it was asked for.
"""

from __future__ import annotations

import random
import uuid
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit
from archive import events
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.models import REASON_LENGTH, Line, Transfer

EVENT = "transfer"
LEASE = timedelta(seconds=15)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=15)
# Ten transfers to one peer that fail at once should not come back at once.
JITTER = 0.2
_LOOK_AT = 16
Status = Transfer.Status


def line_of(peer: Peer) -> Line:
    """Return the way out to a peer, made on first sight."""
    return Line.objects.get_or_create(peer=peer)[0]


def publish(transfer: Transfer) -> None:
    """Tell pages how it stands with a transfer; must be the last writing of its transaction."""
    events.publish_for(
        EVENT, transfer.facility_id, transfer=str(transfer.pk), study=str(transfer.study_id),
        peer=str(transfer.peer_id), status=transfer.status, sent=transfer.sent_count,
        failed=transfer.failed_count, instances=transfer.instance_count,
    )  # fmt: skip


# --- taking ------------------------------------------------------------------
def claim_next(worker: str) -> Transfer | None:
    """Return the transfer whose turn it is, claimed by us; None when none can go."""
    for transfer in _due()[:_LOOK_AT]:
        if _claim(transfer, worker):
            return transfer
    return None


def _due() -> QuerySet[Transfer]:
    """Return what could go now: the most urgent first, then the oldest."""
    now = timezone.now()
    waits = Q(status=Status.QUEUED) & Q(due_at__lte=now)
    asks = Q(status=Status.COMMITTING) & Q(due_at__lte=now)
    is_orphaned = Q(status=Status.RUNNING) & Q(lease_until__lt=now)
    earlier = Transfer.objects.filter(
        peer=OuterRef("peer"), study=OuterRef("study"), id__lt=OuterRef("id"),
        status__in=[Status.QUEUED, Status.RUNNING], is_paused=False,
    )  # fmt: skip
    lines = Line.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), is_paused=False)
    return (
        Transfer.objects.open()  # The few of many: by the index on the status.
        .filter(waits | asks | is_orphaned, is_paused=False)
        .filter(Q(lease_until=None) | Q(lease_until__lt=now))
        .filter(peer__in=lines.values("peer"), peer__is_active=True)
        .exclude(Exists(earlier), ~Q(status=Status.COMMITTING))
        .order_by("-priority", "id")
    )


def _claim(transfer: Transfer, worker: str) -> bool:
    """Take the transfer unless another worker was faster, or the peer has enough of us."""
    now = timezone.now()
    with transaction.atomic():
        # Of two workers the other one waits here, and then counts the first one's transfer.
        line = Line.objects.select_for_update().filter(pk=transfer.peer_id).first()
        if line is None or line.is_paused or _busy(transfer, line) >= line.associations:
            return False
        unchanged = Transfer.objects.filter(
            pk=transfer.pk, status=transfer.status, claim=transfer.claim,
            lease_until=transfer.lease_until, is_paused=False,
        )  # fmt: skip
        is_committing = transfer.status == Status.COMMITTING
        columns = {} if is_committing else {"status": Status.RUNNING, "started_at": now}
        if not unchanged.update(
            claim=uuid.uuid4(), lease_until=now + LEASE, worker=worker[:150], **columns
        ):
            return False
        transfer.refresh_from_db()
        publish(transfer)
    return True


def _busy(transfer: Transfer, line: Line) -> int:
    """Return how many other transfers have an association with the peer."""
    held = Transfer.objects.filter(peer=line.pk, lease_until__gte=timezone.now())
    return held.exclude(pk=transfer.pk).count()


# --- keeping -----------------------------------------------------------------
def held(transfer: Transfer) -> QuerySet[Transfer]:
    """Return the transfer while it runs under our claim: nobody else may write of its run."""
    return Transfer.objects.filter(pk=transfer.pk, claim=transfer.claim).exclude(
        status__in=[Status.CANCELLED, Status.DONE, Status.FAILED]
    )


def renew(transfer: Transfer) -> bool:
    """Prolong the lease; false when the transfer is not ours any more, or should pause."""
    now = timezone.now()
    ours = held(transfer).filter(is_paused=False)
    is_line_open = Line.objects.filter(pk=transfer.peer_id, is_paused=False).exists()
    return bool(is_line_open and ours.update(lease_until=now + LEASE))


# --- ends --------------------------------------------------------------------
def end(transfer: Transfer, status: str, words: str = "", **columns: object) -> bool:
    """Write how a transfer ended; false when it is not ours any more."""
    columns = {"status": status, "ended_at": timezone.now(), **columns}
    with transaction.atomic():
        is_ours = held(transfer).update(
            claim=None, lease_until=None, reason=words[:REASON_LENGTH], **columns
        )
        if is_ours:
            transfer.refresh_from_db()
            record_end(transfer)
            publish(transfer)
    return bool(is_ours)


def record_end(transfer: Transfer) -> None:
    """Write into the trail what was disclosed to whom."""
    study = transfer.study
    by = transfer.requested_by
    audit.record(
        [
            audit.AuditEntry(
                action="transfer",
                actor=by.get_username() if by else transfer.peer.ae_title,
                user_id=by.pk if by else None,
                outcome="success" if transfer.status == Status.DONE else transfer.status,
                facility_id=transfer.facility_id,
                patient_id=study.patient.patient_id,
                study_instance_uid=study.study_instance_uid,
                detail={
                    "transfer": str(transfer.pk), "peer": transfer.peer.ae_title,
                    "why": transfer.why, "sent": transfer.sent_count,
                    "failed": transfer.failed_count,
                },
            )
        ]
    )  # fmt: skip


def wait(transfer: Transfer, until: object, words: str = "", **columns: object) -> bool:
    """Let a transfer wait, with what was sent already noted at its items."""
    columns = {"status": Status.QUEUED, **columns}
    return _write(transfer, due_at=until, reason=words[:REASON_LENGTH], **columns)


def release(transfer: Transfer) -> None:
    """Give a transfer back because its worker stops or it is paused: that was no attempt."""
    columns = {} if transfer.status == Status.COMMITTING else {"status": Status.QUEUED}
    _write(transfer, **columns)


def _write(transfer: Transfer, **columns: object) -> bool:
    with transaction.atomic():
        if not held(transfer).update(claim=None, lease_until=None, **columns):
            return False
        transfer.refresh_from_db()
        publish(transfer)
    return True


# --- the peer ----------------------------------------------------------------
def pause_after(failures: int) -> timedelta:
    """Return how long to wait after so many failures in a row: twice as long each time."""
    doublings: int = min(max(failures - 1, 0), 20)
    plain = min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
    return plain * (1 + JITTER * random.random())  # noqa: S311 - spreads load, no secret


def note_success(transfer: Transfer) -> None:
    """Note that the peer has answered: whatever waits for it may go."""
    Line.objects.filter(pk=transfer.peer_id).update(
        failures=0, retry_at=None, last_error="", last_success_at=timezone.now()
    )


def note_silence(transfer: Transfer, words: str) -> None:
    """Let everything for the peer wait: it cannot be reached. In the end a transfer fails."""
    now = timezone.now()
    with transaction.atomic():
        line = Line.objects.select_for_update().get(pk=transfer.peer_id)
        line.failures += 1
        line.retry_at = now + pause_after(line.failures)
        line.last_error = words[:REASON_LENGTH]
        line.save(update_fields=["failures", "retry_at", "last_error"])
    if now < transfer.give_up_at:
        release_with(transfer, words)
        return
    hours = settings.NOCTIS_TRANSFER_HOURS
    given_up = _("Given up after %(hours)d hours: %(words)s") % {"hours": hours, "words": words}
    end(transfer, Status.FAILED, given_up)


def release_with(transfer: Transfer, words: str) -> None:
    """Let a transfer wait for its peer, and say why."""
    columns = {} if transfer.status == Status.COMMITTING else {"status": Status.QUEUED}
    _write(transfer, reason=words[:REASON_LENGTH], **columns)


def note_accident(transfer: Transfer) -> None:
    """Let a transfer wait whose run broke for a reason of ours, or fail it after so many."""
    attempts = transfer.attempts + 1
    words = _("It broke off; see the log.")
    if attempts >= settings.NOCTIS_TRANSFER_ATTEMPTS:
        end(transfer, Status.FAILED, words, attempts=attempts)
        return
    columns = {"status": transfer.status} if transfer.status == Status.COMMITTING else {}
    wait(transfer, timezone.now() + pause_after(attempts), words, attempts=attempts, **columns)
