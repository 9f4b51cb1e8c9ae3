"""What to do with an instance whose UID is here already, or whose study is another patient's.

The first copy stays, always. The same bytes again are success, and make a
damaged copy whole. Other bytes are kept aside for a person.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from archive import jobs, storage
from archive.arrival import Arrival, Outcome
from archive.models import Discrepancy, Instance, Series, Study
from archive.rows import values_of
from archive.verify import is_whole


@dataclass(frozen=True)
class Unsettled:
    """An arrival whose SOP Instance UID is here already."""

    present: Instance


def settle(arrival: Arrival, present: Instance) -> Outcome:
    """Return what becomes of an arrival whose UID is here already.

    The comparison may read a whole file, so it runs in the door's own thread
    and no transaction is open meanwhile.
    """
    if present.dataset_sha256 != arrival.dataset_sha256:
        return keep_aside(
            arrival,
            Study.objects.get(pk=present.study_id),
            Discrepancy.Kind.DUPLICATE_UID,
            "The SOP Instance UID is here already with other content.",
        )
    if present.storage_key == arrival.storage_key:
        return _outcome("stored", present, arrival)
    if is_whole(present):
        storage.remove(arrival.storage_key)
        return _outcome("duplicate", present, arrival)
    return _heal(arrival, present)


def _heal(arrival: Arrival, present: Instance) -> Outcome:
    """Let the row name the new copy; the damaged one goes after the commit."""
    with transaction.atomic():
        changed = Instance.objects.filter(pk=present.pk, storage_key=present.storage_key).update(
            storage_key=arrival.storage_key,
            size_bytes=arrival.size_bytes,
            dataset_offset=arrival.dataset_offset,
            meta_sha256=arrival.meta_sha256,
            frame_table=arrival.frame_table,
            **values_of(arrival.facts),
        )
        if changed:
            # The file meta information may be longer or shorter; the counts follow.
            growth = arrival.size_bytes - present.size_bytes
            for rows in (
                Series.objects.filter(pk=present.series_id),
                Study.objects.filter(pk=present.study_id),
            ):
                rows.update(size_bytes=F("size_bytes") + growth)
            # What was found out about the damaged file holds no more.
            Series.objects.filter(pk=present.series_id).update(passport=None, passport_rules=None)
            jobs.queue("passport", [present.series_id])
    # Another receiver that healed it first leaves ours without a row.
    storage.remove(present.storage_key if changed else arrival.storage_key)
    return _outcome("healed", present, arrival)


def keep_aside_other_patient(arrival: Arrival, study: Study) -> Outcome:
    """Keep an instance that names another patient than its study."""
    return keep_aside(
        arrival,
        study,
        Discrepancy.Kind.STUDY_IDENTITY,
        "The study is here already with another patient ID.",
    )


def keep_aside(arrival: Arrival, study: Study, kind: Discrepancy.Kind, reason: str) -> Outcome:
    """Keep the file, out of the study, for a person; the same bytes are kept once."""
    with transaction.atomic():
        is_kept = study.discrepancies.filter(
            kind=kind,
            sop_instance_uid=arrival.facts.sop_instance_uid,
            dataset_sha256=arrival.dataset_sha256,
        ).exists()
        if not is_kept:
            Discrepancy.objects.create(
                kind=kind,
                study=study,
                facility_id=study.facility_id,
                sop_instance_uid=arrival.facts.sop_instance_uid,
                storage_key=arrival.storage_key,
                dataset_sha256=arrival.dataset_sha256,
                sender=arrival.source.sender,
                reason=reason,
            )
            Study.objects.filter(pk=study.pk).update(has_discrepancy=True)
    if is_kept:
        transaction.on_commit(lambda: storage.remove(arrival.storage_key))
    return Outcome(
        status="conflict",
        study_instance_uid=arrival.facts.study_instance_uid,
        series_instance_uid=arrival.facts.series_instance_uid,
        sop_instance_uid=arrival.facts.sop_instance_uid,
        study_id=study.pk,
        reason=reason,
    )


def _outcome(status: str, present: Instance, arrival: Arrival) -> Outcome:
    return Outcome(
        status=status,
        study_instance_uid=arrival.facts.study_instance_uid,
        series_instance_uid=arrival.facts.series_instance_uid,
        sop_instance_uid=present.sop_instance_uid,
        study_id=present.study_id,
        series_id=present.series_id,
        instance_id=present.pk,
    )
