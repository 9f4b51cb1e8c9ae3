"""What the archive asks of rows, and writes into them, in several places."""

from __future__ import annotations

import uuid
from typing import Any, TypeVar

from django.db import models

from imaging.facts import FACTS_VERSION, InstanceFacts

RowsT = TypeVar("RowsT", bound="models.QuerySet[models.Model]")


def in_facility(rows: RowsT, facility_id: uuid.UUID | None) -> RowsT:
    """Return the rows of one facility, or those of the quarantine."""
    if facility_id is None:
        return rows.filter(facility__isnull=True)
    return rows.filter(facility_id=facility_id)


def values_of(facts: InstanceFacts) -> dict[str, Any]:
    """Return the columns of an instance's row that come from its header alone."""
    return {
        "sop_class_uid": facts.sop_class_uid,
        "transfer_syntax_uid": facts.transfer_syntax_uid,
        "instance_number": facts.instance_number,
        "number_of_frames": facts.number_of_frames if facts.has_pixel_data else 0,
        "rows": facts.rows,
        "columns": facts.columns,
        "image": facts.image,
        "flags": list(facts.flags),
        "facts_version": FACTS_VERSION,
    }
