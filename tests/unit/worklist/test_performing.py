"""What scanners say moves steps, orders and entries; what they may not say is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom import Dataset
from pydicom.uid import generate_uid

from accounts.models import AuditRow, Facility
from tests import factories
from tests.unit.worklist.ordering import make_order
from worklist.models import Order, PerformedStep, WorklistEntry
from worklist.performed_data import decode_said
from worklist.performed_rules import Fault, PerformedStepError, tag_of
from worklist.performing import Scanner, change_performed_step, create_performed_step

pytestmark = pytest.mark.django_db
RUNS, DONE, STOPPED = "IN PROGRESS", "COMPLETED", "DISCONTINUED"


def claim(order: Order, number: int = 0, /, **also: str) -> Dataset:
    """Return the item by which a scanner says which scheduled step it performs."""
    item = Dataset()
    item.StudyInstanceUID = order.study_instance_uid
    item.AccessionNumber = order.accession_number
    step = order.steps.order_by("pk")[number]
    item.ScheduledProcedureStepID = step.scheduled_procedure_step_id
    for keyword, value in also.items():
        setattr(item, keyword, value)
    return item


def begin(*claims: Dataset, **also: Any) -> Dataset:
    """Return what a scanner says when it begins: every attribute of type 1 and 2."""
    said = Dataset()
    said.ScheduledStepAttributesSequence = list(claims)
    said.PatientName, said.PatientID = "Doe^Jane", "P1"
    said.PatientBirthDate, said.PatientSex = "19700102", "F"
    said.PerformedProcedureStepID = "PPS1"
    said.PerformedStationAETitle, said.PerformedStationName = "CT1", ""
    said.PerformedProcedureStepStartDate = "20240305"
    said.PerformedProcedureStepStartTime = "093100"
    said.PerformedProcedureStepEndDate = said.PerformedProcedureStepEndTime = ""
    said.PerformedProcedureStepStatus, said.Modality = RUNS, "CT"
    said.PerformedSeriesSequence = []
    for keyword, value in also.items():
        setattr(said, keyword, value)
    return said


def end(status: str = DONE, images: int = 3, **also: Any) -> Dataset:
    """Return what a scanner says when it has ended."""
    said = Dataset()
    said.PerformedProcedureStepStatus = status
    said.PerformedProcedureStepEndDate = "20240305"
    said.PerformedProcedureStepEndTime = "094500"
    series = Dataset()
    series.SeriesInstanceUID, series.ProtocolName = "1.2.3.4", "Thorax"
    series.ReferencedImageSequence = []
    for number in range(images):
        image = Dataset()
        image.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
        image.ReferencedSOPInstanceUID = f"1.2.3.4.{number}"
        series.ReferencedImageSequence.append(image)
    said.PerformedSeriesSequence = [series]
    for keyword, value in also.items():
        setattr(said, keyword, value)
    return said


def reason(value: str) -> list[Dataset]:
    """Return why a step was discontinued, as a code of CID 9300."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator = value, "DCM"
    item.CodeMeaning = "a reason"
    return [item]


@pytest.fixture
def scanner(north: Facility) -> Scanner:
    return Scanner(north.pk, "CT1", "192.0.2.1")


def statuses(order: Order) -> tuple[str, list[str]]:
    order.refresh_from_db()
    return order.status, list(order.steps.order_by("pk").values_list("status", flat=True))


def test_examination_runs_from_scheduled_to_completed(north: Facility, scanner: Scanner) -> None:
    order = make_order(facility=north)
    study = factories.make_study(north, study_instance_uid=order.study_instance_uid)
    uid = generate_uid()

    create_performed_step(scanner, uid, begin(claim(order)))
    assert statuses(order) == ("in_progress", ["started"])
    assert WorklistEntry.objects.get(study=study).acquisition == "started"

    change_performed_step(scanner, uid, end())
    assert statuses(order) == ("completed", ["completed"])
    assert WorklistEntry.objects.get(study=study).acquisition == "completed"
    row = PerformedStep.objects.get()
    assert (row.expected_series_count, row.expected_instance_count) == (1, 3)
    assert (row.started_at, row.ended_at) == ("20240305 093100", "20240305 094500")
    whole = decode_said(bytes(row.data_set))
    assert whole.PatientName == "Doe^Jane"
    assert whole.PerformedSeriesSequence[0].ReferencedImageSequence[2].ReferencedSOPInstanceUID
    told = AuditRow.objects.filter(actor="CT1").order_by("id").values_list("action", flat=True)
    assert list(told) == ["procedure_step_started", "procedure_step_completed"]


