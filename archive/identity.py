"""Who a study belongs to: patients per facility and issuer, and doubts for a person.

Nothing is merged here. The same ID with another name or birth date is
flagged; an instance that names another patient than its study is not filed
under that study at all.
"""

from __future__ import annotations

import uuid
from datetime import date

from archive.arrival import Arrival
from archive.models import Discrepancy, Patient, Study
from archive.rows import in_facility
from imaging.facts import InstanceFacts
from imaging.search import name_key, search_key


def find_or_add_patient(arrival: Arrival) -> tuple[Patient, bool]:
    """Return the arrival's patient and whether name or birth date disagree with the known one.

    An empty Patient ID names nobody, so such a study gets a patient of its own.
    """
    facts = arrival.facts
    if facts.patient_id:
        patient = (
            in_facility(Patient.objects.all(), arrival.source.facility_id)
            .filter(patient_id=facts.patient_id, issuer_of_patient_id=facts.issuer_of_patient_id)
            .first()
        )
        if patient is not None:
            return patient, is_other_person(patient, facts)
    return _add_patient(facts, arrival.source.facility_id), False


def _add_patient(facts: InstanceFacts, facility_id: uuid.UUID | None) -> Patient:
    return Patient.objects.create(
        facility_id=facility_id,
        patient_id=facts.patient_id,
        issuer_of_patient_id=facts.issuer_of_patient_id,
        patient_name=facts.patient_name,
        patient_birth_date=facts.patient_birth_date,
        patient_sex=facts.patient_sex,
        search_key=name_key(facts.patient_name),
    )


def is_other_person(known: Patient | Study, facts: InstanceFacts) -> bool:
    """Whether name or birth date, where both sides give them, are different."""
    return _differ(search_key(known.patient_name), search_key(facts.patient_name)) or _differ(
        known.patient_birth_date, facts.patient_birth_date
    )


def _differ(known: str | date | None, new: str | date | None) -> bool:
    return bool(known and new and known != new)


def flag(study: Study, kind: Discrepancy.Kind, reason: str, sender: str) -> None:
    """Mark the study for reconciliation, once for each kind that is not settled."""
    open_rows = study.discrepancies.filter(kind=kind, storage_key="", resolved_at=None)
    if not open_rows.exists():
        Discrepancy.objects.create(
            kind=kind,
            study=study,
            facility_id=study.facility_id,
            sender=sender,
            reason=reason,
        )
    if not study.has_discrepancy:
        Study.objects.filter(pk=study.pk).update(has_discrepancy=True)
        study.has_discrepancy = True
