"""fix_worklist finds what is wrong with orders, mends it, and leaves truth alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import AuditRow, Facility
from archive.models import Event
from tests import factories
from tests.unit.worklist.ordering import STEP, make_order
from tests.unit.worklist.test_repair import find_count, run
from worklist.models import Order, PerformedStep, ScheduledStep, WorklistEntry

pytestmark = pytest.mark.django_db

DIFFER, ELSEWHERE = "Orders that differ from their steps", "Orders shown in another facility"
STRAY = "Rows in another facility than their study"


@pytest.fixture
def order(north: Facility, south: Facility) -> Order:
    """Return an order of two steps, of which one has begun; another facility has one as well."""
    make_order(facility=south)
    order = make_order(facility=north, steps=[STEP, {**STEP, "modality": "MR"}])
    first = order.steps.order_by("pk").first()
    assert first is not None
    ScheduledStep.objects.filter(pk=first.pk).update(status="started")
    Order.objects.filter(pk=order.pk).update(status="in_progress")
    return order


def wrong_status(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(status="completed")


def steps_have_ended(order: Order) -> None:
    order.steps.update(status="completed")


def not_found_by_name(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(patient_key="somebody")


def step_elsewhere(order: Order) -> None:
    order.steps.filter(modality="MR").update(facility=Facility.objects.get(code="south"))


def shown_elsewhere(order: Order) -> None:
    factories.make_whole_study(Facility.objects.get(code="south"))
    WorklistEntry.objects.update(order=order)


def performed_elsewhere(order: Order) -> None:
    performed = PerformedStep.objects.create(
        facility=Facility.objects.get(code="south"),
        sop_instance_uid="1.2.3",
        status="COMPLETED",
        sender="CT1",
        data_set=b"",
    )
    performed.steps.set(order.steps.all()[:1])


FAULTS: list[tuple[Callable[[Order], None], str]] = [
    (wrong_status, DIFFER),
    (steps_have_ended, DIFFER),
    (not_found_by_name, DIFFER),
    (step_elsewhere, STRAY),
    (shown_elsewhere, ELSEWHERE),
    (performed_elsewhere, ELSEWHERE),
]


def snapshot() -> list[Any]:
    models = (Order, ScheduledStep, WorklistEntry, PerformedStep, PerformedStep.steps.through)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_true_orders_are_left_alone(order: Order) -> None:
    before = snapshot()
    code, text = run("--apply")
    assert code == 0
    assert "Nothing is wrong." in text
    assert "0 studies and 2 orders were looked at." in text
    assert snapshot() == before


@pytest.mark.parametrize(("spoil", "kind"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_a_fault_of_an_order_is_told_then_mended_then_gone(
    order: Order, spoil: Callable[[Order], None], kind: str
) -> None:
    spoil(order)
    before = snapshot()
    code, text = run()
    assert code == 1
    assert find_count(text, kind) == 1
    assert "would fix" in text
    assert "Doe" not in text
    assert snapshot() == before

    code, text = run("--apply")
    assert code == 0, text
    assert "All was fixed." in text
    assert "Nothing is wrong." in run()[1]


def test_a_mended_order_says_what_its_steps_say_and_the_trail_knows(order: Order) -> None:
    steps_have_ended(order)
    run("--apply")

    order.refresh_from_db()
    assert order.status == "completed"
    row = AuditRow.objects.get(action="repair")
    assert row.detail == {"order": str(order.pk), "faults": ["wrong_order"]}
    assert Event.objects.filter(kind="order_changed", facility=order.facility).exists()


def test_an_order_without_steps_needs_a_person(order: Order) -> None:
    order.steps.all().delete()
    code, text = run("--apply")
    assert code == 1
    assert "by hand" in text
    assert "1 need a person" in text
