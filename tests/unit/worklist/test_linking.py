"""Which order an arriving study carries, and what its steps and its entry show then."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pydicom.uid import generate_uid
from pytest_django import DjangoAssertNumQueries

from accounts.models import Facility, User
from archive.ingest import Source, ingest_file
from archive.models import Study
from archive.signals import studies_indexed
from tests import factories
from tests.unit.worklist.ordering import make_order
from worklist.models import Order, PerformedStep, WorklistEntry

pytestmark = pytest.mark.django_db


def arrive(facility: Facility | None, **changes: Any) -> WorklistEntry:
    """Store a real CT by the one way in; return the entry of its study."""
    uids = {
        f"{level}InstanceUID": changes.pop(f"{level}InstanceUID", generate_uid())
        for level in ("Study", "Series", "SOP")
    }
    dataset = factories.read_bundled("CT_small.dcm", PatientID="P1", **uids)
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    source = Source(door="dimse", sender="CT1", facility_id=facility.pk if facility else None)
    outcome = ingest_file(source, io.BytesIO(factories.as_part10(dataset)))
    return WorklistEntry.objects.get(study=outcome.study_id)


def test_study_with_the_orders_uid_is_linked_and_its_step_has_begun(north: Facility) -> None:
    order = make_order(facility=north, priority=1, steps=[{}, {"modality": "MR"}])

    entry = arrive(north, StudyInstanceUID=order.study_instance_uid)

    assert (entry.order, entry.priority) == (order, 1)
    assert dict(order.steps.values_list("modality", "status")) == {
        "CT": "started",
        "MR": "scheduled",
    }
    order.refresh_from_db()
    assert order.status == "in_progress"


def test_study_with_the_orders_accession_number_is_linked(north: Facility) -> None:
    order = make_order(facility=north, accession_number="A77")

    assert arrive(north, AccessionNumber="A77").order == order


DOUBTFUL: list[dict[str, Any]] = [
    {"AccessionNumber": "A78"},
    {"AccessionNumber": ""},
    {"AccessionNumber": "A77", "PatientID": "SOMEBODY ELSE"},
]


@pytest.mark.parametrize("changes", DOUBTFUL)
def test_doubtful_study_is_left_to_people(north: Facility, changes: dict[str, Any]) -> None:
    make_order(facility=north, accession_number="A77")

    assert arrive(north, **changes).order is None
    assert Order.objects.get().status == "scheduled"


def test_number_of_two_orders_and_of_a_cancelled_one_links_nothing(north: Facility) -> None:
    for _ in range(2):
        make_order(facility=north, accession_number="A77")
    Order.objects.filter(pk=make_order(facility=north, accession_number="A79").pk).update(
        status="cancelled"
    )

    assert arrive(north, AccessionNumber="A77").order is None
    assert arrive(north, AccessionNumber="A79").order is None


def test_order_of_another_facility_is_not_seen(north: Facility, south: Facility) -> None:
    order = make_order(facility=south, accession_number="A77")
    uid = {"StudyInstanceUID": order.study_instance_uid, "AccessionNumber": "A77"}

    assert arrive(north, **uid).order is None
    assert arrive(None, **uid).order is None
    assert Order.objects.get().status == "scheduled"


def test_order_that_is_made_after_its_study_is_linked(north: Facility) -> None:
    entry = arrive(north, AccessionNumber="A77")

    order = make_order(facility=north, accession_number="A77")

    entry.refresh_from_db()
    assert entry.order == order
    assert Order.objects.get().status == "in_progress"


def test_entry_keeps_the_order_and_the_priority_that_people_gave(north: Facility) -> None:
    order = make_order(facility=north, priority=2)
    entry = arrive(north, StudyInstanceUID=order.study_instance_uid)
    WorklistEntry.objects.filter(pk=entry.pk).update(priority=1)

    again = arrive(north, StudyInstanceUID=order.study_instance_uid)

    assert (again.pk, again.order, again.priority) == (entry.pk, order, 1)


def test_entry_shows_what_the_scanner_said_before_the_images_came(north: Facility) -> None:
    uid = generate_uid()
    for number, status in enumerate(("DISCONTINUED", "COMPLETED")):
        PerformedStep.objects.create(
            facility=north,
            sop_instance_uid=f"1.2.{number}",
            status=status,
            sender="CT1",
            study_instance_uid=uid,
            data_set=b"",
        )

    assert arrive(north, StudyInstanceUID=uid).acquisition == "completed"


def test_looking_for_orders_costs_one_query_for_a_batch(
    north: Facility, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    make_order(facility=north)
    studies = [factories.make_study(north, accession_number="") for _ in range(5)]
    known = list(Study.objects.select_related("patient").filter(pk__in=[s.pk for s in studies]))

    with django_assert_max_num_queries(3) as asked:
        studies_indexed.send(sender=None, studies=known)
    assert sum("worklist_order" in query["sql"] for query in asked.captured_queries) == 1


def test_preview_shows_the_order_and_the_examination(
    north: Facility, rada: User, client_of: Callable[[User], Client]
) -> None:
    order = make_order(facility=north, accession_number="A77")
    entry = arrive(north, AccessionNumber="A77")
    WorklistEntry.objects.filter(pk=entry.pk).update(acquisition="completed")

    page = client_of(rada).get(f"/worklist/preview/{entry.pk}/").content.decode()

    assert f"Order <bdi>{order.accession_number}</bdi>" in page
    assert "Examination: Completed" in page
