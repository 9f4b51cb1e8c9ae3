"""Performed steps: what scanners say moves the orders' steps and the worklist's entries.

Scheduled steps are found by step ID with Study Instance UID or accession
number, else by either alone where it names one open step; never those of
another patient. Nothing found is an examination that nobody scheduled.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import CharField, Q
from pydicom import Dataset

from accounts import audit
from accounts.models import User
from archive import events
from archive.models import Study
from imaging.matching import values_of
from imaging.text import clean_line
from worklist.linking import lock_studies, summarize
from worklist.models import WorklistEntry
from worklist.order_models import OPEN, Order, PerformedStep, ScheduledStep
from worklist.orders import refresh_status
from worklist.performed_data import decode_said, encode_said
from worklist.performed_rules import (
    SERIES,
    STEPS,
    STUDY_UID,
    Fault,
    PerformedStepError,
    check_change,
    check_creation,
    check_whole,
    status_of,
    tag_of,
)

MESSAGE_BYTES = 4 * 1024 * 1024
SAID_BYTES = 8 * 1024 * 1024
# "Incorrect worklist entry selected" (CID 9300): the step was never begun.
_WRONG_ENTRY = ("110514", "DCM")

_DONE = PerformedStep.Status.COMPLETED
_RUNS = PerformedStep.Status.IN_PROGRESS
_ACTIONS = {
    _RUNS: "procedure_step_started",
    _DONE: "procedure_step_completed",
    PerformedStep.Status.DISCONTINUED: "procedure_step_discontinued",
}


@dataclass(frozen=True)
class Scanner:
    """Who says it, for which facility."""

    facility_id: uuid.UUID
    ae_title: str
    address: str = ""
    # The person as whom a program came, where one did.
    user: User | None = None


@dataclass(frozen=True)
class _Claim:
    """Which scheduled step one item says that it performs."""

    study_instance_uid: str
    accession_number: str
    step_id: str


def create_performed_step(scanner: Scanner, uid: str, said: Dataset) -> PerformedStep:
    """Write what a scanner begins; raises PerformedStepError, and nothing was written."""
    check_creation(said)
    claims = _read_claims(said)
    try:
        with transaction.atomic():
            studies = _lock_studies(scanner, claims)
            row = PerformedStep(
                facility_id=scanner.facility_id, sop_instance_uid=uid, sender=scanner.ae_title
            )
            _fill(row, said)
            row.save(force_insert=True)
            row.steps.set(_find_steps(scanner.facility_id, claims, row.patient_id))
            _follow(row, studies)
            _tell(row, scanner, studies)
    except IntegrityError as error:
        words = "There is a step with this UID already."
        raise PerformedStepError(Fault.DUPLICATE, words) from error
    return row


def change_performed_step(scanner: Scanner, uid: str, said: Dataset) -> PerformedStep:
    """Write what a scanner adds or how it ends; raises PerformedStepError."""
    check_change(said)
    with transaction.atomic():
        seen = find_performed_step(scanner.facility_id, uid)
        studies = _lock_studies(scanner, _read_claims(decode_said(bytes(seen.data_set))))
        row = PerformedStep.objects.select_for_update().get(pk=seen.pk)
        if row.status != _RUNS:
            words = "Performed Procedure Step Object may no longer be updated"
            raise PerformedStepError(Fault.FINAL, words)
        whole = decode_said(bytes(row.data_set))
        whole.update({element.tag: element for element in said})
        check_whole(whole)
        _fill(row, whole)
        row.save()
        _follow(row, studies)
        _tell(row, scanner, studies)
    return row


def find_performed_step(facility_id: uuid.UUID, uid: str) -> PerformedStep:
    """Return the facility's performed step of this UID; raises PerformedStepError."""
    rows = PerformedStep.objects.in_facilities([facility_id])
    row = rows.filter(sop_instance_uid=uid).first()
    if row is None:
        raise PerformedStepError(Fault.UNKNOWN, "There is no step with this UID.")
    return row


# --- the row -----------------------------------------------------------------------------
_COPIES = {
    "performed_procedure_step_id": "PerformedProcedureStepID",
    "performed_procedure_step_description": "PerformedProcedureStepDescription",
    "performed_station_ae_title": "PerformedStationAETitle",
    "modality": "Modality",
    "patient_id": "PatientID",
    "patient_name": "PatientName",
}
_IMAGES = (
    tag_of("ReferencedImageSequence"),
    tag_of("ReferencedNonImageCompositeSOPInstanceSequence"),
)
_REASON = tag_of("PerformedProcedureStepDiscontinuationReasonCodeSequence")
_VALUE, _SCHEME, _MEANING = map(tag_of, ("CodeValue", "CodingSchemeDesignator", "CodeMeaning"))


