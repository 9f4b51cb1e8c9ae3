"""What a peer asks to be kept: understood within bounds, written down before it is answered."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import audit
from accounts.locks import writing_turn
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.identifiers import Attribute
from dicom_receiver.tasks import COMMITMENTS, wake
from dicom_receiver.uids import parse_uid
from imaging.elements import ElementView
from imaging.errors import IdentityError, LimitExceededError, UnreadableError

# One transaction: a whole study of thin slices, several times over.
INSTANCES_LIMIT = 20_000
DATA_SET_BYTES = 8 * 1024 * 1024
# A reference has two elements; media and further remarks of the standard may add some.
ELEMENTS_LIMIT = 8 * INSTANCES_LIMIT
DEPTH_LIMIT = 4

TRANSACTION_UID = 0x00081195
REFERENCED_SOP_SEQUENCE = 0x00081199
REFERENCED_SOP_CLASS_UID = 0x00081150
REFERENCED_SOP_INSTANCE_UID = 0x00081155


@dataclass(frozen=True)
class Wish:
    """One transaction: its UID, and SOP class and SOP instance of each reference."""

    transaction_uid: str
    references: list[list[str]]


@dataclass(frozen=True)
class Asker:
    """Who asks."""

    ae_title: str
    address: str
    facility_id: uuid.UUID | None


def read_wish(view: ElementView) -> Wish:
    """Return what the action information asks for (PS3.4 Table J.3-1).

    Raises
    ------
    IdentityError
        A UID is missing or is none.
    UnreadableError
        There is no sequence, or it is empty or broken.
    LimitExceededError
        There are too many references.
    """
    transaction_uid = _uid(view, TRANSACTION_UID, "Transaction UID")
    references = []
    for item in view.iter_items(REFERENCED_SOP_SEQUENCE):
        references.append(
            [
                _uid(item, REFERENCED_SOP_CLASS_UID, "Referenced SOP Class UID"),
                _uid(item, REFERENCED_SOP_INSTANCE_UID, "Referenced SOP Instance UID"),
            ]
        )
        if len(references) > INSTANCES_LIMIT:
            raise LimitExceededError(f"More than {INSTANCES_LIMIT} instances in one transaction.")
    if "broken_sequence" in view.flags:
        raise UnreadableError("A sequence is broken.")
    if not references:
        raise UnreadableError("Referenced SOP Sequence is missing or empty.")
    return Wish(transaction_uid, references)


def reference(class_uid: str, uid: str) -> list[Attribute]:
    """Return an item of a reference sequence, to be encoded."""
    return [
        (REFERENCED_SOP_CLASS_UID, b"UI", class_uid),
        (REFERENCED_SOP_INSTANCE_UID, b"UI", uid),
    ]


def take_down(wish: Wish, asker: Asker, *, held_for: timedelta) -> Commitment:
    """Return the row of this transaction, committed to the database.

    The same transaction asked for again while it is under way is the same row. Its UID used
    for anything else, or again after the report, is a duplicate (PS3.4 J.3.3.1.2: 0131H),
    which is what will be reported.
    """
    now = timezone.now()
    with writing_turn(), transaction.atomic():
        used = Commitment.objects.filter(
            ae_title=asker.ae_title, transaction_uid=wish.transaction_uid
        )
        for earlier in used.filter(status__in=Commitment.OPEN, is_repeat=False):
            if earlier.references == wish.references and earlier.facility_id == asker.facility_id:
                return earlier
        row = Commitment.objects.create(
            transaction_uid=wish.transaction_uid,
            is_repeat=used.exists(),
            ae_title=asker.ae_title,
            facility_id=asker.facility_id,
            references=wish.references,
            instance_count=len(wish.references),
            created_at=now,
            due_at=now,
            held_until=now + held_for,
            give_up_at=now + timedelta(hours=settings.NOCTIS_COMMITMENT_HOURS),
        )
        audit.record([describe(row, "commitment_requested", address=asker.address)])
    wake(COMMITMENTS)
    return row


def record_end(row: Commitment, outcome: str) -> None:
    """Write into the trail what became of a transaction."""
    entry = describe(row, "commitment_reported", outcome=outcome, failed=len(row.failures))
    audit.record([entry])


def describe(
    row: Commitment, action: str, *, address: str = "", outcome: str = "success", **detail: Any
) -> audit.AuditEntry:
    """Return what the trail is told of a transaction."""
    about = {"transaction_uid": row.transaction_uid, "instances": row.instance_count, **detail}
    return audit.AuditEntry(
        action=action,
        actor=row.actor,
        user_id=row.user_id,
        address=address,
        outcome=outcome,
        facility_id=row.facility_id,
        detail=about,
    )


def _uid(view: ElementView, tag: int, name: str) -> str:
    uid = parse_uid(view.raw(tag) or b"")
    if uid is None:
        raise IdentityError(f"{name} is missing or no UID.")
    return uid
