"""Storage commitment that we ask of peers for what we sent (PS3.4 Annex J, as SCU).

The peer reports on the association on which it was asked, or on one of its own to our port;
what it does not promise to keep is sent again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom import Dataset
from pydicom.uid import generate_uid

from dicom_receiver import command as dimse
from dicom_receiver import statuses
from dicom_receiver.commitment.asking import (
    REFERENCED_SOP_SEQUENCE,
    TRANSACTION_UID,
    reference,
)
from dicom_receiver.contexts import (
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    STORAGE_COMMITMENT,
)
from dicom_receiver.identifiers import Attribute, decode_identifier, encode_attributes
from dicom_receiver.outgoing import turns
from dicom_receiver.outgoing.models import CommitmentRequest, Transfer, TransferItem
from dicom_receiver.outgoing.sends import Halt
from dicom_receiver.requestor import Agreed, Incoming, Offer, Requestor
from dicom_receiver.targets import target_of
from dicom_receiver.uids import parse_uid
from imaging.errors import IdentityError, MissingError, NoctisError, PeerUnavailableError

logger = logging.getLogger("noctis.dimse")

COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
REQUEST_STORAGE_COMMITMENT = 1
# So long we stay on the association on which we asked.
LISTEN_SECONDS = 5.0
# A peer that reports by itself has so long; then it is asked anew.
REPORT_WITHIN = timedelta(hours=1)
DATA_SET_BYTES = 8 * 1024 * 1024
Status = Transfer.Status
State = TransferItem.State


@dataclass(frozen=True)
class Report:
    """What a peer says of one transaction: kept instances, and others with their reasons."""

    transaction_uid: str
    kept: frozenset[str]
    failed: dict[str, int] = field(default_factory=dict)


def read_report(dataset: Dataset) -> Report:
    """Return what the event information says (PS3.4 Table J.3-2). Raises IdentityError."""
    transaction_uid = _uid(dataset.get("TransactionUID"))
    if transaction_uid is None:
        raise IdentityError("Transaction UID is missing or no UID.")
    kept = {_uid(item.get("ReferencedSOPInstanceUID")) for item in _items(dataset, "Referenced")}
    failed = {
        _uid(item.get("ReferencedSOPInstanceUID")): _number(item.get("FailureReason"))
        for item in _items(dataset, "Failed")
    }
    return Report(
        transaction_uid,
        frozenset(uid for uid in kept if uid),
        {uid: reason for uid, reason in failed.items() if uid},
    )


def _items(dataset: Dataset, which: str) -> list[Dataset]:
    return list(dataset.get(f"{which}SOPSequence") or [])


def _uid(value: object) -> str | None:
    return parse_uid(value.encode("ascii", "replace")) if isinstance(value, str) else None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


# --- asking ------------------------------------------------------------------
def ask(transfer: Transfer, halt: Halt) -> None:
    """Ask the peer to promise what it got; stay a moment, for some answer at once."""
    if transfer.commitment_attempts >= settings.NOCTIS_TRANSFER_ATTEMPTS:
        words = _("Sent, but the peer never said whether it keeps what it got.")
        _refuse(transfer, words)
        return
    items = list(
        transfer.items.filter(state=State.SENT)
        .exclude(is_committed=True)
        .values_list("instance__sop_class_uid", "instance__sop_instance_uid")
    )
    try:
        _ask_for(transfer, items, halt)
    except PeerUnavailableError as error:
        if error.trouble == "no context":
            _refuse(transfer, _("Sent, but the peer knows no storage commitment."))
        else:
            turns.note_silence(transfer, str(error))


def _ask_for(transfer: Transfer, items: list[tuple[str, str]], halt: Halt) -> None:
    syntaxes = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
    offers = [Offer(STORAGE_COMMITMENT, syntaxes)]
    with Requestor(target_of(transfer.peer), offers, stop=halt.wire) as association:
        context = association.context_for(STORAGE_COMMITMENT)
        assert context is not None
        # Written first: the report may come before the answer, on another association.
        request = CommitmentRequest.objects.create(
            transaction_uid=generate_uid(None), transfer=transfer, asked_at=timezone.now()
        )
        turns.held(transfer).update(commitment_attempts=F("commitment_attempts") + 1)
        ae_title = transfer.peer.ae_title

        def serve(incoming: Incoming) -> int:
            return _take(ae_title, incoming)

        response = association.ask(
            context, _elements(), _wish(request, items, context), serve=serve
        )
        turns.note_success(transfer)
        if response.status != statuses.SUCCESS:
            until = timezone.now() + turns.pause_after(transfer.commitment_attempts + 1)
            said = response.comment or f"{response.status:04X}H"
            words = _("Asked for storage commitment, the peer says no: %(said)s") % {"said": said}
            turns.wait(transfer, until, words, status=Status.COMMITTING)
            return
        turns.held(transfer).update(commitment=Transfer.Commitment.ASKED)
        association.listen(serve, LISTEN_SECONDS)
    # Does nothing when the report has come meanwhile.
    until = timezone.now() + REPORT_WITHIN
    turns.wait(transfer, until, status=Status.COMMITTING)


def _elements() -> dict[int, int | str | bytes]:
    return {
        dimse.COMMAND_FIELD: dimse.N_ACTION_RQ,
        dimse.REQUESTED_SOP_CLASS_UID: STORAGE_COMMITMENT,
        dimse.REQUESTED_SOP_INSTANCE_UID: COMMITMENT_INSTANCE,
        dimse.ACTION_TYPE_ID: REQUEST_STORAGE_COMMITMENT,
    }


def _wish(request: CommitmentRequest, items: list[tuple[str, str]], context: Agreed) -> bytes:
    """Return the action information (PS3.4 Table J.3-1)."""
    wish: list[Attribute] = [
        (TRANSACTION_UID, b"UI", request.transaction_uid),
        (REFERENCED_SOP_SEQUENCE, b"SQ", [reference(*item) for item in items]),
    ]
    return encode_attributes(wish, context.transfer_syntax)


def _take(ae_title: str, incoming: Incoming) -> int:
    """Take a report on the association on which we asked; returns the status of the answer."""
    if incoming.command.field != dimse.N_EVENT_REPORT_RQ:
        return statuses.UNRECOGNIZED_OPERATION
    data = bytearray()
    for piece in incoming.pieces:
        data += piece
        if len(data) > DATA_SET_BYTES:
            return statuses.RESOURCE_LIMITATION
    try:
        dataset = decode_identifier(bytes(data), incoming.context.transfer_syntax, elements=200_000)
        note_report(ae_title, read_report(dataset))
    except NoctisError as error:
        logger.warning("a report on a commitment was not understood: %s", error)
        return statuses.INVALID_ARGUMENT_VALUE
    return statuses.SUCCESS


def _refuse(transfer: Transfer, words: str) -> None:
    refused = Transfer.Commitment.REFUSED
    turns.end(transfer, Status.FAILED, words, commitment=refused)


# --- the report --------------------------------------------------------------
def note_report(ae_title: str, report: Report) -> None:
    """Write what the peer promises; what it does not promise waits to be sent again.

    Taken as often as it comes. Raises MissingError when we never asked this peer that.
    """
    with transaction.atomic():
        request = (
            CommitmentRequest.objects.select_for_update(of=("self",))
            .select_related("transfer__peer", "transfer__study__patient")
            .filter(transaction_uid=report.transaction_uid, transfer__peer__ae_title=ae_title)
            .first()
        )
        if request is None:
            raise MissingError("This Transaction UID was never used.")
        if request.answered_at is None:
            CommitmentRequest.objects.filter(pk=request.pk).update(answered_at=timezone.now())
            _note_items(request.transfer, report)


def _note_items(transfer: Transfer, report: Report) -> None:
    # What an earlier report promised was not asked for again.
    sent = transfer.items.filter(state=State.SENT).exclude(is_committed=True)
    uids = dict(sent.values_list("pk", "instance__sop_instance_uid"))
    kept = {key for key, uid in uids.items() if uid in report.kept - report.failed.keys()}
    for keys in _pages(kept):
        TransferItem.objects.filter(pk__in=keys).update(is_committed=True)
    lost = {key: uid for key, uid in uids.items() if key not in kept}
    open_rows = Transfer.objects.filter(pk=transfer.pk, status=Status.COMMITTING)
    if not open_rows.exists():
        return
    now: Any = timezone.now()
    if not lost:
        open_rows.update(
            status=Status.DONE, commitment=Transfer.Commitment.PROMISED, ended_at=now,
            claim=None, lease_until=None, reason="",
        )  # fmt: skip
        transfer.refresh_from_db()
        turns.record_end(transfer)
    else:
        _send_again(transfer, lost, report)
    transfer.refresh_from_db()
    turns.publish(transfer)


def _send_again(transfer: Transfer, lost: dict[Any, str], report: Report) -> None:
    """Let what is not kept wait again; the run ends it when that happens too often."""
    attempts = transfer.attempts + 1
    reasons = sorted({report.failed.get(uid, 0) for uid in lost.values()})
    words = _("The peer does not keep %(count)d images (%(reasons)s).") % {
        "count": len(lost), "reasons": ", ".join(f"{reason:04X}H" for reason in reasons),
    }  # fmt: skip
    if attempts >= settings.NOCTIS_TRANSFER_ATTEMPTS:
        columns: dict[str, Any] = {
            "status": Status.FAILED, "commitment": Transfer.Commitment.REFUSED,
            "ended_at": timezone.now(),
        }  # fmt: skip
    else:
        for keys in _pages(set(lost)):
            again = TransferItem.objects.filter(pk__in=keys)
            again.update(state=State.WAITING, is_committed=False, reason=words[:200])
        due_at = timezone.now() + turns.pause_after(attempts)
        columns = {
            "status": Status.QUEUED, "commitment": Transfer.Commitment.NOT_ASKED,
            "due_at": due_at, "sent_count": F("sent_count") - len(lost),
        }  # fmt: skip
    Transfer.objects.filter(pk=transfer.pk).update(
        **columns, attempts=attempts, reason=words, claim=None, lease_until=None
    )


def _pages(keys: set[Any]) -> list[list[Any]]:
    ordered = list(keys)
    return [ordered[begin : begin + 500] for begin in range(0, len(ordered), 500)]