def test_one_performed_step_may_end_several_scheduled_ones(
    north: Facility, scanner: Scanner
) -> None:
    first, second = make_order(facility=north, steps=[{}, {}]), make_order(facility=north)
    uid = generate_uid()

    create_performed_step(scanner, uid, begin(claim(first), claim(second)))
    change_performed_step(scanner, uid, end())

    assert statuses(first) == ("in_progress", ["completed", "scheduled"])
    assert statuses(second) == ("completed", ["completed"])


def test_scheduled_step_ends_with_the_last_of_its_performed_ones(
    north: Facility, scanner: Scanner
) -> None:
    order, uids = make_order(facility=north), [generate_uid(), generate_uid()]
    for uid in uids:
        create_performed_step(scanner, uid, begin(claim(order)))

    change_performed_step(scanner, uids[0], end())
    assert statuses(order) == ("in_progress", ["started"])
    change_performed_step(scanner, uids[1], end(STOPPED))
    assert statuses(order) == ("completed", ["completed"])


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("110513", ("discontinued", ["discontinued"])), ("110514", ("scheduled", ["scheduled"]))],
)
def test_discontinued_step_ends_unless_the_wrong_entry_was_selected(
    north: Facility, scanner: Scanner, code: str, wanted: tuple[str, list[str]]
) -> None:
    order, uid = make_order(facility=north), generate_uid()
    create_performed_step(scanner, uid, begin(claim(order)))

    said = {"PerformedProcedureStepDiscontinuationReasonCodeSequence": reason(code)}
    change_performed_step(scanner, uid, end(STOPPED, images=0, **said))

    assert statuses(order) == wanted
    assert PerformedStep.objects.get().discontinuation_reason == "a reason"


CLAIMS: list[tuple[dict[str, str], bool]] = [
    ({}, True),
    ({"AccessionNumber": ""}, True),
    ({"StudyInstanceUID": "1.2.9"}, True),
    ({"ScheduledProcedureStepID": ""}, True),
    ({"ScheduledProcedureStepID": "", "StudyInstanceUID": "1.2.9"}, True),
    ({"StudyInstanceUID": "1.2.9", "AccessionNumber": "OTHER"}, False),
    ({"ScheduledProcedureStepID": "OTHER"}, False),
    (
        {"ScheduledProcedureStepID": "", "StudyInstanceUID": "1.2.9", "AccessionNumber": ""},
        False,
    ),
]


@pytest.mark.parametrize(("change", "is_found"), CLAIMS)
def test_step_is_found_by_its_id_with_study_or_number_else_by_either(
    north: Facility, scanner: Scanner, change: dict[str, str], is_found: bool
) -> None:
    order = make_order(facility=north, accession_number="A5")

    row = create_performed_step(scanner, generate_uid(), begin(claim(order, 0, **change)))

    assert row.steps.exists() is is_found
    assert statuses(order)[0] == ("in_progress" if is_found else "scheduled")


def test_step_of_another_patient_or_facility_stays(
    north: Facility, south: Facility, scanner: Scanner
) -> None:
    order, foreign = make_order(facility=north), make_order(facility=south)

    create_performed_step(scanner, generate_uid(), begin(claim(order), PatientID="OTHER"))
    create_performed_step(scanner, generate_uid(), begin(claim(foreign)))

    assert (statuses(order)[0], statuses(foreign)[0]) == ("scheduled", "scheduled")


