"""Orders for tests."""

from __future__ import annotations

from datetime import date, time
from typing import Any

from accounts.models import Facility, User
from worklist.models import Order
from worklist.orders import Author, create_order

STEP: dict[str, Any] = {
    "modality": "CT",
    "scheduled_procedure_step_start_date": "2024-03-05",
    "scheduled_procedure_step_start_time": "09:30:00",
    "scheduled_station_ae_title": "CT1",
    "scheduled_procedure_step_description": "CT thorax",
}


def order_document(**also: Any) -> dict[str, Any]:
    """Return an order as it is sent to the REST interface."""
    return {
        "patient_id": "P1",
        "patient_name": "Doe^Jane",
        "patient_birth_date": "1970-01-02",
        "patient_sex": "F",
        "requested_procedure_description": "CT of the chest",
        "accession_number": "A1",
        "steps": [STEP],
        **also,
    }


def make_order(person: User | None = None, facility: Facility | None = None, **also: Any) -> Order:
    """Return a new order with one step, by the verb that everybody uses."""
    document = order_document(**{"accession_number": "", **also})
    document["patient_birth_date"] = date.fromisoformat(document["patient_birth_date"])
    steps = [{**STEP, **step} for step in document.pop("steps")]
    for step in steps:
        day, at = (f"scheduled_procedure_step_start_{what}" for what in ("date", "time"))
        step[day] = date.fromisoformat(str(step[day]))
        step[at] = time.fromisoformat(str(step[at]))
    if facility is None:
        assert person is not None
        facility = person.facilities.get()
    return create_order(facility, document, steps, Author("test"))
