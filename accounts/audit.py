"""The audit trail: append-only, chained by hash, written with the change it tells of."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts import sql
from accounts.locks import AUDIT_TURN, take_turn
from accounts.models import AuditRow, Facility, User

FIRST_HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """What is to be written of one act; the trail adds time and chain."""

    action: str
    actor: str
    user_id: uuid.UUID | None = None
    address: str = ""
    outcome: str = "success"
    facility_id: Any = None
    patient_id: str = ""
    study_instance_uid: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


def record(entries: Iterable[AuditEntry]) -> None:
    """Append the entries, in the transaction that is open or one of their own."""
    with transaction.atomic():
        take_turn(AUDIT_TURN)
        last = sql.fetch("SELECT hash FROM accounts_auditrow ORDER BY id DESC LIMIT 1")
        previous_hash = last[0][0] if last else FIRST_HASH
        rows = []
        for entry in entries:
            row = _row(entry, previous_hash)
            previous_hash = row.hash
            rows.append(row)
        sql.insert_rows(rows)


def record_for_user(
    user: User,
    action: str,
    *,
    address: str = "",
    outcome: str = "success",
    facility: Facility | None = None,
    **about: Any,
) -> None:
    """Append one entry for a person at a page; `about` takes AuditEntry's other fields.

    Who came by a token is told with the token's name.
    """
    if user.grant.name:
        about["detail"] = {**about.get("detail", {}), "token": user.grant.name}
    entry = AuditEntry(
        action=action,
        actor=user.get_username(),
        user_id=user.pk,
        address=address,
        outcome=outcome,
        facility_id=facility.pk if facility else about.pop("facility_id", None),
        **about,
    )
    record([entry])


def find_breaks(rows: Iterator[AuditRow]) -> Iterator[int]:
    """Yield the ids of rows, given oldest first, whose place in the chain is wrong."""
    previous_hash = FIRST_HASH
    for row in rows:
        if row.previous_hash != previous_hash or row.hash != _digest(row):
            yield row.pk
        previous_hash = row.hash


def _row(entry: AuditEntry, previous_hash: str) -> AuditRow:
    row = AuditRow(
        at=timezone.now(),
        user_id=entry.user_id,
        actor=entry.actor[:150],
        address=entry.address[:64],
        action=entry.action,
        outcome=entry.outcome,
        facility_id=entry.facility_id,
        patient_id=entry.patient_id[:64],
        study_instance_uid=entry.study_instance_uid[:64],
        detail=entry.detail,
        previous_hash=previous_hash,
    )
    row.hash = _digest(row)
    return row


def _digest(row: AuditRow) -> str:
    """Return the SHA-256 (hex) over the row's facts and the hash before it."""
    facts = [
        row.previous_hash,
        row.at.isoformat(),
        str(row.user_id or ""),
        row.actor,
        row.address,
        row.action,
        row.outcome,
        str(row.facility_id or ""),
        row.patient_id,
        row.study_instance_uid,
        json.dumps(row.detail, sort_keys=True, ensure_ascii=False),
    ]
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()
