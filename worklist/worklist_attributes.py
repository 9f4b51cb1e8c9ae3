"""What a scanner may be told of a step: DICOM attributes made of orders (PS3.4 table K.6-1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword

from imaging.datasets import add_element
from worklist.order_models import Order, Priority, ScheduledStep

SPECIFIC_CHARACTER_SET = 0x00080005
STEP_SEQUENCE = 0x00400100
AE_TITLE = 0x00400001
# Told, never matched: some clients write the empty number of a key as zero.
RETURN_ALONE = frozenset({0x001021C0})
DETACHED_STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"

_PRIORITIES = {Priority.STAT: "STAT", Priority.URGENT: "HIGH", Priority.ROUTINE: "ROUTINE"}
_CODE_KEYWORDS = {
    "code_value": "CodeValue",
    "coding_scheme_designator": "CodingSchemeDesignator",
    "coding_scheme_version": "CodingSchemeVersion",
    "code_meaning": "CodeMeaning",
}

# Attributes with a column of the same name, by keyword.
_ORDER_COLUMNS = {
    "PatientName": "patient_name",
    "PatientID": "patient_id",
    "IssuerOfPatientID": "issuer_of_patient_id",
    "PatientSex": "patient_sex",
    "MedicalAlerts": "medical_alerts",
    "Allergies": "allergies",
    "SpecialNeeds": "special_needs",
    "PatientState": "patient_state",
    "ConfidentialityConstraintOnPatientDataDescription": "confidentiality_constraint",
    "AdmissionID": "admission_id",
    "CurrentPatientLocation": "current_patient_location",
    "PatientTransportArrangements": "patient_transport_arrangements",
    "AccessionNumber": "accession_number",
    "RequestedProcedureID": "requested_procedure_id",
    "RequestedProcedureDescription": "requested_procedure_description",
    "ReasonForTheRequestedProcedure": "reason_for_the_requested_procedure",
    "RequestedProcedureComments": "requested_procedure_comments",
    "ReferringPhysicianName": "referring_physician_name",
    "RequestingPhysician": "requesting_physician",
    "RequestingService": "requesting_service",
    "StudyInstanceUID": "study_instance_uid",
}
_STEP_COLUMNS = {
    "Modality": "modality",
    "ScheduledStationName": "scheduled_station_name",
    "ScheduledProcedureStepLocation": "scheduled_procedure_step_location",
    "ScheduledPerformingPhysicianName": "scheduled_performing_physician_name",
    "ScheduledProcedureStepID": "scheduled_procedure_step_id",
    "PreMedication": "pre_medication",
    "RequestedContrastAgent": "requested_contrast_agent",
    "CommentsOnTheScheduledProcedureStep": "comments_on_the_scheduled_procedure_step",
}


def _text(value: Any) -> list[Any]:
    return [] if value is None or value == "" else [value]


_ORDER_VALUES: dict[str, Callable[[Order], Any]] = {
    "PatientBirthDate": lambda order: (
        f"{order.patient_birth_date:%Y%m%d}" if order.patient_birth_date else ""
    ),
    "PatientWeight": lambda order: _decimal(order.patient_weight_kg),
    "PatientSize": lambda order: _decimal(order.patient_size_m),
    "PregnancyStatus": lambda order: order.pregnancy_status,
    "RequestedProcedurePriority": lambda order: _PRIORITIES[Priority(order.priority)],
    "InstitutionName": lambda order: order.facility.name[:64] if order.facility else "",
}
_STEP_VALUES: dict[str, Callable[[ScheduledStep], Any]] = {
    "ScheduledProcedureStepStartDate": lambda step: (
        f"{step.scheduled_procedure_step_start_date:%Y%m%d}"
    ),
    "ScheduledProcedureStepStartTime": lambda step: (
        f"{step.scheduled_procedure_step_start_time:%H%M%S}"
    ),
    # One of description and protocol code has to be there.
    "ScheduledProcedureStepDescription": lambda step: (
        step.scheduled_procedure_step_description or step.order.requested_procedure_description
    ),
    "ScheduledProcedureStepStatus": lambda step: step.status.upper(),
}
# Sequences, and what never has anything here although scanners ask for it (type 2).
_ORDER_SEQUENCES = ("RequestedProcedureCodeSequence", "ReferencedStudySequence")
_ALWAYS_EMPTY = ("ReferencedPatientSequence",)


def _decimal(value: Any) -> str:
    return "" if value is None else f"{value:f}".rstrip("0").rstrip(".") or "0"


def _tags(keywords: Iterable[str]) -> dict[int, tuple[str, str]]:
    """Return VR and keyword by tag."""
    found = {}
    for keyword in keywords:
        tag = tag_for_keyword(keyword)
        assert tag is not None, keyword
        found[tag] = (dictionary_VR(tag), keyword)
    return found


_ORDER_TAGS = _tags([*_ORDER_COLUMNS, *_ORDER_VALUES])
_STEP_TAGS = _tags([*_STEP_COLUMNS, *_STEP_VALUES])
_KNOWN_OF_ORDER = {
    *_ORDER_TAGS,
    *_tags([*_ORDER_SEQUENCES, *_ALWAYS_EMPTY]),
    STEP_SEQUENCE,
}
_KNOWN_OF_STEP = {*_STEP_TAGS, *_tags(["ScheduledProtocolCodeSequence"]), AE_TITLE}


# Where the database keeps an attribute as it is told, by tag: for a first look at many steps.
PLAIN_COLUMNS_OF_ORDER = {
    tag: _ORDER_COLUMNS[keyword]
    for tag, (_, keyword) in _ORDER_TAGS.items()
    if keyword in _ORDER_COLUMNS
}
PLAIN_COLUMNS_OF_STEP = {
    tag: _STEP_COLUMNS[keyword]
    for tag, (_, keyword) in _STEP_TAGS.items()
    if keyword in _STEP_COLUMNS
}


def is_known(tag: int, *, is_step: bool) -> bool:
    """Whether a key, of the order or of its step, is kept here."""
    return tag in (_KNOWN_OF_STEP if is_step else _KNOWN_OF_ORDER)


def known_tags(*, is_step: bool) -> frozenset[int]:
    """Return all that is kept here of an order, or of its step."""
    return frozenset(_KNOWN_OF_STEP if is_step else _KNOWN_OF_ORDER)


def describe_step(step: ScheduledStep, station: str) -> Dataset:
    """Return all that a scanner may be told of a step with its order.

    `station` stands where no station was chosen: the attribute has to have a value.
    """
    order, whole = step.order, Dataset()
    for tag, (vr, keyword) in _ORDER_TAGS.items():
        column = _ORDER_COLUMNS.get(keyword)
        value = getattr(order, column) if column else _ORDER_VALUES[keyword](order)
        add_element(whole, tag, vr, _text(value))
    codes = _code_items(order.requested_procedure_codes)
    _add_items(whole, "RequestedProcedureCodeSequence", codes)
    study = Dataset()
    add_element(study, 0x00081150, "UI", [DETACHED_STUDY_MANAGEMENT])
    add_element(study, 0x00081155, "UI", [order.study_instance_uid])
    _add_items(whole, "ReferencedStudySequence", [study])
    for keyword in _ALWAYS_EMPTY:
        _add_items(whole, keyword, [])
    _add_items(whole, "ScheduledProcedureStepSequence", [_describe_alone(step, station)])
    return whole


def _describe_alone(step: ScheduledStep, station: str) -> Dataset:
    item = Dataset()
    titles = step.scheduled_station_ae_title.split("\\")
    add_element(item, AE_TITLE, "AE", [title for title in titles if title] or _text(station))
    for tag, (vr, keyword) in _STEP_TAGS.items():
        column = _STEP_COLUMNS.get(keyword)
        value = getattr(step, column) if column else _STEP_VALUES[keyword](step)
        add_element(item, tag, vr, _text(value))
    _add_items(item, "ScheduledProtocolCodeSequence", _code_items(step.scheduled_protocol_codes))
    return item


def _code_items(codes: Iterable[Any]) -> list[Dataset]:
    items = []
    for code in codes:
        item = Dataset()
        for name, keyword in _CODE_KEYWORDS.items():
            if code.get(name):
                tag = tag_for_keyword(keyword)
                assert tag is not None
                add_element(item, tag, "LO" if name == "code_meaning" else "SH", [code[name]])
        items.append(item)
    return items


def _add_items(dataset: Dataset, keyword: str, items: list[Dataset]) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset.add(DataElement(tag, "SQ", items))