def _fill(row: PerformedStep, whole: Dataset) -> None:
    """Give the row the whole data set and its copies."""
    row.data_set = encode_said(whole)
    if len(row.data_set) > SAID_BYTES:
        raise PerformedStepError(Fault.TOO_LONG, "The step says more than can be kept.")
    row.status = status_of(whole)
    for column, keyword in _COPIES.items():
        field = PerformedStep._meta.get_field(column)
        assert isinstance(field, CharField)
        setattr(row, column, _first(whole, tag_of(keyword))[: field.max_length])
    claims = _read_claims(whole)
    row.study_instance_uid = claims[0].study_instance_uid if claims else ""
    row.accession_number = claims[0].accession_number if claims else ""
    for column, part in (("started_at", "Start"), ("ended_at", "End")):
        day, clock = (tag_of(f"PerformedProcedureStep{part}{what}") for what in ("Date", "Time"))
        both = f"{_first(whole, day)} {_first(whole, clock)}".strip()
        setattr(row, column, both[:32])
    reason = values_of(whole, _REASON)[:1]
    row.discontinuation_reason = _first(reason[0], _MEANING)[:1024] if reason else ""
    series = values_of(whole, SERIES)
    row.expected_series_count = len(series)
    row.expected_instance_count = sum(len(values_of(one, tag)) for one in series for tag in _IMAGES)


def _first(said: Dataset, tag: int) -> str:
    """Return the first value of an attribute as one line of text."""
    values = values_of(said, tag)
    return clean_line(str(values[0])).strip() if values else ""


# --- what was scheduled --------------------------------------------------------------------
def _read_claims(said: Dataset) -> list[_Claim]:
    keywords = ("AccessionNumber", "ScheduledProcedureStepID")
    accession, step = map(tag_of, keywords)
    return [
        _Claim(_first(item, STUDY_UID)[:64], _first(item, accession)[:64], _first(item, step)[:64])
        for item in values_of(said, STEPS)
    ]


def _lock_studies(scanner: Scanner, claims: Sequence[_Claim]) -> list[Study]:
    return lock_studies(scanner.facility_id, [claim.study_instance_uid for claim in claims])


def _find_steps(
    facility_id: uuid.UUID, claims: Iterable[_Claim], patient_id: str
) -> list[ScheduledStep]:
    """Return the scheduled steps that are performed, each once."""
    found: dict[uuid.UUID, ScheduledStep] = {}
    for claim in claims:
        step = _find_step(facility_id, claim)
        if step is not None and patient_id in ("", step.order.patient_id):
            found[step.pk] = step
    return list(found.values())


def _find_step(facility_id: uuid.UUID, claim: _Claim) -> ScheduledStep | None:
    rows = ScheduledStep.objects.in_facilities([facility_id]).select_related("order")
    by_study = Q(order__study_instance_uid=claim.study_instance_uid)
    by_number = Q(order__accession_number=claim.accession_number or None)
    if claim.step_id:
        return rows.filter(by_study | by_number, scheduled_procedure_step_id=claim.step_id).first()
    for condition in (by_study, by_number):
        named = list(rows.filter(condition, status__in=OPEN)[:2])
        if len(named) == 1:
            return named[0]
    return None


# --- what follows --------------------------------------------------------------------------
def _follow(row: PerformedStep, studies: Sequence[Study]) -> None:
    """Move the steps, their orders, and the entries of the studies that are here."""
    keys = list(row.steps.values_list("order_id", flat=True))
    orders = Order.objects.select_for_update().filter(pk__in=keys).order_by("pk")
    for order in orders:
        for step in row.steps.filter(order=order):
            step.status = _status_after(step)
            step.save(update_fields=["status"])
        refresh_status(order)
    for study in studies:
        said = PerformedStep.objects.filter(
            facility=row.facility, study_instance_uid=study.study_instance_uid
        ).values_list("status", flat=True)
        WorklistEntry.objects.filter(study=study).update(acquisition=summarize(said))


def _status_after(step: ScheduledStep) -> str:
    """Return what a scheduled step has become by all that was performed of it."""
    performed = list(step.performed_steps.order_by("pk"))
    said = {one.status for one in performed}
    if _RUNS in said:
        return ScheduledStep.Status.STARTED
    if _DONE in said:
        return ScheduledStep.Status.COMPLETED
    last = decode_said(bytes(performed[-1].data_set))
    for reason in values_of(last, _REASON):
        if (_first(reason, _VALUE), _first(reason, _SCHEME)) == _WRONG_ENTRY:
            return ScheduledStep.Status.SCHEDULED
    return ScheduledStep.Status.DISCONTINUED


def _tell(row: PerformedStep, scanner: Scanner, studies: Sequence[Study]) -> None:
    """Write the audit row and the news; the last writing of the transaction."""
    orders = {str(key) for key in row.steps.values_list("order_id", flat=True)}
    detail: dict[str, Any] = {
        "performed_step": row.sop_instance_uid,
        "orders": sorted(orders),
        "series": row.expected_series_count,
        "images": row.expected_instance_count,
    }
    audit.record(
        [
            audit.AuditEntry(
                action=_ACTIONS[PerformedStep.Status(row.status)],
                actor=scanner.user.get_username() if scanner.user else scanner.ae_title,
                user_id=scanner.user.pk if scanner.user else None,
                address=scanner.address,
                facility_id=row.facility_id,
                patient_id=row.patient_id,
                study_instance_uid=row.study_instance_uid,
                detail=detail,
            )
        ]
    )
    for order in sorted(orders):
        events.publish_for("order_changed", row.facility_id, order=order)
    events.publish("study_updated", studies)
