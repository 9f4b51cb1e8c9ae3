"""Orders in the administration: entered with their steps, found, refused in clear words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from accounts.models import AuditRow, Facility, User
from tests import factories
from tests.unit.worklist.ordering import make_order
from worklist.models import Order, PerformedStep, ScheduledStep, WorklistEntry

Login = Callable[[User], Client]
LIST, ADD = "admin:worklist_order_changelist", "admin:worklist_order_add"


def form(north: Facility, **also: str) -> dict[str, str]:
    """Return what the page for a new order sends: an order with one step."""
    return {
        "facility": str(north.pk),
        "patient_name": "Doe^Jane",
        "patient_id": "P1",
        "priority": "1",
        "requested_procedure_codes": "CTCH | 99NORTH | CT of the chest",
        "steps-TOTAL_FORMS": "1",
        "steps-INITIAL_FORMS": "0",
        "steps-MIN_NUM_FORMS": "1",
        "steps-MAX_NUM_FORMS": "32",
        "steps-0-modality": "CT",
        "steps-0-scheduled_procedure_step_start_date": "2024-03-05",
        "steps-0-scheduled_procedure_step_start_time": "09:30",
        "steps-0-status": "scheduled",
        **also,
    }


def send(client: Client, address: str, data: dict[str, str]) -> Any:
    return client.post(address, data)


def test_order_is_entered_with_its_step_and_linked(
    client_of: Login, nora: User, north: Facility
) -> None:
    patient = factories.make_patient(north, patient_id="P1")
    study = factories.make_study(north, patient=patient, accession_number="A7")

    answer = send(client_of(nora), reverse(ADD), form(north, accession_number="A7"))

    assert answer.status_code == 302, _errors(answer)
    order = Order.objects.get()
    assert order.study_instance_uid.startswith("2.25.")
    assert order.created_by == nora
    assert order.requested_procedure_codes == [
        {
            "code_value": "CTCH",
            "coding_scheme_designator": "99NORTH",
            "code_meaning": "CT of the chest",
        }
    ]
    step = order.steps.get()
    assert (step.facility, step.status) == (north, "started")
    assert order.status == "in_progress"
    assert WorklistEntry.objects.get(study=study).order == order
    assert AuditRow.objects.filter(action="order_created", actor="nora").count() == 1


WRONG = [
    ({"patient_name": "a\\b"}, "Write one line without backslash."),
    ({"requested_procedure_codes": "CTCH"}, "Write each code as: value | scheme | meaning"),
    ({"study_instance_uid": "1.2.x"}, "Give a UID"),
    ({"requested_procedure_id": "TAKEN"}, "Another order has this requested procedure ID."),
    ({"steps-0-modality": "ct scan!"}, "Give the modality in capital letters"),
    ({"steps-0-scheduled_procedure_step_id": "S1"}, "Another step has this ID."),
    ({"steps-0-scheduled_station_ae_title": "A" * 17}, "Give AE titles of 1 to 16"),
]


def test_what_cannot_be_is_said_in_words(client_of: Login, nora: User, north: Facility) -> None:
    make_order(
        facility=north,
        requested_procedure_id="TAKEN",
        steps=[{"scheduled_procedure_step_id": "S1"}],
    )
    client = client_of(nora)

    for change, words in WRONG:
        answer = send(client, reverse(ADD), form(north, **change))
        assert answer.status_code == 200
        assert words in _errors(answer)
    assert Order.objects.count() == 1


def test_order_of_a_foreign_facility_cannot_be_entered(
    client_of: Login, nora: User, south: Facility
) -> None:
    answer = send(client_of(nora), reverse(ADD), form(south))

    assert answer.status_code == 200
    assert not Order.objects.exists()


def test_what_is_fixed_stays_and_steps_move_as_the_house_allows(
    client_of: Login, nora: User, north: Facility
) -> None:
    order = make_order(facility=north)
    step, uid = order.steps.get(), order.study_instance_uid
    client, address = client_of(nora), reverse("admin:worklist_order_change", args=[order.pk])
    known = {
        **form(north, study_instance_uid="1.2.3", patient_name="Roe^Richard"),
        "accession_number": order.accession_number,
        "requested_procedure_id": order.requested_procedure_id,
        "steps-INITIAL_FORMS": "1",
        "steps-0-id": str(step.pk),
        "steps-0-order": str(order.pk),
        "steps-0-scheduled_procedure_step_id": step.scheduled_procedure_step_id,
    }

    done = send(client, address, {**known, "steps-0-status": "completed"})
    assert done.status_code == 302, _errors(done)
    order.refresh_from_db()
    assert (order.study_instance_uid, order.status) == (uid, "completed")
    assert order.patient_name == "Roe^Richard"
    back = send(client, address, {**known, "steps-0-status": "scheduled"})
    assert "A step that is completed cannot become scheduled." in _errors(back)


def test_orders_are_found_and_cancelled(client_of: Login, nora: User, north: Facility) -> None:
    waits = make_order(facility=north, patient_name="Müller^Jörg")
    begun = make_order(facility=north)
    ScheduledStep.objects.filter(order=begun).update(status="started")
    client = client_of(nora)

    found = client.get(reverse(LIST), {"q": "muller"}).content.decode()
    assert waits.accession_number in found
    assert begun.accession_number not in found
    chosen = {"action": "cancel", "_selected_action": [str(waits.pk), str(begun.pk)]}
    said = client.post(reverse(LIST), chosen, follow=True).content.decode()

    assert "1 order cancelled." in said
    assert "The examination has begun" in said
    assert set(Order.objects.values_list("status", flat=True)) == {"cancelled", "scheduled"}


def test_performed_step_is_shown_with_all_that_was_said(
    client_of: Login, nora: User, north: Facility
) -> None:
    row = PerformedStep.objects.create(
        facility=north,
        sop_instance_uid="1.2.3",
        status="IN PROGRESS",
        sender="CT1",
        patient_name="<script>alert(1)</script>",
        data_set=b"\x10\x00\x10\x00PN\x08\x00<b>x</b>",
    )

    address = reverse("admin:worklist_performedstep_change", args=[row.pk])
    page = client_of(nora).get(address).content.decode()

    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<script>alert" not in page
    assert "Nothing of this was scheduled here." in page


def _errors(answer: Any) -> str:
    """Return the page's words of error."""
    lists = re.findall(r'<ul class="errorlist[^>]*>(.*?)</ul>', answer.content.decode(), re.DOTALL)
    return " ".join(lists)
