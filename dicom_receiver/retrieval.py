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
from archive.models import Instance
from archive.query.attributes import Level
from archive.query.hierarchy import (
    Root,
    check_keys_above,
    check_named,
    read_level,
    unique_keys,
)
from archive.query.scope import Scope
from dicom_receiver.sending import Kind, Sendable
from imaging.matching import values_of

_ISSUER_OF_PATIENT_ID = 0x00100021
_ValueT = TypeVar("_ValueT")
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
    """An identifier, understood: its level, and the values of the unique keys down to that."""

    level: Level
    keys: dict[Level, tuple[str, ...]]
    issuer: str


def read_wanted(identifier: Dataset, root: Root, *, is_relational: bool) -> Wanted:
    """Return what an identifier asks for.

    Raises QueryError, in words for the peer, when the level is missing or none of this
    root's, when the level's own key is empty, or (unless `is_relational`) when a key above it
    is missing or names several (PS3.4 C.4.2.2.1, C.4.2.3.1).
    """
    level = read_level(root, identifier)
    if not is_relational:
        check_keys_above(root, level, identifier)
    check_named(root, level, identifier)
    issuer = "".join(str(value) for value in values_of(identifier, _ISSUER_OF_PATIENT_ID)[:1])
    return Wanted(level, unique_keys(root, level, identifier), issuer.strip(" \0"))


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
    scope = Scope.of_facility(facility_id)
    study_keys = _find_studies(wanted, scope)
    instances = Instance.objects.order_by(*_ORDER)
    if wanted.level <= Level.STUDY:
        return Meant(_keys(instances, "study_id", study_keys or []))
    series = scope.rows(Level.SERIES)
    if study_keys is not None:
        series = series.filter(study_id__in=study_keys)
    uids = wanted.keys[Level.SERIES]
    series_keys = _keys(series, "series_instance_uid", uids) if uids else None
    if wanted.level is Level.SERIES:
        return Meant(_keys(instances, "series_id", series_keys or []))
    if series_keys is not None:
        instances = instances.filter(series_id__in=series_keys)
    elif study_keys is not None:
        instances = instances.filter(study_id__in=study_keys)
    else:
        instances = scope.rows(Level.IMAGE).order_by(*_ORDER)
    return Meant(_keys(instances, "sop_instance_uid", wanted.keys[Level.IMAGE]))


def _find_studies(wanted: Wanted, scope: Scope) -> list[uuid.UUID] | None:
    """Return the keys of the studies that may hold what is meant; None when any may."""
    studies = scope.rows(Level.STUDY)
    patients = wanted.keys.get(Level.PATIENT)
    if patients:
        studies = studies.filter(patient__patient_id=patients[0])
        if wanted.issuer:
            studies = studies.filter(patient__issuer_of_patient_id=wanted.issuer)
    if uids := wanted.keys.get(Level.STUDY):
        return _keys(studies, "study_instance_uid", uids)
    return list(studies.values_list("pk", flat=True)) if patients else None


def _keys(rows: QuerySet[Any], column: str, values: Sequence[Any]) -> list[uuid.UUID]:
    """Return the keys of the rows whose column has one of these values."""
    found: list[uuid.UUID] = []
    for some in _batches(values, _VALUES_AT_ONCE):
        found += rows.filter(**{f"{column}__in": some}).values_list("pk", flat=True)
    return found


def _batches(values: Sequence[_ValueT], size: int) -> Iterator[Sequence[_ValueT]]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]
