"""What a C-MOVE or C-GET means: from an identifier to instances (PS3.4 C.4.2, C.4.3).

Only unique keys count. Those above the level name one thing each; the key of the level may
be a list. What another facility has is not there.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import Count, QuerySet
from pydicom import Dataset

from archive import storage
from archive.models import Instance, Series, Study
from dicom_receiver.sending import Kind, Sendable
from imaging.errors import MismatchError

PATIENT, STUDY, SERIES, IMAGE = "PATIENT", "STUDY", "SERIES", "IMAGE"
_ValueT = TypeVar("_ValueT")
LEVELS = (PATIENT, STUDY, SERIES, IMAGE)
UNIQUE_KEYS = {
    PATIENT: "PatientID",
    STUDY: "StudyInstanceUID",
    SERIES: "SeriesInstanceUID",
    IMAGE: "SOPInstanceUID",
}
# Databases limit the parameters of one query.
_VALUES_AT_ONCE = 500
_ROWS_AT_ONCE = 200
_ORDER = ("study_id", "series_id", "instance_number", "pk")
_COLUMNS = (
    "pk",
    "sop_class_uid",
    "sop_instance_uid",
    "transfer_syntax_uid",
    "storage_key",
    "dataset_offset",
    "size_bytes",
)


@dataclass(frozen=True)
class Wanted:
    """An identifier, understood: level, and the values of its unique keys."""

    level: str
    patient_id: str | None
    issuer: str
    studies: tuple[str, ...]
    series: tuple[str, ...]
    instances: tuple[str, ...]


def read_wanted(identifier: Dataset, *, is_patient_root: bool, is_relational: bool) -> Wanted:
    """Return what an identifier asks for.

    Raises MismatchError, in words for the peer, when the level is missing or none of this
    root's, when the level's own key is empty, or (unless `is_relational`) when a key above it
    is missing or names several (PS3.4 C.4.2.2.1, C.4.2.3.1).
    """
    levels = LEVELS if is_patient_root else LEVELS[1:]
    level = str(identifier.get("QueryRetrieveLevel") or "").strip()
    if level not in levels:
        said = "is missing" if not level else "is none of this root's"
        raise MismatchError(f"Query/Retrieve Level {said}.")
    values = {one: _values(identifier, UNIQUE_KEYS[one]) for one in levels}
    if not values[level]:
        raise MismatchError(f"{UNIQUE_KEYS[level]} is missing or empty.")
    if level == PATIENT and len(values[PATIENT]) > 1:
        raise MismatchError("PatientID names more than one.")
    for above in levels[: levels.index(level)]:
        if not is_relational and not values[above]:
            raise MismatchError(f"{UNIQUE_KEYS[above]} is missing above the level {level}.")
        if len(values[above]) > 1:
            raise MismatchError(f"{UNIQUE_KEYS[above]} above the level names more than one.")
    below = levels[levels.index(level) + 1 :]
    found = {one: () if one in below else values.get(one, ()) for one in LEVELS}
    return Wanted(
        level=level,
        patient_id=found[PATIENT][0] if found[PATIENT] else None,
        issuer=next(iter(_values(identifier, "IssuerOfPatientID")), ""),
        studies=found[STUDY],
        series=found[SERIES],
        instances=found[IMAGE],
    )


def _values(identifier: Dataset, keyword: str) -> tuple[str, ...]:
    value = identifier.get(keyword)
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(dict.fromkeys(text for one in values if (text := str(one or "").strip(" \0"))))


@dataclass(frozen=True)
class StudyShare:
    """How much of one study goes out: what the audit trail wants to know."""

    study_instance_uid: str
    patient_id: str
    instance_count: int


class Meant:
    """The instances that are meant, by key; their rows are read in batches when needed."""

    def __init__(self, keys: Sequence[uuid.UUID]) -> None:
        self.keys = keys

    def __len__(self) -> int:
        return len(self.keys)

    def kinds(self) -> frozenset[Kind]:
        """Return what contexts are needed; one query for every few hundred instances."""
        found: set[Kind] = set()
        for rows in self._row_sets():
            found.update(rows.values_list("sop_class_uid", "transfer_syntax_uid").distinct())
        return frozenset(found)

    def shares(self) -> list[StudyShare]:
        """Return how many instances of which study are meant."""
        counts: dict[tuple[str, str], int] = {}
        for rows in self._row_sets():
            groups = rows.values_list(
                "study__study_instance_uid", "study__patient__patient_id"
            ).annotate(count=Count("pk"))
            for study, patient, count in groups:
                counts[study, patient] = counts.get((study, patient), 0) + count
        return [StudyShare(study, patient, n) for (study, patient), n in counts.items()]

    def items(self) -> Iterator[Sendable | None]:
        """Yield them in order; None for one that has been deleted meanwhile."""
        for keys in _batches(self.keys, _ROWS_AT_ONCE):
            rows = Instance.objects.filter(pk__in=keys).values_list(*_COLUMNS)
            by_key = {row[0]: row for row in rows}
            for key in keys:
                yield _sendable(*by_key[key]) if key in by_key else None

    def _row_sets(self) -> Iterator[QuerySet[Instance]]:
        for keys in _batches(self.keys, _VALUES_AT_ONCE):
            yield Instance.objects.filter(pk__in=keys).order_by()


def _sendable(
    key: uuid.UUID,
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    storage_key: str,
    dataset_offset: int,
    size_bytes: int,
) -> Sendable:
    return Sendable(
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid=transfer_syntax_uid,
        path=storage.path_of(storage_key),
        dataset_offset=dataset_offset,
        size_bytes=size_bytes,
        key=key,
    )


def find_meant(wanted: Wanted, facility_id: uuid.UUID | None) -> Meant:
    """Return the instances that a peer of this facility means; series stay together.

    Level by level, so that every query is answered by the index of its UID.
    """
    if facility_id is None:
        return Meant([])
    study_keys = _find_studies(wanted, facility_id)
    if wanted.level in (PATIENT, STUDY):
        return Meant(_keys(Instance.objects.order_by(*_ORDER), "study_id", study_keys or []))
    series = Series.objects.in_facilities([facility_id])
    if study_keys is not None:
        series = series.filter(study_id__in=study_keys)
    series_keys = _keys(series, "series_instance_uid", wanted.series) if wanted.series else None
    if wanted.level == SERIES:
        return Meant(_keys(Instance.objects.order_by(*_ORDER), "series_id", series_keys or []))
    instances = Instance.objects.in_facilities([facility_id]).order_by(*_ORDER)
    if series_keys is not None:
        instances = instances.filter(series_id__in=series_keys)
    elif study_keys is not None:
        instances = instances.filter(study_id__in=study_keys)
    return Meant(_keys(instances, "sop_instance_uid", wanted.instances))


def _find_studies(wanted: Wanted, facility_id: uuid.UUID) -> list[uuid.UUID] | None:
    """Return the keys of the studies that may hold what is meant; None when any may."""
    studies = Study.objects.in_facilities([facility_id])
    if wanted.patient_id is not None:
        studies = studies.filter(patient__patient_id=wanted.patient_id)
        if wanted.issuer:
            studies = studies.filter(patient__issuer_of_patient_id=wanted.issuer)
    if wanted.studies:
        return _keys(studies, "study_instance_uid", wanted.studies)
    return None if wanted.patient_id is None else list(studies.values_list("pk", flat=True))


def _keys(rows: QuerySet[Any], column: str, values: Sequence[Any]) -> list[uuid.UUID]:
    """Return the keys of the rows whose column has one of these values."""
    found: list[uuid.UUID] = []
    for some in _batches(values, _VALUES_AT_ONCE):
        found += rows.filter(**{f"{column}__in": some}).values_list("pk", flat=True)
    return found


def _batches(values: Sequence[_ValueT], size: int) -> Iterator[Sequence[_ValueT]]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]
