"""Studies that this process has just seen, so that a stream of instances needs no look-ups.

A kept row is only a short cut: counts are added in the database, and a row
that has gone, or moved to another facility, shows itself by an update that
touches nothing.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from accounts import sql
from archive.arrival import Arrival
from archive.identity import find_or_add_patient, flag, is_other_person
from archive.models import Discrepancy, Series, Study
from archive.rows import in_facility
from imaging.facts import InstanceFacts
from imaging.search import name_key

_KEEP_STUDIES = 256
_MAX_FLAGS = 32
# A waiting job covers what arrives until it is due (archive.index.AFTERMATH_DELAY).
_JOB_COVERS_SECONDS = 1.0


_GROW_SERIES = """
    UPDATE archive_series SET instance_count = instance_count + %s,
        frame_count = frame_count + %s, size_bytes = size_bytes + %s, last_received_at = %s
    WHERE id = %s
"""
_GROW_STUDY = """
    UPDATE archive_study SET instance_count = instance_count + %s,
        size_bytes = size_bytes + %s, last_received_at = %s
    WHERE id = %s AND modalities = %s AND facility_id
"""


class StaleError(Exception):
    """A kept row is no longer what the database holds; look again."""


@dataclass
class _Growth:
    """What one transaction adds to a series."""

    instances: int = 0
    frames: int = 0
    size_bytes: int = 0


class KnownStudies:
    """The studies seen last, by facility and Study Instance UID. One thread uses it."""

    def __init__(self) -> None:
        self._studies: OrderedDict[tuple[uuid.UUID | None, str], KnownStudy] = OrderedDict()

    def study_of(self, arrival: Arrival) -> KnownStudy:
        """Return the arrival's study; it is read or added on first sight."""
        key = (arrival.source.facility_id, arrival.facts.study_instance_uid)
        known = self._studies.get(key)
        if known is None:
            known = KnownStudy.look_up(arrival) or KnownStudy.add(arrival)
            self._studies[key] = known
            if len(self._studies) > _KEEP_STUDIES:
                self._studies.popitem(last=False)
        else:
            self._studies.move_to_end(key)
        return known

    def clear(self) -> None:
        """Forget everything: a transaction that kept rows came from was undone."""
        self._studies.clear()


