"""Marks as a structured report: TID 1500 of PS3.16, by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from highdicom import sr
from pydicom import Dataset

from imaging import concepts
from imaging.concepts import Code
from imaging.drawn import TWO_LINES, Drawn, graphics_of

MANUFACTURER = "Noctis"
# Their outline is a region: TID 1410. All others are TID 1501 with coordinates at each number.
_REGIONS = frozenset({"rectangle", "ellipse", "circle", "polygon", "probe"})
_QUANTITIES = {"HU": concepts.ATTENUATION, "SUV": concepts.UPTAKE, "SUVbw": concepts.UPTAKE}
_PROCEDURE: Code = ("363679005", "SCT", "Imaging procedure")


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a derived object says of itself: its UIDs, numbers, who and what made it."""

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    author_name: str
    software_version: str
    instance_number: int = 1


def write_report(
    marks: Sequence[Drawn], evidence: Sequence[Dataset], writing: Writing, *, in_patient: bool
) -> Dataset:
    """Return a Comprehensive 3D SR with a measurement group for each mark.

    `evidence` holds the header of each image that the marks lie on. Coordinates are SCOORD on
    the image, or with `in_patient` SCOORD3D (lps mm) where a mark has some; a mark on a
    reformatted plane always has these.
    """
    context = sr.ObservationContext(
        observer_person_context=sr.ObserverContext(
            observer_type=_code(("121006", "DCM", "Person")),
            observer_identifying_attributes=sr.PersonObserverIdentifyingAttributes(
                name=writing.author_name
            ),
        ),
    )
    content = sr.MeasurementReport(
        observation_context=context,
        procedure_reported=_code(_PROCEDURE),
        imaging_measurements=[_group(mark, in_patient=in_patient) for mark in marks],
        title=_code(("126000", "DCM", "Imaging Measurement Report")),
    )
    report = sr.Comprehensive3DSR(
        evidence=list(evidence),
        content=content,
        series_instance_uid=writing.series_instance_uid,
        series_number=writing.series_number,
        sop_instance_uid=writing.sop_instance_uid,
        instance_number=writing.instance_number,
        manufacturer=MANUFACTURER,
        is_complete=True,
        series_description="Measurements",
        software_versions=writing.software_version,
    )
    report.ContentLabel = "MEASUREMENTS"
    return report


_Group = (
    sr.PlanarROIMeasurementsAndQualitativeEvaluations | sr.MeasurementsAndQualitativeEvaluations
)
_Place = sr.CoordinatesForMeasurement | sr.CoordinatesForMeasurement3D


def _group(mark: Drawn, *, in_patient: bool) -> _Group:
    group = _measured(mark, in_patient=in_patient or bool(mark.plane))
    if mark.plane:
        # TID 1501 and 1410 may be extended: without the grid nobody could draw it again.
        group[0].ContentSequence.append(
            sr.TextContentItem(
                name=_code(concepts.PLANE),
                value=mark.plane,
                relationship_type=sr.RelationshipTypeValues.CONTAINS,
            )
        )
    return group


def _measured(mark: Drawn, *, in_patient: bool) -> _Group:
    tracking = sr.TrackingIdentifier(uid=mark.uid, identifier=mark.label or mark.kind)
    finding = _code(mark.finding) if mark.finding else None
    evaluations = [_evaluation(concepts.PROVENANCE, mark.provenance, concepts.PROVENANCES)]
    evaluations += [_evaluation(concepts.NOTE, note, {}) for note in mark.notes]
    kind = sr.QualitativeEvaluation(
        name=_code(("kind", concepts.OWN, "Kind of measurement")),
        value=_code((mark.kind, concepts.OWN, mark.kind.capitalize())),
    )
    shared: dict[str, Any] = {
        "tracking_identifier": tracking,
        "finding_type": finding,
        "qualitative_evaluations": [kind, *evaluations],
    }
    is_placed = in_patient and mark.points_lps_mm is not None and mark.frame_of_reference_uid
    if mark.kind in _REGIONS:
        region = _region_in_patient(mark) if is_placed else None
        return sr.PlanarROIMeasurementsAndQualitativeEvaluations(
            referenced_region=region or _region(mark), measurements=_numbers(mark), **shared
        )
    places: Sequence[_Place] = _lines_in_patient(mark) if is_placed else _lines(mark)
    return sr.MeasurementsAndQualitativeEvaluations(
        measurements=_numbers_of_lines(mark, places), **shared
    )


# --- coordinates --------------------------------------------------------------------------
def _region(mark: Drawn) -> sr.ImageRegion:
    kind, points = graphics_of(mark)[0]
    return sr.ImageRegion(kind, points, _source(mark))


