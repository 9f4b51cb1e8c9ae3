"""The report on a commitment (PS3.4 J.3.3): what it says, and to whom it is brought how often.

On the association on which the peer asked when that is still open and the check was quick
(`handlers.commit`), else on one of ours to the peer's address, in the role of the SCP.
"""

from __future__ import annotations

import logging
import uuid
from datetime import timedelta

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.utils import timezone

from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.commitment.asking import (
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
    record_end,
    reference,
)
from dicom_receiver.commitment.models import REASON_LENGTH, Commitment
from dicom_receiver.contexts import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_COMMITMENT,
)
from dicom_receiver.identifiers import Attribute, encode_attributes
from dicom_receiver.models import Peer
from dicom_receiver.requestor import Offer, Requestor, Target
from dicom_receiver.targets import target_of
from dicom_receiver.tasks import REPORTS, wake
from imaging.errors import PeerUnavailableError

logger = logging.getLogger("noctis.dimse")

# The one instance of the Storage Commitment Push Model (PS3.4 J.3.5).
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
ALL_COMMITTED, FAILURES_EXIST = 1, 2
_FAILED_SOP_SEQUENCE, _FAILURE_REASON = 0x00081198, 0x00081197

LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
REPORTS_AN_ASSOCIATION = 50
Status = Commitment.Status


# --- what it says ------------------------------------------------------------
def report_elements(row: Commitment) -> dict[int, int | str | bytes]:
    """Return the command elements of the N-EVENT-REPORT (PS3.7 10.1.1)."""
    return {
        dimse.COMMAND_FIELD: dimse.N_EVENT_REPORT_RQ,
        dimse.AFFECTED_SOP_CLASS_UID: STORAGE_COMMITMENT,
        dimse.AFFECTED_SOP_INSTANCE_UID: COMMITMENT_INSTANCE,
        dimse.EVENT_TYPE_ID: FAILURES_EXIST if row.failures else ALL_COMMITTED,
    }


def encode_report(row: Commitment, transfer_syntax: str) -> bytes:
    """Return the event information (PS3.4 Table J.3-2)."""
    kept: list[list[Attribute]] = []
    failed: list[list[Attribute]] = []
    for number, (class_uid, uid) in enumerate(row.references):
        item = reference(class_uid, uid)
        reason = row.failures.get(str(number))
        if reason is not None:
            item.append((_FAILURE_REASON, b"US", reason))
        (kept if reason is None else failed).append(item)
    report: list[Attribute] = [(TRANSACTION_UID, b"UI", row.transaction_uid)]
    if kept:
        report.append((REFERENCED_SOP_SEQUENCE, b"SQ", kept))
    if failed:
        report.append((_FAILED_SOP_SEQUENCE, b"SQ", failed))
    return encode_attributes(report, transfer_syntax)


# --- whose turn it is --------------------------------------------------------
def claim(row: Commitment) -> bool:
    """Take a checked row, that we alone report it; false when it is another's, or done."""
    mine = uuid.uuid4()
    now = timezone.now()
    free = _free().filter(pk=row.pk, status=Status.CHECKED)
    if not free.update(claim=mine, lease_until=now + LEASE):
        return False
    row.refresh_from_db()
    return True


def end_hold(row: Commitment) -> None:
    """Let the report be brought at once: nobody waits for it on an old association any more."""
    now = timezone.now()
    still = Commitment.objects.filter(pk=row.pk)
    still.filter(status=Status.CHECKING).update(held_until=None)
    if still.filter(status=Status.CHECKED, claim=None, attempts=0).update(due_at=now):
        wake(REPORTS)


def note_success(row: Commitment) -> None:
    """Write that the peer has taken the report."""
    with transaction.atomic():
        held = Commitment.objects.filter(pk=row.pk, claim=row.claim, status=Status.CHECKED)
        if held.update(
            status=Status.REPORTED, reported_at=timezone.now(), claim=None, lease_until=None,
            reason="",
        ):  # fmt: skip
            record_end(row, "failure" if row.failures else "success")


def note_trouble(row: Commitment, words: str, *, pause: bool = True) -> None:
    """Write why the peer did not take it; it is tried again later, but not for ever."""
    now = timezone.now()
    columns = {"claim": None, "lease_until": None, "reason": words[:REASON_LENGTH]}
    held = Commitment.objects.filter(pk=row.pk, claim=row.claim, status=Status.CHECKED)
    if now >= row.give_up_at:
        with transaction.atomic():
            if held.update(status=Status.GIVEN_UP, **columns):
                record_end(row, "given_up")
        logger.error("commitment %s was never reported: %s", row.pk, words)
        return
    doublings: int = min(row.attempts, 20)
    wait = min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE) if pause else timedelta(0)
    held.update(due_at=now + wait, attempts=F("attempts") + (1 if pause else 0), **columns)


def _free() -> QuerySet[Commitment]:
    return Commitment.objects.filter(Q(lease_until=None) | Q(lease_until__lt=timezone.now()))


def _due() -> QuerySet[Commitment]:
    due = _free().filter(status=Status.CHECKED, due_at__lte=timezone.now())
    return due.order_by("due_at")


# --- how it is brought -------------------------------------------------------
def report_next() -> bool:
    """Report to the peer that has waited longest all that is due; false when nothing is."""
    row = _due().first()
    if row is None:
        return False
    if claim(row):
        _report_to(row.ae_title, row)
    return True


def _report_to(ae_title: str, first: Commitment) -> None:
    row = first
    try:
        with Requestor(_target(ae_title), _offers()) as association:
            context = association.context_for(STORAGE_COMMITMENT)
            if context is None:
                raise PeerUnavailableError("It does not accept storage commitment.")
            for _ in range(REPORTS_AN_ASSOCIATION):
                data_set = encode_report(row, context.transfer_syntax)
                response = association.ask(context, report_elements(row), data_set)
                _settle(row, response.status, response.comment)
                another = _claim_another(ae_title)
                if another is None:
                    return
                row = another
    except PeerUnavailableError as error:
        note_trouble(row, str(error))
        _let_wait(ae_title, row)
    else:
        # It is somebody else's turn.
        note_trouble(row, "", pause=False)


def _settle(row: Commitment, status: int, comment: str) -> None:
    if status == statuses.SUCCESS:
        note_success(row)
    else:
        note_trouble(row, f"The peer answered 0x{status:04X} {comment}".strip())


def _claim_another(ae_title: str) -> Commitment | None:
    for row in _due().filter(ae_title=ae_title)[:4]:
        if claim(row):
            return row
    return None


def _let_wait(ae_title: str, row: Commitment) -> None:
    """Let all reports to a peer that does not answer wait as long as the one that was tried."""
    tried = Commitment.objects.filter(pk=row.pk).values_list("due_at", flat=True).first()
    if tried is not None:
        later = Case(When(due_at__lt=tried, then=Value(tried)), default=F("due_at"))
        _free().filter(ae_title=ae_title, status=Status.CHECKED).update(due_at=later)


def _target(ae_title: str) -> Target:
    peer = Peer.objects.filter(ae_title=ae_title, is_active=True, facility__is_active=True).first()
    if peer is None:
        raise PeerUnavailableError(f"{ae_title} is no active peer any more.")
    return target_of(peer)


def _offers() -> list[Offer]:
    """Propose to be the SCP, as the one who reports (PS3.4 J.3.3, PS3.7 D.3.3.4)."""
    syntaxes = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
    return [Offer(STORAGE_COMMITMENT, syntaxes, as_scp=True, as_scu=False)]
