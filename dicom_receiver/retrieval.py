"""What a C-MOVE or C-GET means: from an identifier to instances (PS3.4 C.4.2, C.4.3).

Only unique keys count. Those above the level name one thing each; the key of the level may
be a list. What another facility has is not there.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db.models import QuerySet
from pydicom import Dataset

from archive import storage
from archive.models import Instance, Study
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
_ROWS_AT_ONCE = 500
_ORDER = ("study_id", "series_id", "instance_number", "pk")
_FACTS = ("pk", "study_id", "sop_class_uid", "transfer_syntax_uid")
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
    """The instances that are meant, by key; their rows are read in batches when needed.

    `kinds` is what contexts they need.
    """

    def __init__(self, found: Iterable[tuple[uuid.UUID, uuid.UUID, str, str]] = ()) -> None:
        """Take key, study, SOP class and transfer syntax of each."""
        self.keys: list[uuid.UUID] = []
        self._counts: Counter[uuid.UUID] = Counter()
        kinds = set()
        for key, study, sop_class_uid, syntax in found:
            self.keys.append(key)
            self._counts[study] += 1
            kinds.add((sop_class_uid, syntax))
        self.kinds: frozenset[Kind] = frozenset(kinds)

    def __len__(self) -> int:
        return len(self.keys)

    def shares(self) -> list[StudyShare]:
        """Return how many instances of which study are meant."""
        found = []
        for keys in _batches(list(self._counts), _VALUES_AT_ONCE):
            rows = Study.objects.filter(pk__in=keys)
            facts = rows.values_list("pk", "study_instance_uid", "patient__patient_id")
            found += [StudyShare(uid, patient, self._counts[key]) for key, uid, patient in facts]
        return found

    def items(self) -> Iterator[Sendable | None]:
        """Yield them in order; None for one that has been deleted meanwhile."""
        for keys in _batches(self.keys, _ROWS_AT_ONCE):
            rows = Instance.objects.filter(pk__in=keys).values_list(*_COLUMNS)
            by_key = {row[0]: row for row in rows}
            for key in keys:
                yield _sendable(*by_key[key]) if key in by_key else None


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
        path=storage.place_of(storage_key),
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
    instances = Instance.objects.all()
    if wanted.level <= Level.STUDY:
        return Meant(_facts(instances, "study_id", study_keys or []))
    series = scope.rows(Level.SERIES)
    if study_keys is not None:
        series = series.filter(study_id__in=study_keys)
    uids = wanted.keys[Level.SERIES]
    series_keys = _keys(series, "series_instance_uid", uids) if uids else None
    if wanted.level is Level.SERIES:
        return Meant(_facts(instances, "series_id", series_keys or []))
    if series_keys is not None:
        instances = instances.filter(series_id__in=series_keys)
    elif study_keys is not None:
        instances = instances.filter(study_id__in=study_keys)
    else:
        instances = scope.rows(Level.IMAGE)
    return Meant(_facts(instances, "sop_instance_uid", wanted.keys[Level.IMAGE]))


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


def _facts(rows: QuerySet[Any], column: str, values: Sequence[Any]) -> Iterator[Any]:
    """Yield what `Meant` wants of the instances whose column has one of these values."""
    rows = rows.order_by(*_ORDER)
    for some in _batches(values, _VALUES_AT_ONCE):
        yield from rows.filter(**{f"{column}__in": some}).values_list(*_FACTS)


def _keys(rows: QuerySet[Any], column: str, values: Sequence[Any]) -> list[uuid.UUID]:
    """Return the keys of the rows whose column has one of these values."""
    found: list[uuid.UUID] = []
    for some in _batches(values, _VALUES_AT_ONCE):
        found += rows.filter(**{f"{column}__in": some}).values_list("pk", flat=True)
    return found


def _batches(values: Sequence[_ValueT], size: int) -> Iterator[Sequence[_ValueT]]:
    for begin in range(0, len(values), size):
        yield values[begin : begin + size]
