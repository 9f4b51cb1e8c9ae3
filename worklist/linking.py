"""Which order a study carries: by Study Instance UID, else by accession number, or not at all.

Runs in the transaction that stores a study's first instances, so it asks the
database once for a whole batch. What is doubtful is left to people: an order
of another patient, an accession number of several orders.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from accounts import sql
from archive.models import Study
from archive.rows import in_facility
from worklist.order_models import Order, PerformedStep, ScheduledStep

# Three searches, each by one index: a planner without statistics reads all orders for an OR.
_FIND = """
    SELECT id, study_instance_uid, accession_number, patient_id, priority, status
    FROM worklist_order WHERE facility_id = %s AND study_instance_uid IN ({uids})
    UNION ALL
    SELECT id, study_instance_uid, accession_number, patient_id, priority, status
    FROM worklist_order WHERE facility_id = %s AND accession_number IN ({numbers})
    UNION ALL
    SELECT id, study_instance_uid, '', '', 0, status
    FROM worklist_performedstep WHERE facility_id = %s AND study_instance_uid IN ({uids})
"""
_LINK = """
    UPDATE worklist_worklistentry SET order_id = %s, priority = %s
    WHERE study_id = %s AND order_id IS NULL
"""
_TELL = "UPDATE worklist_worklistentry SET acquisition = %s WHERE study_id = %s"


@dataclass(frozen=True)
class _Candidate:
    order_id: uuid.UUID
    study_instance_uid: str
    accession_number: str
    patient_id: str
    priority: int
    status: str


@dataclass
class _Found:
    """What a facility knows of the studies that arrive."""

    orders: list[_Candidate] = field(default_factory=list)
    performed: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def link_studies(studies: Iterable[Study]) -> None:
    """Give each study's entry the order that the study carries; safe to repeat.

    The order's steps of the study's modalities have begun then. An entry
    that has its order keeps it. Must run inside a transaction that holds
    the studies.
    """
    by_facility: dict[uuid.UUID, list[Study]] = defaultdict(list)
    for study in studies:
        if study.facility_id is not None:
            by_facility[study.facility_id].append(study)
    for facility_id, some in by_facility.items():
        found = _look_up(facility_id, some)
        for study in some:
            order = _choose(study, found.orders) if found.orders else None
            if order is not None:
                _link(study, order)
            if statuses := found.performed.get(study.study_instance_uid):
                sql.execute(_TELL, summarize(statuses), study.pk)


def _look_up(facility_id: uuid.UUID, studies: list[Study]) -> _Found:
    uids = [study.study_instance_uid for study in studies]
    numbers = sorted({study.accession_number for study in studies} - {""})
    query = _FIND.format(
        uids=", ".join(["%s"] * len(uids)), numbers=", ".join(["%s"] * len(numbers)) or "NULL"
    )
    found, orders = _Found(), {}
    values = (facility_id, *uids, facility_id, *numbers, facility_id, *uids)
    for key, *facts in sql.fetch(query, *values):
        candidate = _Candidate(key if isinstance(key, uuid.UUID) else uuid.UUID(key), *facts)
        if candidate.priority:
            orders[candidate.order_id] = candidate
        else:
            found.performed[candidate.study_instance_uid].append(candidate.status)
    found.orders = list(orders.values())
    return found


def _choose(study: Study, orders: list[_Candidate]) -> _Candidate | None:
    """Return the one order that the study carries beyond doubt."""
    named = [one for one in orders if one.study_instance_uid == study.study_instance_uid]
    if not named and study.accession_number:
        named = [
            one
            for one in orders
            if one.accession_number == study.accession_number
            and one.status != Order.Status.CANCELLED
        ]
    if len(named) != 1:
        return None
    patient_id = study.patient.patient_id
    return named[0] if not patient_id or patient_id == named[0].patient_id else None


def _link(study: Study, order: _Candidate) -> None:
    sql.execute(_LINK, order.order_id, order.priority, study.pk)
    waiting = (
        ScheduledStep.Status.SCHEDULED,
        ScheduledStep.Status.ARRIVED,
        ScheduledStep.Status.READY,
    )
    begun = ScheduledStep.objects.filter(
        order=order.order_id, status__in=waiting, modality__in=study.modalities.split("\\")
    ).update(status=ScheduledStep.Status.STARTED)
    if begun:
        Order.objects.filter(pk=order.order_id, status=Order.Status.SCHEDULED).update(
            status=Order.Status.IN_PROGRESS
        )


def summarize(statuses: Iterable[str]) -> str:
    """Return what several performed steps say of one study's examination together."""
    said = set(statuses)
    if PerformedStep.Status.IN_PROGRESS.value in said:
        return "started"
    if PerformedStep.Status.COMPLETED.value in said:
        return "completed"
    return "discontinued" if said else ""


def lock_studies(
    facility_id: uuid.UUID, uids: Iterable[str], accession_numbers: Iterable[str] = ()
) -> list[Study]:
    """Return the facility's studies of these UIDs and accession numbers, locked.

    Whoever changes orders locks studies first: receivers hold the study when
    they come to its order.
    """
    own = in_facility(Study.objects.all(), facility_id)
    keys = set(own.filter(study_instance_uid__in=set(uids)).values_list("pk", flat=True))
    if numbers := set(accession_numbers) - {""}:
        keys |= set(own.filter(accession_number__in=numbers).values_list("pk", flat=True)[:100])
    if not keys:
        return []
    locked = Study.objects.select_for_update(of=("self",)).select_related("patient")
    return list(locked.filter(pk__in=keys).order_by("study_instance_uid"))
