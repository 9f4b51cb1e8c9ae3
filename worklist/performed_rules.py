"""What a performed step must and must not say, by PS3.4 table F.7.2-1.

Types 2 that are left out are tolerated: nothing here depends on them, and
scanners that examine patients now are not sent away for an empty birth date.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from imaging.matching import values_of
from worklist.order_models import PerformedStep

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")


class Fault(enum.Enum):
    """Why a performed step is not made or changed; the door has a status for each."""

    DUPLICATE = "duplicate"
    UNKNOWN = "unknown"
    FINAL = "final"
    NOT_ALLOWED = "not allowed"
    INVALID = "invalid"
    MISSING = "missing"
    EMPTY = "empty"
    TOO_LONG = "too long"


class PerformedStepError(Exception):
    """A performed step cannot be made or changed so; `tags` are the attributes at fault."""

    def __init__(self, fault: Fault, words: str, tags: Iterable[int] = ()) -> None:
        super().__init__(words)
        self.fault = fault
        self.tags = tuple(tags)


def tag_of(keyword: str) -> int:
    """Return the tag of an attribute that the standard knows."""
    tag = tag_for_keyword(keyword)
    assert tag is not None, keyword
    return tag


STATUS = tag_of("PerformedProcedureStepStatus")
STEPS = tag_of("ScheduledStepAttributesSequence")
STUDY_UID = tag_of("StudyInstanceUID")
SERIES = tag_of("PerformedSeriesSequence")
_SERIES_UID = tag_of("SeriesInstanceUID")

# Type 1 when the step is made.
_NEEDED = tuple(
    map(
        tag_of,
        (
            "ScheduledStepAttributesSequence",
            "PerformedProcedureStepID",
            "PerformedStationAETitle",
            "PerformedProcedureStepStartDate",
            "PerformedProcedureStepStartTime",
            "PerformedProcedureStepStatus",
            "Modality",
        ),
    )
)
# Type 1 when it has ended; images are needed only of one that was completed.
_NEEDED_AT_END = tuple(
    map(tag_of, ("PerformedProcedureStepEndDate", "PerformedProcedureStepEndTime"))
)
# Said once, when the step is made.
_NEVER_CHANGED = frozenset(
    map(
        tag_of,
        (
            "ScheduledStepAttributesSequence",
            "PatientName",
            "PatientID",
            "IssuerOfPatientID",
            "PatientBirthDate",
            "PatientSex",
            "ReferencedPatientSequence",
            "AdmissionID",
            "PerformedProcedureStepID",
            "PerformedStationAETitle",
            "PerformedStationName",
            "PerformedLocation",
            "PerformedProcedureStepStartDate",
            "PerformedProcedureStepStartTime",
            "Modality",
            "StudyID",
        ),
    )
)


def check_creation(said: Dataset) -> None:
    """Check what is said when a step is made; raises PerformedStepError."""
    _check_needed(said, _NEEDED)
    if status_of(said) != PerformedStep.Status.IN_PROGRESS:
        raise PerformedStepError(Fault.INVALID, "A step begins IN PROGRESS.", [STATUS])
    for item in values_of(said, STEPS):
        _check_needed(item, [STUDY_UID])
        _check_uid(item, STUDY_UID)


def check_change(said: Dataset) -> None:
    """Check what is said later by itself; raises PerformedStepError."""
    forbidden = [int(element.tag) for element in said if int(element.tag) in _NEVER_CHANGED]
    if forbidden:
        words = "Said when the step was made; it does not change."
        raise PerformedStepError(Fault.NOT_ALLOWED, words, forbidden)
    if STATUS in said and status_of(said) not in PerformedStep.Status.values:
        words = "The status is IN PROGRESS, COMPLETED or DISCONTINUED."
        raise PerformedStepError(Fault.INVALID, words, [STATUS])


def check_whole(whole: Dataset) -> None:
    """Check the step as it stands after a change; raises PerformedStepError."""
    status = status_of(whole)
    if status == PerformedStep.Status.IN_PROGRESS:
        return
    is_done = status == PerformedStep.Status.COMPLETED
    _check_needed(whole, [*_NEEDED_AT_END, SERIES] if is_done else _NEEDED_AT_END)
    for item in values_of(whole, SERIES):
        _check_needed(item, [_SERIES_UID])
        _check_uid(item, _SERIES_UID)


def status_of(said: Dataset) -> str:
    """Return the status as it is said."""
    values = values_of(said, STATUS)
    return str(values[0]).strip() if len(values) == 1 else ""


def _check_needed(said: Dataset, tags: Iterable[int]) -> None:
    tags = list(tags)
    if missing := [tag for tag in tags if tag not in said]:
        raise PerformedStepError(Fault.MISSING, "A required attribute is missing.", missing)
    if empty := [tag for tag in tags if not values_of(said, tag)]:
        raise PerformedStepError(Fault.EMPTY, "A required attribute has no value.", empty)


def _check_uid(said: Dataset, tag: int) -> None:
    uid = str(values_of(said, tag)[0])
    if len(uid) > 64 or not _UID.fullmatch(uid):
        raise PerformedStepError(Fault.INVALID, "A UID is not valid.", [tag])
