"""Questions about rows that the archive asks in several places."""

from __future__ import annotations

import uuid
from typing import TypeVar

from django.db import models

RowsT = TypeVar("RowsT", bound="models.QuerySet[models.Model]")


def in_facility(rows: RowsT, facility_id: uuid.UUID | None) -> RowsT:
    """Return the rows of one facility, or those of the quarantine."""
    if facility_id is None:
        return rows.filter(facility__isnull=True)
    return rows.filter(facility_id=facility_id)