class KnownStudy:
    """One study with its series, and what the present transaction adds to them."""

    def __init__(self, study: Study, patient_id: str, *, is_new: bool) -> None:
        self.study = study
        self.patient_id = patient_id
        self._series = {series.series_instance_uid: series for series in study.series_set.all()}
        self._growth: dict[uuid.UUID, _Growth] = {}
        self._last_received_at: datetime = study.last_received_at
        self._is_news = is_new
        self._is_changed = True
        self._name_was_checked_for: set[tuple[str, object]] = set()
        self._queued_at: dict[uuid.UUID, float] = {}

    @classmethod
    def look_up(cls, arrival: Arrival) -> KnownStudy | None:
        """Return the study from the database, or None."""
        study = (
            in_facility(Study.objects.all(), arrival.source.facility_id)
            .select_related("patient")
            .filter(study_instance_uid=arrival.facts.study_instance_uid)
            .first()
        )
        return None if study is None else cls(study, study.patient.patient_id, is_new=False)

    @classmethod
    def add(cls, arrival: Arrival) -> KnownStudy:
        """Write a new study (and patient) without series."""
        facts, source = arrival.facts, arrival.source
        patient, is_doubtful = find_or_add_patient(arrival)
        study = Study.objects.create(
            facility_id=source.facility_id,
            patient=patient,
            **{name: getattr(facts, name) for name in _STUDY_FIELDS},
            search_key=name_key(facts.patient_name),
            door=source.door,
            sender=source.sender,
            first_received_at=arrival.received_at,
            last_received_at=arrival.received_at,
            flags=list(facts.flags)[:_MAX_FLAGS],
        )
        if is_doubtful:
            flag(
                study,
                Discrepancy.Kind.PATIENT_IDENTITY,
                "The patient ID is known with another name or birth date.",
                source.sender,
            )
        return cls(study, patient.patient_id, is_new=True)

    def is_same_patient(self, arrival: Arrival) -> bool:
        """Whether the instance names this study's patient.

        Another Patient ID: no. The same or no ID with another name or birth
        date: yes, but the study is flagged.
        """
        facts = arrival.facts
        if facts.patient_id and self.patient_id and facts.patient_id != self.patient_id:
            return False
        person = (facts.patient_name, facts.patient_birth_date)
        if person not in self._name_was_checked_for:
            if is_other_person(self.study, facts):
                flag(
                    self.study,
                    Discrepancy.Kind.STUDY_IDENTITY,
                    "Instances of this study give different names or birth dates.",
                    arrival.source.sender,
                )
            self._name_was_checked_for.add(person)
        return True

    def series_of(self, arrival: Arrival) -> Series:
        """Return the instance's series, added on first sight."""
        facts = arrival.facts
        series = self._series.get(facts.series_instance_uid)
        if series is None:
            series = self._find_series(facts) or self._add_series(arrival)
            self._series[facts.series_instance_uid] = series
        return series

    def _find_series(self, facts: InstanceFacts) -> Series | None:
        """Another receiver may have added it since the study was read."""
        return self.study.series_set.filter(series_instance_uid=facts.series_instance_uid).first()

    def _add_series(self, arrival: Arrival) -> Series:
        facts = arrival.facts
        fresh = Study.objects.select_for_update().filter(pk=self.study.pk).first()
        if fresh is None or fresh.facility_id != arrival.source.facility_id:
            raise StaleError
        series = Series.objects.create(
            facility_id=fresh.facility_id,
            study=fresh,
            **{name: getattr(facts, name) for name in _SERIES_FIELDS},
            last_received_at=arrival.received_at,
        )
        fresh.patient = self.study.patient
        fresh.modalities = _with(fresh.modalities, facts.modality)
        fresh.body_parts = _with(fresh.body_parts, facts.body_part_examined)
        fresh.series_count += 1
        fresh.flags = sorted({*fresh.flags, *facts.flags})[:_MAX_FLAGS]
        fresh.save(update_fields=["modalities", "body_parts", "series_count", "flags"])
        self.study = fresh
        self._is_changed = True
        return series

    def count(self, arrival: Arrival, series: Series) -> None:
        """Note that this transaction adds the instance to the series."""
        growth = self._growth.setdefault(series.pk, _Growth())
        growth.instances += 1
        growth.frames += arrival.facts.number_of_frames if arrival.facts.has_pixel_data else 0
        growth.size_bytes += arrival.size_bytes
        self._last_received_at = max(self._last_received_at, arrival.received_at)

    def write_counts(self) -> None:
        """Add the transaction's growth to the rows; raises StaleError when one has gone."""
        facility_id = self.study.facility_id
        is_there, facility = ("IS NULL", []) if facility_id is None else ("= %s", [facility_id])
        # The study before its series, always: who adds a series locks in this order too.
        touched = sql.execute(
            f"{_GROW_STUDY} {is_there}",
            sum(growth.instances for growth in self._growth.values()),
            sum(growth.size_bytes for growth in self._growth.values()),
            self._last_received_at,
            self.study.pk,
            # Another receiver's series may have changed the modalities, a person
            # the facility: then look again.
            self.study.modalities,
            *facility,
        )
        for series_id, growth in sorted(self._growth.items()):
            touched += sql.execute(
                _GROW_SERIES,
                growth.instances,
                growth.frames,
                growth.size_bytes,
                self._last_received_at,
                series_id,
            )
        if touched != 1 + len(self._growth):
            raise StaleError
        self.study.last_received_at = self._last_received_at

    def take_unqueued(self) -> list[uuid.UUID]:
        """Return the series that grew and that no waiting job covers; ends the counting."""
        now = time.monotonic()
        unqueued = [
            series_id
            for series_id in self._growth
            if now - self._queued_at.get(series_id, -_JOB_COVERS_SECONDS) >= _JOB_COVERS_SECONDS
        ]
        self._queued_at.update(dict.fromkeys(unqueued, now))
        self._growth.clear()
        return unqueued

    def take_change(self) -> bool:
        """Whether more than counts and arrival may be new since this was last asked."""
        is_changed, self._is_changed = self._is_changed, False
        return is_changed

    def take_news(self) -> bool:
        """Whether this is the first telling of a new study."""
        is_news, self._is_news = self._is_news, False
        return is_news


_STUDY_FIELDS = (
    "study_instance_uid",
    "study_date",
    "study_time",
    "study_id",
    "study_description",
    "accession_number",
    "referring_physician_name",
    "institution_name",
    "patient_name",
    "patient_birth_date",
    "patient_sex",
    "patient_age",
)
_SERIES_FIELDS = (
    "series_instance_uid",
    "series_number",
    "modality",
    "series_description",
    "body_part_examined",
    "laterality",
    "protocol_name",
    "manufacturer",
    "manufacturer_model_name",
    "station_name",
    "frame_of_reference_uid",
)


def _with(values: str, value: str) -> str:
    """Return a backslash-separated, sorted list with the value in it; too long stays as it is."""
    joined = "\\".join(sorted({*filter(None, values.split("\\")), *filter(None, [value])}))
    return joined if len(joined) <= 255 else values
