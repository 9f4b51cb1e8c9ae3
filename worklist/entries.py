"""Entries follow studies: one each, written in the transaction that stores the study."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import Any

from accounts import sql
from archive.models import Patient, Study
from worklist.linking import link_studies
from worklist.models import WorklistEntry

# What an entry copies from its study, so that the list needs no join to filter and sort.
COPIES = ("facility", "study_at", "arrived_at", "patient_key", "modalities")


_TOUCH = "UPDATE worklist_worklistentry SET arrived_at = %s WHERE study_id = %s"


def write_entries(studies: list[Study], changed: list[Study] | None = None, **_: Any) -> None:
    """Write or update the entry of each study; answers `archive.signals.studies_indexed`.

    A study that only grew costs one statement, the others three together, and
    two more where one carries an order. Status and priority are left alone,
    but for an order's priority when its study begins. Safe to repeat. What it raises undoes
    the caller's transaction: a study without an entry would be invisible.
    """
    changed_keys = {study.pk for study in (studies if changed is None else changed)}
    latest = {
        study.pk: study
        for study in studies
        # One that only grew has its entry, unless somebody took it away.
        if study.pk in changed_keys or not sql.execute(_TOUCH, study.last_received_at, study.pk)
    }
    keys = read_patient_keys(latest.values())
    sql.insert_rows(
        [make_entry(study, keys[study.patient_id]) for study in latest.values()],
        unique="study_id",
        update=[f"{name}_id" if name == "facility" else name for name in COPIES],
    )
    link_studies(latest.values())


def make_entry(study: Study, patient_key: str) -> WorklistEntry:
    """Return the entry, not saved, whose copies are true for the study."""
    return WorklistEntry(
        study=study,
        facility_id=study.facility_id,
        study_at=find_study_moment(study),
        arrived_at=study.last_received_at,
        patient_key=patient_key,
        modalities=study.modalities,
    )


def find_study_moment(study: Study) -> datetime:
    """Return when the study was made, for sorting.

    The scanner's date and time carry no zone; they are read as UTC so that
    they sort as written. Without a date it is the first arrival.
    """
    if study.study_date is None:
        return study.first_received_at
    return datetime.combine(study.study_date, study.study_time or time(), UTC)


def read_patient_keys(studies: Iterable[Study]) -> dict[uuid.UUID, str]:
    """Return the sorting key of each study's patient; one query for those not loaded yet."""
    keys: dict[uuid.UUID, str] = {}
    missing: set[uuid.UUID] = set()
    for study in studies:
        if Study.patient.is_cached(study):
            keys[study.patient_id] = study.patient.search_key
        else:
            missing.add(study.patient_id)
    missing -= keys.keys()
    if missing:
        rows = Patient.objects.filter(pk__in=missing).values_list("pk", "search_key")
        keys.update(dict(rows))
    return keys
