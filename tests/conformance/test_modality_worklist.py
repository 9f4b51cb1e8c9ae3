"""The modality worklist as DCMTK's findscu, dcmjs-dimse and a hostile client meet it (PS3.4 K).

The tables say which steps each query has to find, by hand from PS3.4 C.2.2.2 and table K.6-1.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmwrite

from accounts.models import AuditRow, Facility
from dicom_receiver.models import Peer
from tests.conformance.dcmjs import ask
from tests.conformance.dimse import (
    C_CANCEL,
    C_FIND,
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    MESSAGE_ID,
    RESPONDED_TO,
    SOP_CLASS,
    STATUS,
    Client,
    command_set,
    context,
    encode,
    p_data,
    pdv,
)
from tests.conformance.inside import InsidePort
from tests.unit.worklist.ordering import make_order
from worklist.models import ScheduledStep

WORKLIST = "1.2.840.10008.5.1.4.31"
LATIN, UTF_8, JAPANESE = "ISO_IR 100", "ISO_IR 192", ["", "ISO 2022 IR 87"]
DAY, CLOCK = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"
STATION, ALL = "ScheduledStationAETitle", "12345S"

# What stands in the worklist; the step's ID is the letter of its row.
STEPS: list[dict[str, Any]] = [
    {"id": "1", "name": "Doe^Jane", "at": "2024-03-05 09:30:00", "by": "Smith^John"},
    {
        "id": "2", "name": "Müller^Jörg", "at": "2024-03-05 22:15:00", "by": "Müller^Anna",
        "modality": "MR", "station": "MR1",
    },
    {
        "id": "3", "name": "Rex^Dog", "at": "2024-03-06 01:45:00", "modality": "US",
        "station": "VETUS",
    },
    {"id": "4", "name": "Yamada^Tarou=山田^太郎", "at": "2024-03-06 09:30:30", "station": ""},
    {"id": "5", "name": "Doe^John", "at": "2024-03-07 12:00:00", "station": "CT1\\CT2"},
    {
        "id": "S", "name": "Roe^Ann", "at": "2024-03-08 08:00:00", "modality": "MR",
        "station": "MR1", "status": "started",
    },
    {"id": "C", "name": "Doe^Jane", "at": "2024-03-05 09:30:00", "status": "cancelled"},
    {"id": "D", "name": "Doe^Jane", "at": "2024-03-05 09:30:00", "status": "completed"},
    {"id": "E", "name": "Doe^Jane", "at": "2024-03-05 09:30:00", "status": "discontinued"},
]  # fmt: skip

# keys of the order, keys of the step, what is found
QUERIES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, ALL),
    ({"PatientName": "*"}, {"Modality": "*"}, ALL),
    ({}, {"Modality": "CT"}, "145"),
    ({}, {"Modality": "MR"}, "2S"),
    ({}, {"Modality": "ct"}, ""),
    ({}, {"Modality": ["US", "MR"]}, "23S"),
    ({}, {"Modality": "US", STATION: "VETUS"}, "3"),
    # A step for which no station was chosen is offered to all that ask for its modality.
    ({}, {STATION: "CT1"}, "145"),
    ({}, {STATION: "CT2"}, "45"),
    ({}, {STATION: "CT*"}, "145"),
    ({}, {STATION: "OTHER", "Modality": "CT"}, "4"),
    ({}, {STATION: "OTHER", "Modality": "MR"}, ""),
    ({}, {DAY: "20240305"}, "12"),
    ({}, {DAY: "20240305-20240306"}, "1234"),
    ({}, {DAY: "-20240305"}, "12"),
    ({}, {DAY: "20240307-"}, "5S"),
    ({}, {DAY: "20240309-20240301"}, ""),
    ({}, {CLOCK: "0900-1000"}, "14"),
    ({}, {CLOCK: "0930"}, "14"),
    ({}, {CLOCK: "09"}, "14"),
    ({}, {DAY: "20240305", CLOCK: "0900-1000"}, "1"),
    # One range of moments: from the evening of the first day to the morning of the last.
    ({}, {DAY: "20240305-20240306", CLOCK: "2200-0600"}, "23"),
    ({}, {DAY: "20240305-20240306", CLOCK: "1000-093000"}, "23"),
    ({}, {"ScheduledPerformingPhysicianName": "smith*"}, "1"),
    ({"charset": LATIN}, {"ScheduledPerformingPhysicianName": "MÜLLER^ANNA"}, "2"),
    ({"PatientName": "DOE^J*"}, {}, "15"),
    ({"PatientName": "Doe^Jane"}, {}, "1"),
    ({"PatientName": "Doe^J??n"}, {}, "5"),
    ({"PatientName": "Mueller^*", "charset": LATIN}, {}, "2"),
    ({"PatientName": "Müller*", "charset": UTF_8}, {}, "2"),
    ({"PatientName": "=山田*", "charset": UTF_8}, {}, "4"),
    ({"PatientName": "=山田^太郎", "charset": JAPANESE}, {}, "4"),
    ({"PatientID": "PAT3"}, {}, "3"),
    ({"PatientID": "pat3"}, {}, ""),
    ({"PatientID": "PAT?"}, {}, ALL),
    ({"AccessionNumber": "ACC2"}, {"Modality": "MR"}, "2"),
    ({"AccessionNumber": "ACC2"}, {"Modality": "CT"}, ""),
    ({"RequestedProcedureID": "PROC5"}, {}, "5"),
    ({"StudyInstanceUID": ["1.2.3.1", "1.2.3.4", "1.2.3.99"]}, {}, "14"),
    ({}, {"ScheduledProcedureStepID": "3"}, "3"),
    ({}, {"ScheduledProcedureStepStatus": "STARTED"}, "S"),
    ({}, {"ScheduledProcedureStepDescription": "Step of * J*"}, "125"),
    ({"RequestedProcedureCodeSequence": [{"CodeValue": "CODE4"}]}, {}, "4"),
    ({"RequestedProcedureCodeSequence": [{"CodeValue": "CODE4", "CodeMeaning": "x"}]}, {}, ""),
    ({}, {"ScheduledProtocolCodeSequence": [{"CodeValue": "PROT1"}]}, "1"),
    ({"private": True}, {"Modality": "US"}, "3"),
    ({"PatientName": "';DROP TABLE worklist_order;--"}, {}, ""),
    ({"PatientName": "*" * 60 + "x"}, {}, ""),
]  # fmt: skip
REFUSED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {DAY: "tomorrow"}),
    ({}, {DAY: "20240305-20240306-20240307"}),
    ({}, {CLOCK: "9 o'clock"}),
    ({"PatientName": "A" * 5000}, {}),
]


def fill_worklist() -> None:
    north = Facility.objects.create(code="north", name="North")
    south = Facility.objects.create(code="south", name="South")
    for title, facility, may in (
        ("STARTER", north, False), ("FINDSCU", north, True), ("DCMJS", north, True),
        ("RAW", north, True), ("FOREIGN", south, True), ("UNASKED", north, False),
    ):  # fmt: skip
        Peer.objects.create(ae_title=title, facility=facility, may_mwl=may)
    for row in STEPS:
        make_step(north, **row)
    make_order(facility=south, steps=[{"scheduled_procedure_step_id": "1"}])


def make_step(facility: Facility, **row: str) -> None:
    number, (day, clock) = row["id"], row["at"].split()
    code = {"coding_scheme_designator": "99NORTH", "code_meaning": "something"}
    step = {
        "scheduled_procedure_step_id": number,
        "modality": row.get("modality", "CT"),
        "scheduled_station_ae_title": row.get("station", "CT1"),
        "scheduled_procedure_step_start_date": day,
        "scheduled_procedure_step_start_time": clock,
        "scheduled_performing_physician_name": row.get("by", ""),
        "scheduled_procedure_step_description": f"Step of {row['name']}"[:40].replace("^", " "),
        "scheduled_protocol_codes": [{**code, "code_value": f"PROT{number}"}],
    }
    order = make_order(
        facility=facility,
        patient_name=row["name"],
        patient_id=f"PAT{number}",
        accession_number=f"ACC{number}",
        requested_procedure_id=f"PROC{number}",
        study_instance_uid=f"1.2.3.{ord(number) if number.isalpha() else number}",
        requested_procedure_codes=[{**code, "code_value": f"CODE{number}"}],
        steps=[step],
    )
    ScheduledStep.objects.filter(order=order).update(status=row.get("status", "scheduled"))


def make_query(keys: dict[str, Any], step: dict[str, Any]) -> Dataset:
    query, item = Dataset(), Dataset()
    for keyword, value in step.items():
        setattr(item, keyword, _as_items(value))
    item.ScheduledProcedureStepID = step.get("ScheduledProcedureStepID", "")
    query.ScheduledProcedureStepSequence = [item]
    for keyword, value in keys.items():
        if keyword == "charset":
            query.SpecificCharacterSet = value
        elif keyword == "private":
            query.private_block(0x0009, "ACME", create=True).add_new(1, "LO", "secret")
        else:
            setattr(query, keyword, _as_items(value))
    return query


def _as_items(value: Any) -> Any:
    if not isinstance(value, list) or not isinstance(value[0], dict):
        return value
    item = Dataset()
    for keyword, one in value[0].items():
        setattr(item, keyword, one)
    return [item]


def findscu(folder: Path, port: int, queries: list[Dataset], *options: str) -> list[str]:
    """Ask all queries on one association; return what findscu says of each."""
    files = []
    for number, query in enumerate(queries):
        path = folder / f"query{number:03}.dcm"
        dcmwrite(path, query, implicit_vr=False, little_endian=True)
        files.append(str(path))
    done = subprocess.run(
    ["findscu", "-v", "-W", "-aec", "NOCTIS_SCP", *options, "localhost", str(port),
         *files],
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    said = (done.stdout + done.stderr).decode("latin-1")
    return said.split("Sending Find Request")[1:]


def found_in(said: str) -> str:
    """Return the IDs of the steps in the order of the answers."""
    return "".join(re.findall(r"\(0040,0009\) SH \[(\w) *\]", answers_of(said)))


def answers_of(said: str) -> str:
    """Return what follows the words about the query itself."""
    return "".join(re.split(r"Find Response: \d+ ", said, maxsplit=1)[1:])


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.dcmtk
@pytest.mark.dcmjs
@pytest.mark.django_db(transaction=True)
def test_worklist_answers_every_query_as_the_standard_asks(
    inside: InsidePort, tmp_path: Path
) -> None:
    fill_worklist()

    queries = [make_query(keys, step) for keys, step, _ in QUERIES]
    said = findscu(tmp_path, inside.number, queries)
    wrong = {
        f"{keys} {step}": (found_in(one), wanted)
        for (keys, step, wanted), one in zip(QUERIES, said, strict=True)
        if found_in(one) != wanted or "Final Find Response (Success)" not in one
    }
    assert wrong == {}
    refused = findscu(tmp_path, inside.number, [make_query(*one) for one in REFUSED])
    assert ["DataSetDoesNotMatchSOPClass" in one for one in refused] == [True] * len(REFUSED)

    check_others_see_nothing(tmp_path, inside.number)
    check_character_sets(tmp_path, inside.number)
    check_whole_answer(inside.number)
    with inside.client() as client:
        check_hostile_queries(client)
    trail = AuditRow.objects.filter(action="search", actor="FINDSCU").latest("id")
    assert trail.detail["by"] == "modality worklist"


def check_others_see_nothing(folder: Path, port: int) -> None:
    """Another facility has its own; strangers and who may not ask get no context."""
    query = [make_query({}, {})]
    assert found_in(findscu(folder, port, query, "-aet", "FOREIGN")[0]) == "1"
    assert findscu(folder, port, query, "-aet", "UNASKED") == []
    assert findscu(folder, port, query, "-aet", "STRANGER") == []


def check_character_sets(folder: Path, port: int) -> None:
    """What is asked in one set is answered in it where it holds the text, else in UTF-8."""
    names = [
        make_query({"PatientName": "", "PatientID": "PAT2", "charset": LATIN}, {}),
        make_query({"PatientName": "", "PatientID": "PAT4", "charset": LATIN}, {}),
        make_query({"PatientName": "", "PatientID": "PAT1"}, {}),
    ]
    latin, utf_8, ascii_alone = findscu(folder, port, names)
    assert "[ISO_IR 100]" in latin
    assert "Müller^Jörg" in latin
    assert "[ISO_IR 192]" in utf_8
    assert "山田^太郎" in utf_8.encode("latin-1").decode()
    assert "SpecificCharacterSet" not in answers_of(ascii_alone)


def check_whole_answer(port: int) -> None:
    """All that an independent client asks for comes back, in its place and form."""
    wish = {
        "PatientID": "PAT2",
        "ScheduledProcedureStepSequence": [
            {
                "Modality": "",
                STATION: "",
                DAY: "",
                CLOCK: "",
                "ScheduledProtocolCodeSequence": [],
                "ScheduledPerformingPhysicianName": "",
            }
        ],
    }
    (answer, final) = ask(port, {"kind": "C-FIND-MWL", "dataset": wish}).answers[0]
    assert (answer["status"], final["status"]) == (0xFF01, 0)
    told = answer["dataset"]
    assert told["PatientName"][0]["Alphabetic"] == "Müller^Jörg"
    assert told["StudyInstanceUID"] == "1.2.3.2"
    assert told["AccessionNumber"] == "ACC2"
    assert told["PatientBirthDate"] == "19700102"
    assert told["RequestedProcedureDescription"] == "CT of the chest"
    assert told["RequestedProcedureCodeSequence"][0]["CodeValue"] == "CODE2"
    study = told["ReferencedStudySequence"][0]
    assert study["ReferencedSOPInstanceUID"] == "1.2.3.2"
    step = told["ScheduledProcedureStepSequence"][0]
    assert (step["Modality"], step[STATION]) == ("MR", "MR1")
    assert (step[DAY], step[CLOCK]) == ("20240305", "221500")
    assert step["ScheduledPerformingPhysicianName"][0]["Alphabetic"] == "Müller^Anna"
    assert step["ScheduledProtocolCodeSequence"][0]["CodeMeaning"] == "something"


def check_hostile_queries(client: Client) -> None:
    """What no honest client sends is refused, and the association goes on."""
    client.associate(context(1, WORKLIST, EXPLICIT_LITTLE))
    two = make_query({}, {})
    two.ScheduledProcedureStepSequence.append(Dataset())
    deep = Dataset()
    for _ in range(40):
        outer = Dataset()
        outer.ScheduledProcedureStepSequence = [deep]
        deep = outer
    hostile = [
        (encode(two), 0xA900),
        (encode(deep), 0xC000),
        (b"", 0xA900),
        (b"\xff" * 100, 0xC000),
        (encode(make_query({}, {}))[:-9], 0xC000),
    ]
    for data, status in hostile:
        assert (status, final_status(client, data)) == (status, status)
    # The C-CANCEL is there before the first answer.
    everything = encode(make_query({}, {}))
    cancel = {FIELD: C_CANCEL, RESPONDED_TO: 8, DATA_SET_TYPE: 0x101}
    client.send(find_request(8, everything) + p_data(pdv(1, 3, command_set(cancel))))
    assert client.read_response()[STATUS] == 0xFE00
    assert final_status(client, everything, answers=len(ALL)) == 0
    client.release()


def find_request(message_id: int, data: bytes) -> bytes:
    command: dict[int, int | str | bytes] = {
        SOP_CLASS: WORKLIST, FIELD: C_FIND, MESSAGE_ID: message_id, 0x0700: 0, DATA_SET_TYPE: 0,
    }  # fmt: skip
    return p_data(pdv(1, 3, command_set(command))) + p_data(pdv(1, 2, data))


def final_status(client: Client, data: bytes, *, answers: int = 0) -> int:
    """Ask; return how it ended, after so many pending answers."""
    client.send(find_request(7, data))
    for _ in range(answers):
        assert client.read_response()[STATUS] == 0xFF00
        client.read_pdu()
    return int(client.read_response()[STATUS])
