"""Rows of the index as answers: data sets with the attributes that were asked for."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, time
from typing import Any

from django.db.models import Count, Sum
from pydicom import DataElement, Dataset

from archive import storage
from archive.models import Instance
from archive.query.attributes import (
    COLUMNS,
    PATIENT_COUNTS,
    SOP_CLASSES_IN_STUDY,
    Kind,
    Level,
    is_in_file,
    path_of,
)
from archive.query.scope import Scope
from imaging.datasets import add_element, dataset_of
from imaging.dictionary import vr_of
from imaging.errors import NoctisError
from imaging.header import read_header

_PATHS_UP = {
    Level.PATIENT: {"patient": "pk"},
    Level.STUDY: {"patient": "patient_id", "study": "pk"},
    Level.SERIES: {"patient": "study__patient_id", "study": "study_id", "series": "pk"},
    Level.IMAGE: {
        "patient": "study__patient_id",
        "study": "study_id",
        "series": "series_id",
        "file": "storage_key",
    },
}


Answer = dict[int, tuple[bytes, Sequence[Any]]]
"""VR and values by tag; the items of a sequence are data sets."""


Row = tuple[Any, ...]


def dataset_of_answer(answer: Answer) -> Dataset:
    """Return an answer as a data set."""
    dataset = Dataset()
    for tag, (vr, values) in answer.items():
        if vr == b"SQ":
            dataset.add(DataElement(tag, "SQ", list(values)))
        else:
            add_element(dataset, tag, vr.decode("ascii"), values)
    return dataset


class RowReader:
    """Reads rows of one level, with what is counted for a page of them at once."""

    def __init__(self, scope: Scope, level: Level, wanted: Sequence[int]) -> None:
        self._scope = scope
        self._level = level
        columns = COLUMNS[level]
        self._in_file = [tag for tag in wanted if is_in_file(level, tag)]
        self._counted = {tag: PATIENT_COUNTS[tag] for tag in wanted if tag in PATIENT_COUNTS}
        self._wants_classes = SOP_CLASSES_IN_STUDY in wanted
        self.fields: list[str] = []
        self._places: list[tuple[int, bytes, Kind, int]] = []
        for tag in sorted(wanted):
            if tag in columns:
                place = self.place(path_of(level, columns[tag]))
                self._places.append((tag, vr_of(tag), columns[tag].kind, place))
        self._key = self.place("pk")
        self._facility = self.place("facility_id")
        self._up: dict[str, int] = {}
        if self._in_file or self._counted or self._wants_classes:
            self._up = {name: self.place(path) for name, path in _PATHS_UP[level].items()}
        self._patients: dict[uuid.UUID, dict[str, int]] = {}
        self._classes: dict[uuid.UUID, list[str]] = {}

    def place(self, path: str) -> int:
        """Return where a column is in each row; it is read from now on."""
        if path not in self.fields:
            self.fields.append(path)
        return self.fields.index(path)

    def read(self, keys: Sequence[uuid.UUID]) -> list[Row]:
        """Return the rows with these keys, in their order; what is gone by now is left out."""
        rows = self._scope.unchecked(self._level).filter(pk__in=list(keys)).order_by()
        by_key = {row[self._key]: row for row in rows.values_list(*self.fields)}
        return self.take([by_key[key] for key in keys if key in by_key])

    def take(self, rows: Sequence[Row]) -> list[Row]:
        """Return those rows of `fields` that are of the scope, ready to be answers."""
        found = [row for row in rows if self._scope.allows(row[self._facility])]
        if self._counted:
            self._patients = self._count({row[self._up["patient"]] for row in found})
        if self._wants_classes:
            self._classes = self._collect({row[self._up["study"]] for row in found})
        return found

    def answer(self, row: Row) -> Answer:
        """Return a row as an answer."""
        answer: Answer = {
            tag: (vr, values_of_column(row[place], kind)) for tag, vr, kind, place in self._places
        }
        for tag, name in self._counted.items():
            counts = self._patients.get(row[self._up["patient"]], {})
            answer[tag] = b"IS", [str(counts.get(name) or 0)]
        if self._wants_classes:
            answer[SOP_CLASSES_IN_STUDY] = b"UI", self._classes.get(row[self._up["study"]], [])
        if self._in_file:
            self._add_from_file(answer, row)
        return answer

    def _count(self, patients: set[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
        studies = self._scope.unchecked(Level.STUDY).filter(patient__in=patients).order_by()
        counted = studies.values("patient", "facility").annotate(
            studies=Count("pk"), series=Sum("series_count"), instances=Sum("instance_count")
        )
        return {row["patient"]: row for row in counted if self._scope.allows(row["facility"])}

    def _collect(self, studies: set[uuid.UUID]) -> dict[uuid.UUID, list[str]]:
        found: dict[uuid.UUID, list[str]] = defaultdict(list)
        rows = Instance.objects.filter(study__in=studies).order_by()
        for study, uid in rows.values_list("study_id", "sop_class_uid").distinct():
            found[study].append(uid)
        return {study: sorted(uids) for study, uids in found.items()}

    # --- from a file ---------------------------------------------------------------------------
    def _add_from_file(self, answer: Answer, row: Row) -> None:
        """Add what a stored file says; what cannot be read stays empty."""
        found = self._read_file(row)
        for tag in self._in_file:
            if tag in found:
                answer[tag] = found[tag].VR.encode(), _all_values(found[tag])
            else:
                answer[tag] = vr_of(tag)[:2], []

    def _read_file(self, row: Row) -> Dataset:
        key = row[self._up["file"]] if "file" in self._up else self._find_file(row)
        if not key:
            return Dataset()
        try:
            with storage.open_instance(key) as file:
                size = file.seek(0, 2)
                file.seek(0)
                return dataset_of(read_header(file, size=size), self._in_file)
        except NoctisError:
            return Dataset()

    def _find_file(self, row: Row) -> str | None:
        level = "series" if "series" in self._up else "study"
        rows = Instance.objects.filter(**{level: row[self._up[level]]})
        return rows.order_by().values_list("storage_key", flat=True).first()


def _all_values(element: DataElement) -> list[Any]:
    if element.VR == "SQ" or isinstance(element.value, list):
        return list(element.value)
    return [] if element.value == "" else [element.value]


def values_of_column(value: Any, kind: Kind) -> list[Any]:
    """Return a column's value as DICOM has it."""
    if value is None or value == "":
        return []
    if isinstance(value, time):
        fraction = f"{value.microsecond:06d}".rstrip("0")
        return [value.strftime("%H%M%S") + (f".{fraction}" if fraction else "")]
    if isinstance(value, date):
        return [f"{value.year:04d}{value.month:02d}{value.day:02d}"]
    if kind is Kind.FRAMES:
        # One frame is what an image has that says nothing of frames.
        return [value] if value > 1 else []
    if kind is Kind.LIST:
        return [part for part in str(value).split("\\") if part]
    return [value]
