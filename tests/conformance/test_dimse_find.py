"""C-FIND by DCMTK's findscu: every case of the table, both character ways, statuses, cancelling."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset
from pydicom.datadict import dictionary_VR, tag_for_keyword

from accounts.models import AuditRow, Facility
from archive.models import Study
from dicom_receiver.identifiers import decode_identifier
from dicom_receiver.models import Peer
from tests import factories, queries
from tests.conformance.dimse import (
    C_CANCEL,
    C_FIND,
    COMMENT,
    DATA_SET_TYPE,
    FIELD,
    IMPLICIT_LITTLE,
    MESSAGE_ID,
    RESPONDED_TO,
    SOP_CLASS,
    STATUS,
    Client,
    context,
    encode,
    item,
)
from tests.conformance.inside import InsidePort
from tests.queries import CASES, ROOT, UNIQUE, YAMADA, Case

STUDY_ROOT = "1.2.840.10008.5.1.4.1.2.2.1"

Answers = list[dict[int, bytes]]

# Keys may break what their VR allows: that is what some of them are about.
pytestmark = [
    pytest.mark.dcmtk,
    pytest.mark.filterwarnings("ignore:.*(Invalid value|length).*:UserWarning"),
]


@pytest.fixture
def archive(inside: InsidePort, north: Facility, south: Facility) -> InsidePort:
    """Return a port whose facility north holds the archive of the table."""
    queries.fill_archive(north, south)
    Peer.objects.create(ae_title="ASKER", facility=north, may_find=True)
    Peer.objects.create(ae_title="SOUTHERN", facility=south, may_find=True)
    return inside


def _findscu(
    port: InsidePort, folder: Path, cases: list[Case], caller: str = "ASKER"
) -> list[Answers]:
    """Ask everything on one association; return what DCMTK read of the answers to each case."""
    files = []
    for number, case in enumerate(cases):
        files.append(folder / f"query{number:03d}")
        files[-1].write_bytes(encode(_identifier(case), IMPLICIT_LITTLE))
    root = "-P" if cases[0].root == "patient" else "-S"
    done = subprocess.run(
        ["findscu", "-v", root, "-aet", caller, "-aec", "NOCTIS_SCP", "127.0.0.1",
         str(port.number), *map(str, files)],
        check=True, capture_output=True, timeout=60, env=os.environ | {"TCP_NODELAY": "1"},
    )  # fmt: skip
    _, *parts = (done.stdout + done.stderr).split(b"Sending Find Request")
    assert len(parts) == len(cases)
    return [_read_answers(part) for part in parts]


_ELEMENT = re.compile(rb"\(([0-9a-f]{4}),([0-9a-f]{4})\) \w\w (?:\[(.*)\]|\(no value|=(\w+))")


def _read_answers(shown: bytes) -> Answers:
    """Return the answers as findscu shows them: tag to value, as bytes."""
    assert b"(Success)" in shown
    answers: Answers = []
    for part in shown.split(b"(Pending)")[1:]:
        found = _ELEMENT.findall(part)
        answers.append({
            int(group + element, 16): (text or uid).strip(b" \0")
            for group, element, text, uid in found
        })  # fmt: skip
    return answers


def _identifier(case: Case) -> Dataset:
    """Return the query; values go out as they are, whatever their VR allows."""
    dataset = Dataset()
    if case.character_set:
        dataset.SpecificCharacterSet = case.character_set.split("\\")
    for key in (f"{UNIQUE[case.level]}=", f"QueryRetrieveLevel={case.level}", *case.keys):
        path, _, value = key.partition("=")
        *sequences, keyword = path.split(".")
        at = dataset
        for name in sequences:
            sequence = name.removesuffix("[0]")
            if sequence not in at:
                setattr(at, sequence, [Dataset()])
            at = at[sequence].value[0]
        _add(at, keyword, value)
    return dataset


def _add(dataset: Dataset, keyword: str, value: str) -> None:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    vr = dictionary_VR(tag)
    dataset.add_new(tag, "LO" if vr in {"DA", "DT", "IS", "TM"} else vr, value.split("\\"))


def test_every_question_has_the_answers_that_were_written_by_hand(
    archive: InsidePort, tmp_path: Path
) -> None:
    wrong = {}
    for root in ("study", "patient"):
        cases = [case for case in CASES if case.root == root]
        for case, answers in zip(cases, _findscu(archive, tmp_path, cases), strict=True):
            unique = tag_for_keyword(UNIQUE[case.level]) or 0
            found = {answer[unique].decode().removeprefix(ROOT) for answer in answers}
            if found != case.answers or len(found) != len(answers):
                wrong[case.title] = (sorted(found), sorted(case.answers))
    assert wrong == {}

    # What comes beside the keys (PS3.4 C.4.1.1.3.2), and names in a set that holds them.
    utf8, japanese, none, plain = (
        answers[0] for answers in _findscu(archive, tmp_path, [
            _named("PatientID=P3", "ISO_IR 192"), _named("PatientID=P3", "\\ISO 2022 IR 87"),
            _named("PatientID=P2", ""), _named("AccessionNumber=A1000", ""),
        ])
    )  # fmt: skip
    assert utf8[0x00100010].decode() == YAMADA
    assert utf8[0x00080005] == b"ISO_IR 192"
    assert utf8[0x00080052] == b"STUDY"
    assert utf8[0x00080054] == b"NOCTIS_SCP"
    assert utf8[0x00080056] == b"ONLINE"
    # PS3.5 H.3.1: the escape sequences of this very name.
    assert b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=" in japanese[0x00100010]
    assert japanese[0x00080005] == b"\\ISO 2022 IR 87"
    assert (none[0x00100010], none[0x00080005]) == ("Müller^Jörg".encode("latin-1"), b"ISO_IR 100")
    assert 0x00080005 not in plain

    # Another facility's peer sees its own; a trail row says who asked what.
    southern = Case("study", "STUDY", ("PatientID=P1",), frozenset())
    ((answer,),) = _findscu(archive, tmp_path, [southern], caller="SOUTHERN")
    assert answer[0x0020000D].decode() == f"{ROOT}6"
    row = AuditRow.objects.filter(action="search").latest("id")
    assert (row.actor, row.facility_id, row.outcome) == (
        "SOUTHERN", Facility.objects.get(code="south").pk, "success",
    )  # fmt: skip
    assert row.detail["keys"] == {"PatientID": "P1"}
    assert row.detail["answers"] == 1


def _named(key: str, character_set: str) -> Case:
    return Case("study", "STUDY", (key, "PatientName="), frozenset(), character_set)


# --- statuses, by a client that may say anything ------------------------------------------------
class Asker:
    """An association on which C-FIND is asked."""

    def __init__(self, port: InsidePort, abstract: str = STUDY_ROOT, extended: bytes = b"") -> None:
        self.abstract = abstract
        self.client = Client(port.number)
        uid = len(abstract).to_bytes(2, "big") + abstract.encode()
        self.client.associate(
            context(1, abstract, IMPLICIT_LITTLE),
            calling=b"ASKER",
            user_items=item(0x56, uid + extended) if extended else b"",
        )

    def send(self, data: bytes, message_id: int = 9) -> None:
        self.client.send_command(
            1,
            {SOP_CLASS: self.abstract, FIELD: C_FIND, MESSAGE_ID: message_id, 0x0700: 0,
             DATA_SET_TYPE: 0},
        )  # fmt: skip
        self.client.send_data_set(1, data)

    def read(self) -> tuple[int, Dataset | None, bytes]:
        response = self.client.read_response()
        data = b""
        if response[DATA_SET_TYPE] != 0x0101:
            is_last = False
            while not is_last:
                _, body = self.client.read_pdu()
                data += body[6:]
                is_last = bool(body[5] & 2)
        comment = response.get(COMMENT, b"")
        found = decode_identifier(data, IMPLICIT_LITTLE) if data else None
        return int(response[STATUS]), found, comment if isinstance(comment, bytes) else b""

    def ask(self, data: bytes) -> tuple[list[tuple[int, Dataset]], int, str]:
        self.send(data)
        pending = []
        while (answer := self.read())[0] in {0xFF00, 0xFF01}:
            assert answer[1] is not None
            pending.append((answer[0], answer[1]))
        return pending, answer[0], answer[2].decode()


def _query(level: str = "STUDY", **keys: Any) -> bytes:
    dataset = Dataset()
    if level:
        dataset.QueryRetrieveLevel = level
    raw = Dataset()
    for keyword, value in keys.items():
        tag = tag_for_keyword(keyword)
        assert tag is not None
        raw.add_new(tag, "LO" if dictionary_VR(tag) in {"DA", "IS"} else dictionary_VR(tag), value)
    dataset.update(raw)
    return encode(dataset, IMPLICIT_LITTLE)


def test_each_refusal_has_its_status_and_words(archive: InsidePort) -> None:
    asker = Asker(archive)

    def status(data: bytes) -> tuple[int, str]:
        pending, last, words = asker.ask(data)
        assert pending == []
        return last, words

    assert status(_query(level="")) == (0xA900, "Query/Retrieve Level is missing.")
    assert status(_query(level="PATIENT"))[0] == 0xA900
    assert status(_query(level="SERIES", SeriesInstanceUID=""))[0] == 0xA900
    assert status(_query(StudyDate="yesterday"))[0] == 0xA900
    assert status(_query(PatientName="*A" * 5000))[0] == 0xA900
    assert status(b"\x10\x00\x10\x00\xff\xff\xff\x7fA*")[0] == 0xC000
    assert status(_query(StudyDescription="x" * 60_000) * 20)[0] in {0xA900, 0xC000}
    # Reversed ranges and endless lists are right, and the association has gone on.
    assert status(_query(StudyDate="20991231-20000101"))[0] == 0
    uids = "\\".join(f"1.2.9.{number}" for number in range(10_000))
    assert status(_query(StudyInstanceUID=uids))[0] == 0
    assert status(_query(StudyInstanceUID="\\".join(f"1.{n}" for n in range(100_000))))[0] == 0xA700

    # Keys that are not supported come back empty, and FF01 says so.
    pending, last, _ = asker.ask(_query(StudyInstanceUID="1.2.3.1", SliceThickness=""))
    assert (last, [code for code, _ in pending]) == (0, [0xFF01])
    assert pending[0][1].SliceThickness == ""
    pending, _, _ = asker.ask(_query(StudyInstanceUID="1.2.3.1", StudyComments=""))
    assert [code for code, _ in pending] == [0xFF01]
    pending, _, _ = asker.ask(_query(StudyInstanceUID="1.2.3.1", AdmissionID=""))
    assert [code for code, _ in pending] == [0xFF00]

    # Relational, combined times, fuzzy names, empty values: when agreed.
    agreed = Asker(archive, extended=b"\1\1\1\0\0\1\1")
    pending, last, _ = agreed.ask(_query(level="SERIES", SeriesInstanceUID="", Modality="CT"))
    assert (last, len(pending)) == (0, 2)
    pending, _, _ = agreed.ask(_query(StudyInstanceUID="", PatientName="jane doe"))
    assert len(pending) == 2
    pending, _, _ = agreed.ask(_query(StudyInstanceUID="", AccessionNumber='""'))
    assert {answer.StudyInstanceUID for _, answer in pending} == {"1.2.3.3", "1.2.3.5"}
    keys = {"StudyDate": "20240305-20240306", "StudyTime": "1000-1900"}
    pending, _, _ = agreed.ask(_query(StudyInstanceUID="", **keys))
    assert [answer.StudyInstanceUID for _, answer in pending] == ["1.2.3.2"]


def test_cancel_ends_a_long_answer_and_the_association_goes_on(
    archive: InsidePort, north: Facility
) -> None:
    patient = factories.make_patient(north)
    Study.objects.bulk_create(
        Study(
            facility=north, patient=patient, study_instance_uid=f"1.2.8.{number}",
            first_received_at=factories.ARRIVAL, last_received_at=factories.ARRIVAL,
        )
        for number in range(3000)
    )  # fmt: skip
    asker = Asker(archive)
    asker.send(_query(StudyInstanceUID=""))
    assert asker.read()[0] == 0xFF00
    # A cancel of something else stops nothing.
    for message_id in (8, 9):
        asker.client.send_command(
            1, {FIELD: C_CANCEL, RESPONDED_TO: message_id, DATA_SET_TYPE: 0x101}
        )
    seen = [1]
    while (answer := asker.read())[0] == 0xFF00:
        seen.append(1)

    assert answer[0] == 0xFE00
    assert len(seen) < 3005
    assert asker.ask(_query(StudyInstanceUID="1.2.8.7"))[1] == 0
