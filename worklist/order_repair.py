"""Do orders tell the truth? Their status, facility and search names against their steps and links.

As `repair` does with studies: looking costs no locks, what seems wrong is looked at once
more under the order's lock.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet

from accounts import audit
from archive import events
from archive.models import Study
from imaging.search import name_key
from worklist.models import WorklistEntry
from worklist.order_models import Order, PerformedStep, ScheduledStep
from worklist.orders import add_up
from worklist.repair import Fault, Kind

BATCH = 500
_BY_HAND = "Only a person can say what was ordered: open it in the administration."


def count_orders() -> int:
    """Return how many orders `check_orders` looks at."""
    return Order.objects.count()


def check_orders(*, apply: bool) -> Iterator[tuple[int, list[Fault]]]:
    """Yield (orders looked at, their faults) batch by batch; faults are mended when `apply`."""
    for orders in _batches():
        suspects = [order.pk for order, faults in _find_faults(orders) if faults]
        yield len(orders), [fault for key in suspects for fault in _examine(key, apply=apply)]
    yield 0, [*_check_links(apply=apply), *_check_performed(apply=apply)]


def _batches() -> Iterator[list[Order]]:
    last: uuid.UUID | None = None
    while True:
        rows = Order.objects.order_by("pk")
        orders = list((rows if last is None else rows.filter(pk__gt=last))[:BATCH])
        if not orders:
            return
        yield orders
        last = orders[-1].pk


def _find_faults(orders: Iterable[Order]) -> Iterator[tuple[Order, list[Fault]]]:
    """Yield each order with what is wrong with it; one query for all their steps."""
    by_key = {order.pk: order for order in orders}
    steps: dict[uuid.UUID, list[ScheduledStep]] = defaultdict(list)
    for step in ScheduledStep.objects.filter(order__in=by_key).order_by("pk"):
        steps[step.order_id].append(step)
    for key, order in by_key.items():
        yield order, list(_faults_of(order, steps[key]))


def _faults_of(order: Order, steps: list[ScheduledStep]) -> Iterator[Fault]:
    uid, name = order.study_instance_uid, f"order {order.pk}"
    if not steps:
        yield Fault(Kind.WRONG_ORDER, uid, f"{name} has no steps", advice=_BY_HAND)
    else:
        true = add_up({step.status for step in steps})
        if order.status != true:
            words = f"{name} is {order.status}, its steps say {true}"
            yield Fault(Kind.WRONG_ORDER, uid, words)
    if order.patient_key != name_key(order.patient_name):
        yield Fault(Kind.WRONG_ORDER, uid, f"{name} is not found by its patient's name")
    strays = sum(step.facility_id != order.facility_id for step in steps)
    if strays:
        yield Fault(Kind.WRONG_FACILITY, uid, f"{strays} steps of {name}")


def _examine(order_id: uuid.UUID, *, apply: bool) -> list[Fault]:
    """Look once more while nothing can change, and mend."""
    with transaction.atomic():
        orders = list(Order.objects.select_for_update().filter(pk=order_id))
        list(ScheduledStep.objects.select_for_update().filter(order=order_id).order_by("pk"))
        faults = next((found for _, found in _find_faults(orders)), [])
        if not apply or not any(not fault.advice for fault in faults):
            return faults
        return _mend(orders[0], faults)


def _mend(order: Order, faults: list[Fault]) -> list[Fault]:
    blocked = _mend_steps(order)
    found = set(order.steps.values_list("status", flat=True))
    order.status = add_up(found) if found else order.status
    order.patient_key = name_key(order.patient_name)
    order.save(update_fields=["status", "patient_key", "changed_at"])
    audit.record(
        [
            audit.AuditEntry(
                action="repair",
                actor="fix_worklist",
                facility_id=order.facility_id,
                patient_id=order.patient_id,
                study_instance_uid=order.study_instance_uid,
                detail={"order": str(order.pk), "faults": sorted({one.kind for one in faults})},
            )
        ]
    )
    events.publish_for("order_changed", order.facility_id, order=str(order.pk))
    return [_settled(fault, blocked) for fault in faults]


def _mend_steps(order: Order) -> str:
    """Give the steps the order's facility; returns in words why that is not possible."""
    strays = order.steps.exclude(facility=order.facility_id)
    try:
        with transaction.atomic():
            strays.update(facility=order.facility_id)
    except IntegrityError:
        return "The facility has a step of the same ID: a person must decide."
    return ""


def _settled(fault: Fault, blocked: str) -> Fault:
    if fault.advice:
        return fault
    if fault.kind == Kind.WRONG_FACILITY and blocked:
        return Fault(fault.kind, fault.study_instance_uid, fault.text, advice=blocked)
    return Fault(fault.kind, fault.study_instance_uid, fault.text, is_fixed=True)


# --- links across facilities -----------------------------------------------------------
def _foreign_links() -> QuerySet[WorklistEntry]:
    """Return the entries whose order is another facility's."""
    linked = WorklistEntry.objects.filter(order__isnull=False)
    same = linked.filter(facility=F("order__facility")).values("pk")
    return linked.exclude(pk__in=same)


def _check_links(*, apply: bool) -> Iterator[Fault]:
    """Find studies that show an order of another facility; the link is taken away."""
    found = _foreign_links().values_list("pk", "study_id", "study__study_instance_uid", "order_id")
    for entry_id, study_id, uid, order_id in list(found):
        if apply:
            with transaction.atomic():
                # As receivers do: the study first.
                list(Study.objects.select_for_update().filter(pk=study_id))
                _foreign_links().filter(pk=entry_id).update(order=None)
        words = f"it shows order {order_id} of another facility"
        yield Fault(Kind.FOREIGN_ORDER, uid, words, is_fixed=apply)


def _check_performed(*, apply: bool) -> Iterator[Fault]:
    """Find what was performed for a scheduled step of another facility; the link goes."""
    links = PerformedStep.steps.through.objects.exclude(
        performedstep__facility=F("scheduledstep__facility")
    )
    found = links.values_list("pk", "performedstep_id", "performedstep__study_instance_uid")
    for link_id, performed_id, uid in list(found):
        if apply:
            links.filter(pk=link_id).delete()
        words = f"performed step {performed_id} is tied to a step of another facility"
        yield Fault(Kind.FOREIGN_ORDER, uid, words, is_fixed=apply)
