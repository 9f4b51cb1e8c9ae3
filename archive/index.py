"""Rows for what arrived: a batch of durable files, one transaction.

Duplicates and conflicts are found here, under the database's own uniqueness;
two receivers that race are sorted out by its constraints, and the batch that
lost is simply tried again.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta

from django.db import IntegrityError, transaction

from accounts import audit, sql
from archive import events, jobs, settle, signals
from archive.arrival import Arrival, Outcome
from archive.known import KnownStudies, KnownStudy, StaleError
from archive.known_facts import without_facts
from archive.models import Instance, Series, Study
from archive.rows import in_facility, values_of
from imaging.errors import StorageUnavailableError

# A series' pictures and papers are made when it has been quiet for a moment.
AFTERMATH_DELAY = timedelta(seconds=1.5)
PASSPORT_DELAY = timedelta(seconds=2.5)
SYNC_TIMEOUT_SECONDS = 10.0
_ATTEMPTS = 3

_known = KnownStudies()


def index_batch(arrivals: list[Arrival]) -> list[Outcome | settle.Unsettled]:
    """Write the rows of durable files; returns what became of each, in the same order.

    On return the rows are committed (or part of the caller's transaction).
    What is here already under the same UID comes back unsettled.
    """
    attempts = 0
    while True:
        batch = _Batch(arrivals)
        attempts += 1
        try:
            with transaction.atomic():
                batch.index()
                _wait_until_durable(arrivals)
        except (StaleError, IntegrityError):
            _known.clear()
            if attempts == _ATTEMPTS:
                raise
        except BaseException:
            _known.clear()
            raise
        else:
            return batch.outcomes


def _wait_until_durable(arrivals: list[Arrival]) -> None:
    """Hold the commit until every file is on the disk; raises what the storage said."""
    for arrival in arrivals:
        try:
            arrival.durable.result(timeout=SYNC_TIMEOUT_SECONDS)
        except TimeoutError:
            raise StorageUnavailableError("The disk does not take the file in time.") from None


class _Batch:
    """The work of one transaction."""

    def __init__(self, arrivals: list[Arrival]) -> None:
        self._arrivals = arrivals
        self._instances: list[Instance] = []
        self._touched: dict[uuid.UUID, KnownStudy] = {}
        self._by_sender: dict[tuple[uuid.UUID, str, str], int] = defaultdict(int)
        self.outcomes: list[Outcome | settle.Unsettled] = []

    def index(self) -> None:
        """Write everything; must run inside a transaction."""
        present = _find_present(self._arrivals)
        became = {id(arrival): self._place(arrival, present) for arrival in self._in_order()}
        self.outcomes = [became[id(arrival)] for arrival in self._arrivals]
        if self._instances:
            self._write()

    def _in_order(self) -> list[Arrival]:
        """Return the arrivals so that all receivers lock studies in the same order."""
        return sorted(
            self._arrivals,
            key=lambda arrival: (
                str(arrival.source.facility_id),
                arrival.facts.study_instance_uid,
            ),
        )

    def _place(
        self, arrival: Arrival, present: dict[tuple[uuid.UUID | None, str], Instance]
    ) -> Outcome | settle.Unsettled:
        key = (arrival.source.facility_id, arrival.facts.sop_instance_uid)
        if key in present:
            return settle.Unsettled(present[key])
        return self._add(arrival, present)

    def _add(
        self, arrival: Arrival, present: dict[tuple[uuid.UUID | None, str], Instance]
    ) -> Outcome:
        known = _known.study_of(arrival)
        if not known.is_same_patient(arrival):
            return settle.keep_aside_other_patient(arrival, known.study)
        series = known.series_of(arrival)
        instance = _instance(arrival, known.study, series)
        known.count(arrival, series)
        self._instances.append(instance)
        self._touched[known.study.pk] = known
        self._by_sender[known.study.pk, arrival.source.sender, arrival.source.address] += 1
        present[arrival.source.facility_id, arrival.facts.sop_instance_uid] = instance
        return Outcome(
            status="stored",
            study_instance_uid=known.study.study_instance_uid,
            series_instance_uid=series.series_instance_uid,
            sop_instance_uid=instance.sop_instance_uid,
            study_id=known.study.pk,
            series_id=series.pk,
            instance_id=instance.pk,
        )

    def _write(self) -> None:
        sql.insert_rows(self._instances)
        for known in self._touched.values():
            known.write_counts()
        studies = [known.study for known in self._touched.values()]
        changed = [known.study for known in self._touched.values() if known.take_change()]
        signals.studies_indexed.send(sender=None, studies=studies, changed=changed)
        _queue_aftermath(self._touched.values())
        # Before the turns that all writers share, so that nobody waits for our disk.
        _wait_until_durable(self._arrivals)
        self._audit()
        created = [known.study for known in self._touched.values() if known.take_news()]
        events.publish("study_received", created)
        events.publish("study_updated", [study for study in studies if study not in created])

    def _audit(self) -> None:
        sources = {arrival.source.sender: arrival.source for arrival in self._arrivals}
        audit.record(
            audit.AuditEntry(
                action="store",
                actor=sender,
                user_id=sources[sender].user_id,
                address=address,
                facility_id=self._touched[study_id].study.facility_id,
                patient_id=self._touched[study_id].patient_id,
                study_instance_uid=self._touched[study_id].study.study_instance_uid,
                detail={"door": sources[sender].door, "instances": count},
            )
            for (study_id, sender, address), count in self._by_sender.items()
        )


def _find_present(
    arrivals: Iterable[Arrival],
) -> dict[tuple[uuid.UUID | None, str], Instance]:
    """Return the instances that are here already, by facility and SOP Instance UID."""
    wanted: dict[uuid.UUID | None, list[str]] = defaultdict(list)
    for arrival in arrivals:
        wanted[arrival.source.facility_id].append(arrival.facts.sop_instance_uid)
    present = {}
    for facility_id, uids in wanted.items():
        if not _is_any_here(facility_id, uids):
            continue
        rows = in_facility(Instance.objects.all(), facility_id).filter(sop_instance_uid__in=uids)
        for instance in without_facts(rows):
            present[facility_id, instance.sop_instance_uid] = instance
    return present


def _is_any_here(facility_id: uuid.UUID | None, uids: list[str]) -> bool:
    """Whether the facility has any of the instances: nearly always not."""
    marks = ", ".join(["%s"] * len(uids))
    if facility_id is None:
        where, values = "facility_id IS NULL", list[object](uids)
    else:
        where, values = "facility_id = %s", [facility_id, *uids]
    query = f"SELECT 1 FROM archive_instance WHERE {where} AND sop_instance_uid IN ({marks})"  # noqa: S608 - marks alone
    return bool(sql.fetch(f"{query} LIMIT 1", *values))


def _instance(arrival: Arrival, study: Study, series: Series) -> Instance:
    facts = arrival.facts
    return Instance(
        facility_id=arrival.source.facility_id,
        study=study,
        series=series,
        sop_instance_uid=facts.sop_instance_uid,
        **values_of(facts),
        storage_key=arrival.storage_key,
        size_bytes=arrival.size_bytes,
        dataset_offset=arrival.dataset_offset,
        dataset_sha256=arrival.dataset_sha256,
        meta_sha256=arrival.meta_sha256,
        frame_table=arrival.frame_table,
        door=arrival.source.door,
        sender=arrival.source.sender,
        received_at=arrival.received_at,
    )


def _queue_aftermath(touched: Iterable[KnownStudy]) -> None:
    """Queue what is made after the answer for every series that grew."""
    series_ids = [series_id for known in touched for series_id in known.take_unqueued()]
    if series_ids:
        jobs.queue("thumbnail", series_ids, delay=AFTERMATH_DELAY)
        jobs.queue("passport", series_ids, delay=PASSPORT_DELAY)
