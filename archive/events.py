"""News for pages: written with the change, read by ever-growing id."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts import sql
from accounts.locks import EVENT_TURN, take_turn
from archive.models import Event, Study

KEEP = timedelta(days=1)


def publish(kind: str, studies: Sequence[Study], **payload: Any) -> None:
    """Write one event a study; must be the last writing of its transaction.

    Writers take turns until their commit, so that a reader that has seen an
    id never misses a smaller one.
    """
    if not studies:
        return
    take_turn(EVENT_TURN)
    sql.insert_rows(
        [
            Event(kind=kind, study=study, facility_id=study.facility_id, payload=payload)
            for study in studies
        ]
    )


def publish_for(kind: str, facility_id: uuid.UUID | None, **payload: Any) -> None:
    """Write one event that is about no study, for those who see the facility."""
    take_turn(EVENT_TURN)
    Event.objects.create(kind=kind, facility_id=facility_id, payload=payload)


def forget_old() -> int:
    """Remove events that no page can still be waiting for; returns their number."""
    count, _ = Event.objects.filter(created_at__lt=timezone.now() - KEEP).delete()
    return count
