"""A study's marks as a table for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from archive.models import Study
from viewer.mark_rows import StudyMarks
from viewer.models import Annotation, KeyImage, Measurement

_NUMBERS = ("mean", "sd", "min", "max", "median", "count", "area_mm2", "short_axis")
# Of a second series under the same shape.
_OTHERS = {name: f"other_{name}" for name in ("mean", "sd", "min", "max", "median", "count")}
COLUMNS = (
    "mark", "kind", "id", "patient_id", "study_date", "accession_number", "study_instance_uid",
    "series_number", "series_instance_uid", "sop_instance_uid", "instance_number", "frame",
    "label", "text", "finding", "layer", "value", "unit", "uncertainty", "provenance", "notes",
    *_NUMBERS, "values_unit", *_OTHERS.values(), "other_unit", "other_series_instance_uid",
    "plane", "points_px", "points_lps_mm", "created_by", "created_at",
    "changed_by", "changed_at", "version",
)  # fmt: skip
# What spreadsheets take for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def write_table(study: Study, marks: StudyMarks) -> str:
    """Return CSV (RFC 4180), a row for each mark; texts can't be run as formulas."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, restval="")
    writer.writeheader()
    for mark in _in_order(marks):
        row = _row(study, mark)
        writer.writerow({name: _safe(value) for name, value in row.items()})
    return out.getvalue()


def _in_order(marks: StudyMarks) -> Iterator[Measurement | Annotation | KeyImage]:
    yield from marks.measurements
    yield from marks.annotations
    yield from marks.key_images


def _safe(value: Any) -> Any:
    """Return a text behind an apostrophe where a spreadsheet would take it for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _row(study: Study, mark: Measurement | Annotation | KeyImage) -> dict[str, Any]:
    instance, series = mark.find_home()
    row = {
        "mark": mark.word,
        "id": str(mark.pk),
        "patient_id": study.patient.patient_id,
        "study_date": study.study_date.isoformat() if study.study_date else "",
        "accession_number": study.accession_number,
        "study_instance_uid": study.study_instance_uid,
        "series_number": series.series_number,
        "series_instance_uid": series.series_instance_uid,
        "sop_instance_uid": instance.sop_instance_uid if instance else "",
        "instance_number": instance.instance_number if instance else "",
        "frame": mark.frame if instance else "",
        "created_by": mark.created_by.get_username(),
        "created_at": mark.created_at.isoformat(),
        "changed_by": mark.changed_by.get_username(),
        "changed_at": mark.changed_at.isoformat(),
        "version": mark.version,
    }
    if isinstance(mark, KeyImage):
        return {**row, "text": mark.note}
    row |= {
        "kind": mark.kind,
        "label": mark.label,
        "layer": mark.layer,
        "plane": json.dumps(mark.plane) if mark.plane else "",
        "points_px": json.dumps(mark.points_px),
        "points_lps_mm": json.dumps(mark.points_lps_mm) if mark.points_lps_mm else "",
    }
    if isinstance(mark, Annotation):
        return {**row, "text": mark.text, "value": mark.known_mm, "unit": _mm(mark.known_mm)}
    found = mark.statistics
    other = found.get("other") or {}
    return {
        **row,
        **{name: found.get(name) for name in _NUMBERS},
        "values_unit": found.get("unit", ""),
        **{column: other.get(name) for name, column in _OTHERS.items()},
        "other_unit": other.get("unit", ""),
        "other_series_instance_uid": other.get("series_instance_uid", ""),
        "value": mark.value,
        "unit": mark.unit,
        "uncertainty": mark.uncertainty,
        "provenance": mark.provenance,
        "notes": " ".join(mark.notes),
        "finding": " ".join(mark.finding.values()) if mark.finding else "",
    }


def _mm(value: float | None) -> str:
    return "" if value is None else "mm"