def _region_in_patient(mark: Drawn) -> sr.ImageRegion3D | None:
    """Return the region in the patient; what SCOORD3D cannot say of it is None."""
    if mark.outline_lps_mm:
        kind, outline = mark.outline_lps_mm[0]
        kind = "POLYGON" if kind == "POLYLINE" else kind
        return sr.ImageRegion3D(kind, outline, mark.frame_of_reference_uid)
    points = np.asarray(mark.points_lps_mm, np.float64)
    if mark.kind == "probe":
        return sr.ImageRegion3D("POINT", points[:1], mark.frame_of_reference_uid)
    if mark.kind == "polygon" or (mark.kind == "rectangle" and len(points) == 4):
        closed = np.vstack([points, points[:1]])
        return sr.ImageRegion3D("POLYGON", closed, mark.frame_of_reference_uid)
    return None


def _lines(mark: Drawn) -> list[sr.CoordinatesForMeasurement]:
    """Return where the numbers were taken (TID 320); the coordinates name their image."""
    return [
        sr.CoordinatesForMeasurement(kind, points, _source(mark))
        for kind, points in graphics_of(mark)
    ]


def _source(mark: Drawn) -> sr.SourceImageForRegion:
    return sr.SourceImageForRegion(
        mark.image.sop_class_uid, mark.image.sop_instance_uid, mark.image.frame_numbers
    )


def _lines_in_patient(mark: Drawn) -> list[sr.CoordinatesForMeasurement3D]:
    points = np.asarray(mark.points_lps_mm, np.float64)
    pieces = [points[:2], points[2:4]] if mark.kind in TWO_LINES else [points]
    return [
        sr.CoordinatesForMeasurement3D("POLYLINE", piece, mark.frame_of_reference_uid)
        for piece in pieces
    ]


# --- numbers ------------------------------------------------------------------------------
def _numbers_of_lines(mark: Drawn, places: Sequence[_Place]) -> list[sr.Measurement]:
    numbers = [_number(concepts.VALUES[mark.kind], mark.value, mark.unit, mark.uncertainty, places)]
    if mark.kind == "bidirectional":
        numbers[0] = _number(
            concepts.LONG_AXIS, mark.value, mark.unit, mark.uncertainty, places[:1]
        )
        short, doubt = (
            mark.statistics.get(name) for name in ("short_axis", "short_axis_uncertainty")
        )
        numbers.append(_number(concepts.SHORT_AXIS, short, mark.unit, doubt, places[1:]))
    for name, concept in (("horizontal", concepts.HORIZONTAL), ("vertical", concepts.VERTICAL)):
        if name in mark.statistics:
            unit = mark.statistics.get(f"{name}_unit", "")
            numbers.append(_number(concept, mark.statistics[name], unit, None, places))
    return [number for number in numbers if number is not None]


def _numbers(mark: Drawn) -> list[sr.Measurement]:
    """Return area, perimeter and the statistics of the values."""
    found = mark.statistics
    value_unit = str(found.get("unit") or mark.unit)
    quantity = _QUANTITIES.get(value_unit, concepts.PIXEL_VALUE)
    numbers = []
    if mark.kind == "probe":
        numbers.append(_number(quantity, mark.value, mark.unit, None, ()))
    else:
        numbers.append(_number(concepts.AREA, mark.value, mark.unit, mark.uncertainty, ()))
        numbers.append(_number(concepts.PERIMETER, found.get("perimeter_mm"), "mm", None, ()))
        numbers += _derived(found, value_unit)
        # Of a series that lies over the picture: uptake beside HU.
        other = found.get("other") or {}
        numbers += _derived(other, str(other.get("unit", "")))
        if found.get("count"):
            numbers.append(_number(concepts.PIXEL_COUNT, found["count"], "", None, ()))
    return [number for number in numbers if number is not None]


def _derived(found: dict[str, Any], unit: str) -> list[sr.Measurement | None]:
    quantity = _QUANTITIES.get(unit, concepts.PIXEL_VALUE)
    return [
        _number(quantity, found.get(name), unit, None, (), derivation)
        for name, derivation in concepts.DERIVATIONS.items()
    ]


def _number(
    name: Code,
    value: float | None,
    unit: str,
    uncertainty: float | None,
    places: Sequence[_Place],
    derivation: Code | None = None,
) -> sr.Measurement | None:
    if value is None:
        return None
    doubt = None
    if uncertainty is not None:
        doubt = sr.MeasurementProperties(
            upper_measurement_uncertainty=float(uncertainty),
            lower_measurement_uncertainty=float(uncertainty),
        )
        # TID 310: in the unit of the measurement itself; highdicom writes none.
        for item in doubt:
            item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence = [
                _code(concepts.ucum_of(unit))
            ]
    return sr.Measurement(
        name=_code(name),
        value=float(value),
        unit=_code(concepts.ucum_of(unit)),
        derivation=None if derivation is None else _code(derivation),
        properties=doubt,
        referenced_coordinates=list(places) or None,
    )


def _evaluation(name: Code, word: str, meanings: dict[str, str]) -> sr.QualitativeEvaluation:
    meaning = meanings.get(word, word.replace("_", " ").capitalize())
    return sr.QualitativeEvaluation(
        name=_code(name), value=_code((word[:16], concepts.OWN, meaning[:64]))
    )


def _code(code: Code) -> sr.CodedConcept:
    return sr.CodedConcept(value=code[0], scheme_designator=code[1], meaning=code[2])
