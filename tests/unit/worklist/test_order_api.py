"""Orders over REST: who may, what is made, what is refused and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import AuditRow, Facility, User
from archive.models import Event
from tests import factories
from tests.unit.worklist.ordering import make_order, order_document
from worklist.models import Order, ScheduledStep

Login = Callable[[User], Client]
ORDERS = "/api/v1/orders/"


def post(client: Client, address: str, document: Any) -> Any:
    return client.post(address, document, content_type="application/json")


def patch(client: Client, address: str, document: Any) -> Any:
    return client.patch(address, document, content_type="application/json")


def test_technologist_makes_an_order_and_what_is_missing_is_made(
    client_of: Login, tess: User
) -> None:
    answer = post(client_of(tess), ORDERS, order_document(accession_number=""))

    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == f"{ORDERS}{made['id']}/"
    assert made["facility"] == "north"
    assert made["status"] == "scheduled"
    assert re.fullmatch(r"2\.25\.[0-9]{10,39}", made["study_instance_uid"])
    for number in (made["accession_number"], made["requested_procedure_id"]):
        assert re.fullmatch(r"[AP][0-9]{6}[0-9A-Z]{7}", number)
    assert re.fullmatch(r"S[0-9]{6}[0-9A-Z]{7}", made["steps"][0]["scheduled_procedure_step_id"])
    row = AuditRow.objects.get(action="order_created")
    assert (row.actor, row.patient_id, row.facility) == ("tess", "P1", tess.facilities.get())
    event = Event.objects.get(kind="order_changed")
    assert (event.payload, event.facility_id) == ({"order": made["id"]}, row.facility_id)


def test_order_that_has_ended_elsewhere_is_entered_as_ended(client_of: Login, tess: User) -> None:
    step = {**order_document()["steps"][0], "status": "completed"}

    answer = post(client_of(tess), ORDERS, order_document(steps=[step]))

    assert (answer.status_code, answer.json()["status"]) == (201, "completed")


def test_study_instance_uid_stays(client_of: Login, tess: User) -> None:
    order = make_order(tess)

    answer = patch(client_of(tess), f"{ORDERS}{order.pk}/", {"study_instance_uid": "1.2.3"})

    assert answer.status_code == 400
    assert "study_instance_uid" in answer.json()["errors"]
    kept = Order.objects.get().study_instance_uid
    patch(client_of(tess), f"{ORDERS}{order.pk}/", {"patient_name": "Roe^Richard"})
    changed = Order.objects.get()
    assert (changed.study_instance_uid, changed.patient_name) == (kept, "Roe^Richard")
    assert changed.patient_key == "roe richard"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"patient_name": ""}, "patient_name"),
    ({"patient_name": "A" * 65}, "patient_name"),
    ({"patient_name": "a\\b"}, "patient_name"),
    ({"patient_id": "1\n2"}, "patient_id"),
    ({"accession_number": "A" * 17}, "accession_number"),
    ({"study_instance_uid": "1.2.../etc"}, "study_instance_uid"),
    ({"study_instance_uid": "1.02"}, "study_instance_uid"),
    ({"patient_sex": "X"}, "patient_sex"),
    ({"patient_birth_date": "1970-13-01"}, "patient_birth_date"),
    ({"priority": 9}, "priority"),
    ({"requested_procedure_codes": [{"code_value": "X"}]}, "requested_procedure_codes"),
    ({"requested_procedure_description": "a\0b"}, "requested_procedure_description"),
    ({"patient_nmae": "x"}, "patient_nmae"),
    ({"status": "completed"}, "status"),
    ({"steps": []}, "steps"),
    ({"steps": [{"modality": "ct"}]}, "steps"),
    ({"facility": "south"}, "facility"),
    ({"facility": "nowhere"}, "facility"),
]


def test_values_that_cannot_be_are_refused_by_name(
    client_of: Login, tess: User, south: Facility
) -> None:
    client = client_of(tess)
    for change, field in WRONG:
        answer = post(client, ORDERS, order_document(**change))
        assert (change, answer.status_code) == (change, 400)
        assert list(answer.json()["errors"]) == [field]
    assert not Order.objects.exists()


def test_identifier_of_another_order_is_a_refusal_of_this_facility_alone(
    client_of: Login, tess: User, fiona: User
) -> None:
    document = order_document(study_instance_uid="1.2.3", requested_procedure_id="P7")
    assert post(client_of(tess), ORDERS, document).status_code == 201

    again = post(client_of(tess), ORDERS, document)
    elsewhere = post(client_of(fiona), ORDERS, document)

    assert again.status_code == 400
    assert "Another order has this Study Instance UID." in str(again.json()["errors"])
    assert elsewhere.status_code == 201


def test_order_of_another_facility_is_missing(client_of: Login, tess: User, fiona: User) -> None:
    order = make_order(tess)
    step = order.steps.get()
    client = client_of(fiona)
    own, steps = f"{ORDERS}{order.pk}/", f"{ORDERS}{order.pk}/steps/"

    assert client.get(ORDERS).json()["results"] == []
    assert client.get(own).status_code == 404
    assert client.get(f"{own}performed/").status_code == 404
    assert patch(client, own, {"patient_name": "X"}).status_code == 404
    assert post(client, f"{own}cancel/", {}).status_code == 404
    assert post(client, steps, order_document()["steps"][0]).status_code == 404
    assert patch(client, f"{steps}{step.pk}/", {"status": "started"}).status_code == 404
    assert Order.objects.get().status == "scheduled"


def test_referring_physician_may_look_only(client_of: Login, tess: User, north: Facility) -> None:
    order = make_order(tess)
    client = client_of(factories.make_user("ref", "referrer", [north]))  # type: ignore[arg-type]

    assert client.get(f"{ORDERS}{order.pk}/").status_code == 200
    assert post(client, ORDERS, order_document()).status_code == 403
    assert patch(client, f"{ORDERS}{order.pk}/", {"patient_name": "X"}).status_code == 403
    assert post(client, f"{ORDERS}{order.pk}/cancel/", {}).status_code == 403


def test_conditions_on_steps_hold_for_one_and_the_same_step(client_of: Login, tess: User) -> None:
    both = make_order(
        tess,
        steps=[
            {"modality": "CT", "scheduled_procedure_step_start_date": "2024-03-05"},
            {"modality": "MR", "scheduled_procedure_step_start_date": "2024-03-09"},
        ],
    )
    later = make_order(
        tess, steps=[{"modality": "CT", "scheduled_procedure_step_start_date": "2024-03-09"}]
    )

    def found(**query: str) -> list[str]:
        answer = client_of(tess).get(ORDERS, query)
        assert answer.status_code == 200, answer.json()
        return [one["id"] for one in answer.json()["results"]]

    assert found(modality="CT") == [str(later.pk), str(both.pk)]
    assert found(modality="CT", scheduled_to="2024-03-06") == [str(both.pk)]
    assert found(modality="MR", scheduled_to="2024-03-06") == []
    assert found(patient_name="dóe") == [str(later.pk), str(both.pk)]
    assert found(status="completed") == []
    assert found(accession_number=both.accession_number) == [str(both.pk)]


def test_list_is_paged_and_costs_the_same_however_long(
    client_of: Login,
    tess: User,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    keys = [str(make_order(tess).pk) for _ in range(5)]
    client = client_of(tess)
    client.get(ORDERS)
    with django_assert_max_num_queries(12) as first:
        page = client.get(ORDERS, {"page_size": "2"}).json()
    with django_assert_num_queries(len(first.captured_queries)):
        client.get(ORDERS, {"page_size": "5"})

    seen = [one["id"] for one in page["results"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        seen += [one["id"] for one in page["results"]]
    assert seen == keys[::-1]
    assert AuditRow.objects.filter(action="order_search").exists()


def test_cancelling_closes_what_waits_and_may_be_repeated(client_of: Login, tess: User) -> None:
    order = make_order(tess)
    client = client_of(tess)

    for _ in range(2):
        answer = post(client, f"{ORDERS}{order.pk}/cancel/", {"reason": "patient is ill"})
        assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], body["cancellation_reason"]) == ("cancelled", "patient is ill")
    assert [step["status"] for step in body["steps"]] == ["cancelled"]
    assert AuditRow.objects.filter(action="order_cancelled").count() == 1


def test_order_that_has_begun_or_ended_is_not_cancelled(client_of: Login, tess: User) -> None:
    order = make_order(tess)
    step = f"{ORDERS}{order.pk}/steps/{order.steps.get().pk}/"
    client = client_of(tess)

    assert patch(client, step, {"status": "started"}).json()["status"] == "in_progress"
    assert post(client, f"{ORDERS}{order.pk}/cancel/", {}).status_code == 409
    assert patch(client, step, {"status": "completed"}).json()["status"] == "completed"
    assert post(client, f"{ORDERS}{order.pk}/cancel/", {}).status_code == 409
    back = patch(client, step, {"status": "scheduled"})
    assert back.status_code == 409
    assert back.json()["detail"] == "A step that is completed cannot become scheduled."


def test_step_is_added_and_the_order_waits_again(client_of: Login, tess: User) -> None:
    order = make_order(tess)
    ScheduledStep.objects.update(status="cancelled")
    document = {**order_document()["steps"][0], "modality": "MR"}

    answer = post(client_of(tess), f"{ORDERS}{order.pk}/steps/", document)

    assert answer.status_code == 201
    assert answer.json()["status"] == "scheduled"
    assert sorted(step["modality"] for step in answer.json()["steps"]) == ["CT", "MR"]
