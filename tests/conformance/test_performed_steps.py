"""Performed procedure steps as dcmjs-dimse and a hostile client report them (PS3.4 F.7, F.8)."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from accounts.models import Facility
from dicom_receiver.models import Peer
from tests.conformance.dcmjs import ask
from tests.conformance.dimse import (
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    MESSAGE_ID,
    SOP_CLASS,
    SOP_INSTANCE,
    STATUS,
    Client,
    ClosedError,
    command_set,
    context,
    encode,
    p_data,
    pdv,
)
from tests.conformance.inside import InsidePort
from tests.conformance.port import wait_for
from tests.unit.worklist.ordering import make_order
from tests.unit.worklist.test_performing import begin, claim, end
from worklist.models import Order, PerformedStep

STEP, RETRIEVE = "1.2.840.10008.3.1.2.3.3", "1.2.840.10008.3.1.2.3.4"
N_GET, N_SET, N_CREATE = 0x110, 0x120, 0x140
REQUESTED_CLASS, REQUESTED_INSTANCE, TAGS, ERROR_ID = 0x0003, 0x1001, 0x1005, 0x0903
FINAL_WORDS = b"Performed Procedure Step Object may no longer be updated"


@pytest.mark.dcmjs
@pytest.mark.django_db(transaction=True)
def test_scanner_is_led_from_the_worklist_to_the_end_of_its_step(inside: InsidePort) -> None:
    north = Facility.objects.create(code="north", name="North")
    south = Facility.objects.create(code="south", name="South")
    for title, facility, may in (
        ("STARTER", north, False), ("DCMJS", north, True), ("RAW", north, True),
        ("FOREIGN", south, True), ("UNASKED", north, False),
    ):  # fmt: skip
        Peer.objects.create(ae_title=title, facility=facility, may_mwl=may, may_mpps=may)
    order = make_order(facility=north, patient_name="Müller^Jörg", accession_number="A7")

    run_examination(inside.number, order)
    with inside.client() as client:
        report_by_hand(client, make_order(facility=north))
    with inside.client() as client:
        client.associate(context(1, STEP, EXPLICIT_LITTLE), calling=b"FOREIGN")
        assert change(client, "1.2.3.1", end())[STATUS] == 0x0112
    with inside.client() as client:
        client.associate(context(1, STEP, EXPLICIT_LITTLE), calling=b"UNASKED")
        assert client.accepted[1][0] == 1
    with inside.client() as client:
        send_what_is_hostile(client, make_order(facility=north))


def run_examination(port: int, order: Order) -> None:
    """Take the step from the worklist, begin, end; too late and doubled reports are refused."""
    asked: dict[str, Any] = {"ScheduledProcedureStepSequence": [{"ScheduledProcedureStepID": ""}]}
    listed = ask(port, {"kind": "C-FIND-MWL", "dataset": asked}).answers[0][0]["dataset"]
    item = {
        "StudyInstanceUID": listed["StudyInstanceUID"],
        "AccessionNumber": listed["AccessionNumber"],
        **listed["ScheduledProcedureStepSequence"][0],
    }
    item.pop("_vrMap")
    made = {
        "ScheduledStepAttributesSequence": [item],
        "SpecificCharacterSet": "ISO_IR 192",
        "PatientName": "Müller^Jörg",
        "PatientID": "P1",
        "PerformedProcedureStepID": "PPS1",
        "PerformedStationAETitle": "DCMJS",
        "PerformedProcedureStepStartDate": "20240305",
        "PerformedProcedureStepStartTime": "093000",
        "PerformedProcedureStepStatus": "IN PROGRESS",
        "PerformedProcedureStepDescription": "Grüße",
        "Modality": "CT",
    }
    images = [{"ReferencedSOPClassUID": "1.2.3", "ReferencedSOPInstanceUID": f"1.2.3.4.{number}"}
              for number in range(5)]  # fmt: skip
    done = {
        "PerformedProcedureStepStatus": "COMPLETED",
        "PerformedProcedureStepEndDate": "20240305",
        "PerformedProcedureStepEndTime": "094500",
        "PerformedSeriesSequence": [
            {
                "SeriesInstanceUID": "1.2.3.4",
                "ProtocolName": "Thorax",
                "ReferencedImageSequence": images,
            }
        ],
    }
    step: dict[str, Any] = {"sop_class": STEP, "sop_instance": "1.2.3.1"}
    told = ask(
        port,
        {"kind": "N-CREATE", **step, "dataset": made},
        {"kind": "N-CREATE", **step, "dataset": made},
        {"kind": "N-SET", **step, "dataset": {"PatientName": "Other^Name"}},
        {"kind": "N-SET", **step, "dataset": {"PerformedProcedureStepStatus": "COMPLETED"}},
        {"kind": "N-SET", **step, "dataset": done},
        {"kind": "N-SET", **step, "dataset": done},
        {"kind": "N-SET", "sop_class": STEP, "sop_instance": "1.2.9", "dataset": done},
        {"kind": "N-GET", "sop_class": RETRIEVE, "sop_instance": "1.2.3.1"},
    )
    statuses = [answer[-1]["status"] for answer in told.answers]
    assert statuses == [0, 0x0111, 0x0105, 0x0120, 0, 0x0110, 0x0112, 0]
    whole = told.answers[-1][0]["dataset"]
    assert whole["PerformedProcedureStepStatus"] == "COMPLETED"
    assert whole["PerformedProcedureStepDescription"] == "Grüße"
    assert whole["PerformedProcedureStepStartTime"] == "093000"
    assert len(whole["PerformedSeriesSequence"][0]["ReferencedImageSequence"]) == 5

    order.refresh_from_db()
    assert order.status == "completed"
    row = PerformedStep.objects.get(sop_instance_uid="1.2.3.1")
    assert (row.expected_series_count, row.expected_instance_count) == (1, 5)
    assert (row.patient_name, row.accession_number) == ("Müller^Jörg", "A7")
    again = ask(port, {"kind": "C-FIND-MWL", "dataset": asked})
    assert [answer["status"] for answer in again.answers[0]] == [0]


def report_by_hand(client: Client, order: Order) -> None:
    """The UID may be ours to choose; a refusal names what is at fault."""
    client.associate(context(1, STEP, EXPLICIT_LITTLE), context(3, RETRIEVE, EXPLICIT_LITTLE))
    chosen = create(client, b"", begin(claim(order)))
    assert chosen[STATUS] == 0
    uid = bytes(chosen[SOP_INSTANCE]).rstrip(b"\0").decode()
    assert PerformedStep.objects.get(sop_instance_uid=uid).steps.get().order == order

    wrong = change(client, uid, end(PatientName="Other^Name"))
    assert wrong[STATUS] == 0x0105
    assert wrong[TAGS] == struct.pack("<HH", 0x0010, 0x0010)
    assert ERROR_ID not in wrong
    assert change(client, uid, end("DISCONTINUED", images=0))[STATUS] == 0
    late = change(client, uid, end())
    assert (late[STATUS], late[ERROR_ID]) == (0x0110, struct.pack("<H", 0xA710))
    assert bytes(late[0x0902]).rstrip() == FINAL_WORDS

    wanted = struct.pack("<HHHH", 0x0040, 0x0252, 0x0010, 0x0010)
    client.send_command(3, {**_request(N_GET, RETRIEVE, uid), DATA_SET_TYPE: 0x101, TAGS: wanted})
    assert client.read_response()[STATUS] == 0
    _, body = client.read_pdu()
    assert b"DISCONTINUED" in body
    assert b"Doe^Jane" in body
    assert b"PPS1" not in body

    unscheduled = claim(order, ScheduledProcedureStepID="", StudyInstanceUID="1.2.99")
    unscheduled.AccessionNumber = ""
    assert create(client, "1.2.3.5", begin(unscheduled))[STATUS] == 0
    assert not PerformedStep.objects.get(sop_instance_uid="1.2.3.5").steps.exists()
    client.release()


def send_what_is_hostile(client: Client, order: Order) -> None:
    """What no honest scanner sends is refused, and leaves nothing behind."""
    client.associate(context(1, STEP, EXPLICIT_LITTLE), context(3, RETRIEVE, EXPLICIT_LITTLE))
    before = PerformedStep.objects.count()
    good = begin(claim(order))
    long = begin(claim(order), PerformedProcedureStepDescription="A" * 60_000)
    long.CommentsOnThePerformedProcedureStep = "B" * (5 << 20)
    for uid in ("../../etc/passwd", "1.2.3 OR 1=1", "1" * 65, "1.2.3\n4"):
        assert create(client, uid, good)[STATUS] == 0x0117
    assert create(client, "1.2.3.6", good, context_id=3)[STATUS] == 0x0211
    assert create(client, "1.2.3.6", good, sop_class=RETRIEVE)[STATUS] == 0x0118
    for data in (encode(good)[:-7], b"\xff" * 60, b"", encode(long)):
        assert create(client, "1.2.3.6", data)[STATUS] in {0x0110, 0x0120, 0x0213}
    assert change(client, "../1", end())[STATUS] == 0x0117

    # It hangs up in the middle of a data set.
    command = {**_creation("1.2.3.6"), DATA_SET_TYPE: 0}
    client.send(p_data(pdv(1, 3, command_set(command)), pdv(1, 0, encode(good)[:50])))
    client.send(bytes([7, 0, 0, 0, 0, 4, 0, 0, 0, 0]))
    with pytest.raises(ClosedError):
        client.read_pdu()
    wait_for(lambda: PerformedStep.objects.count() == before)
    order.refresh_from_db()
    assert order.status == "scheduled"


def create(
    client: Client, uid: str | bytes, said: Any, *, context_id: int = 1, sop_class: str = STEP
) -> dict[int, int | bytes]:
    command = {**_creation(uid), SOP_CLASS: sop_class, DATA_SET_TYPE: 0}
    client.send_command(context_id, command)
    client.send_data_set(context_id, said if isinstance(said, bytes) else encode(said))
    return client.read_response()


def _creation(uid: str | bytes) -> dict[int, int | str | bytes]:
    command: dict[int, int | str | bytes] = {SOP_CLASS: STEP, FIELD: N_CREATE, MESSAGE_ID: 3}
    return {**command, SOP_INSTANCE: uid} if uid else command


def change(client: Client, uid: str, said: Any) -> dict[int, int | bytes]:
    client.send_command(1, {**_request(N_SET, STEP, uid), DATA_SET_TYPE: 0})
    client.send_data_set(1, encode(said))
    return client.read_response()


def _request(field: int, sop_class: str, uid: str) -> dict[int, int | str | bytes]:
    return {REQUESTED_CLASS: sop_class, FIELD: field, MESSAGE_ID: 4, REQUESTED_INSTANCE: uid}
