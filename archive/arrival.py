"""What comes in and what becomes of it: the words that doors, commit and index share."""

from __future__ import annotations

import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone

from imaging.facts import InstanceFacts


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where an object comes from. `facility_id` None means quarantine."""

    door: str
    sender: str
    facility_id: uuid.UUID | None = None
    address: str = ""
    user_id: uuid.UUID | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an object.

    `status` is `stored`, `duplicate` (the same bytes were here), `healed`
    (they were, but the file was missing or damaged and is whole again) or
    `conflict` (other bytes under a known UID, or a known study of another
    patient: kept aside for a person, the first copy stays).
    """

    status: str
    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    study_id: uuid.UUID | None = None
    series_id: uuid.UUID | None = None
    instance_id: uuid.UUID | None = None
    reason: str = ""


@dataclass(kw_only=True)
class Arrival:
    """One received file that waits for its rows.

    `durable` is settled when the file is on the disk under its name, or
    with the storage's error. Rows may be written before, never committed.
    """

    source: Source
    facts: InstanceFacts
    storage_key: str
    size_bytes: int
    dataset_offset: int
    dataset_sha256: str
    meta_sha256: str
    frame_table: bytes | None
    received_at: datetime = field(default_factory=timezone.now)
    durable: Future[None] = field(default_factory=Future)