def test_performed_step_of_another_facility_is_unknown(
    north: Facility, south: Facility, scanner: Scanner
) -> None:
    uid = generate_uid()
    create_performed_step(scanner, uid, begin(claim(make_order(facility=north))))
    elsewhere = Scanner(south.pk, "CT1")

    with pytest.raises(PerformedStepError) as refusal:
        change_performed_step(elsewhere, uid, end())
    assert refusal.value.fault is Fault.UNKNOWN
    # The same UID may come there, too: nobody learns that it is here.
    create_performed_step(elsewhere, uid, begin(claim(make_order(facility=south))))


def without(said: Dataset, keyword: str) -> Dataset:
    del said[keyword]
    return said


def test_beginning_says_all_that_it_must(north: Facility, scanner: Scanner) -> None:
    item = claim(make_order(facility=north))
    wrong: list[tuple[Dataset, Fault, str]] = [
        (begin(item, PerformedProcedureStepStatus=DONE), Fault.INVALID, "PerformedProcedureStepStatus"),
        (without(begin(item), "Modality"), Fault.MISSING, "Modality"),
        (begin(item, PerformedProcedureStepID=""), Fault.EMPTY, "PerformedProcedureStepID"),
        (begin(), Fault.EMPTY, "ScheduledStepAttributesSequence"),
        (begin(Dataset()), Fault.MISSING, "StudyInstanceUID"),
        (begin(claim(Order.objects.get(), StudyInstanceUID="../1")), Fault.INVALID, "StudyInstanceUID"),
    ]  # fmt: skip
    for said, fault, keyword in wrong:
        with pytest.raises(PerformedStepError) as refusal:
            create_performed_step(scanner, "1.2.3", said)
        assert (refusal.value.fault, refusal.value.tags) == (fault, (tag_of(keyword),))
    assert not PerformedStep.objects.exists()
    assert statuses(Order.objects.get())[0] == "scheduled"


def test_change_says_only_what_it_may(north: Facility, scanner: Scanner) -> None:
    order, uid = make_order(facility=north), generate_uid()
    create_performed_step(scanner, uid, begin(claim(order)))
    wrong: list[tuple[Dataset, Fault]] = [
        (end(PatientName="Other^Name"), Fault.NOT_ALLOWED),
        (end(Modality="MR"), Fault.NOT_ALLOWED),
        (end("FINISHED"), Fault.INVALID),
        (without(end(), "PerformedProcedureStepEndDate"), Fault.EMPTY),
        (end(PerformedSeriesSequence=[]), Fault.EMPTY),
        (end(PerformedSeriesSequence=[Dataset()]), Fault.MISSING),
    ]
    for said, fault in wrong:
        with pytest.raises(PerformedStepError) as refusal:
            change_performed_step(scanner, uid, said)
        assert refusal.value.fault is fault
    assert statuses(order) == ("in_progress", ["started"])


def test_what_is_final_stays(north: Facility, scanner: Scanner) -> None:
    order, uid = make_order(facility=north), generate_uid()
    create_performed_step(scanner, uid, begin(claim(order)))
    change_performed_step(scanner, uid, end())

    for call, fault in (
        (lambda: change_performed_step(scanner, uid, end(STOPPED)), Fault.FINAL),
        (lambda: create_performed_step(scanner, uid, begin(claim(order))), Fault.DUPLICATE),
    ):
        with pytest.raises(PerformedStepError) as refusal:
            call()
        assert refusal.value.fault is fault
    assert statuses(order) == ("completed", ["completed"])


def test_text_that_no_database_takes_is_cleaned_and_length_is_bounded(
    north: Facility, scanner: Scanner
) -> None:
    order = make_order(facility=north)
    hostile = "<script>\0'; DROP TABLE x;--" + "A" * 9000
    said = begin(claim(order, AccessionNumber=hostile))
    said.PatientName, said.PerformedProcedureStepDescription = hostile, hostile

    row = create_performed_step(scanner, generate_uid(), said)

    row.refresh_from_db()
    assert "\0" not in row.patient_name
    assert len(row.performed_procedure_step_description) == 1024
    assert len(row.accession_number) == 64
    assert "script" in row.describe_data_set()
