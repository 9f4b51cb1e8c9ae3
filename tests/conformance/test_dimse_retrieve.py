"""C-MOVE and C-GET as DCMTK's movescu and getscu ask for them (PS3.4 C.4.2, C.4.3)."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from dicom_receiver import command as dimse
from dicom_receiver.requestor import Incoming, Offer, Requestor, Target
from tests.conformance.dcmtk import run_storescp
from tests.conformance.destination import Destination
from tests.conformance.dimse import (
    C_CANCEL,
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    IMPLICIT_LITTLE,
    RESPONDED_TO,
    SOP_CLASS,
    STATUS,
    context,
    encode,
)
from tests.conformance.port import Port
from tests.conformance.retrieve_asking import (
    PATIENT_ROOT_GET,
    PATIENT_ROOT_MOVE,
    House,
    answers_of,
    ask,
    asked_for,
    assert_whole,
    get_client,
    getscu,
    keys_of,
    last,
    movescu,
    received,
    run_movescu,
)
from tests.conformance.retrieving import PATIENTS, Stock, fill, provision
from tests.conformance.test_dimse_store import make_ct, read_data_set
from tests.factories import bundled
from tests.services import find_free_port

JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
REMAINING, COMPLETED, FAILED, WARNING = 0x1020, 0x1021, 0x1022, 0x1023


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    (folder / "stock").mkdir()
    (folder / "foreign").mkdir()
    port = Port(folder, DATABASE_URL="")
    port.migrate()
    destination = find_free_port()
    provision(
        port,
        f"""
        [[facility]]
        code = "north"
        name = "North"
        [[facility]]
        code = "south"
        name = "South"
        [[peer]]
        ae_title = "ASKER"
        facility = "north"
        may = ["store", "find", "move", "get"]
        [[peer]]
        ae_title = "STORER"
        facility = "north"
        may = ["store"]
        [[peer]]
        ae_title = "SOUTH"
        facility = "south"
        host = "127.0.0.1"
        port = {destination}
        may = ["store", "move"]
        [[peer]]
        ae_title = "THERE"
        facility = "north"
        host = "127.0.0.1"
        port = {destination}
        may = []
        [[peer]]
        ae_title = "DEAD"
        facility = "north"
        host = "127.0.0.1"
        port = {find_free_port()}
        may = []
        [[peer]]
        ae_title = "HOMELESS"
        facility = "north"
        may = []
        """,
    )
    stock, foreign = Stock(port, folder / "stock"), Stock(port, folder / "foreign")
    fill(stock)
    compressed = stock.add_file(bundled("SC_rgb_jpeg_dcmtk.dcm"), "COLOUR")
    foreign.add(make_ct(PatientID=PATIENTS[0]))
    try:
        port.start()
        stock.store("STORER")
        foreign.store("SOUTH")
        with run_storescp(folder, "-aet", "THERE", port=destination) as scp:
            yield House(stock, scp, compressed, next(iter(foreign.files)))
    finally:
        port.stop()


@pytest.fixture(autouse=True)
def empty_destination(house: House) -> None:
    for path in house.scp.files():
        path.unlink()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "received"
    made.mkdir()
    return made


# --- what is meant --------------------------------------------------------------------
CASES = [
    *("patient", "study", "studies", "study of patient", "study of another", "series"),
    *("two series", "images", "unknown among images", "nothing"),
]


@pytest.mark.parametrize("case", CASES)
def test_move_sends_what_is_meant_as_it_was_stored(house: House, case: str) -> None:
    root, level, keys, meant = asked_for(house.stock, case)

    said = movescu(house, level, root=root, **keys)

    assert last(said) == (0x0000, {"Completed": len(meant), "Failed": 0, "Warning": 0})
    assert_whole(house, house.scp.folder, meant)


@pytest.mark.parametrize("case", ["patient", "studies", "series", "images", "nothing"])
def test_get_sends_what_is_meant_as_it_was_stored(house: House, case: str, folder: Path) -> None:
    root, level, keys, meant = asked_for(house.stock, case)

    said = getscu(house, folder, level, root=root, **keys)

    assert last(said) == (0x0000, {"Completed": len(meant), "Failed": 0, "Warning": 0})
    assert_whole(house, folder, meant)


def test_move_counts_down_and_names_its_originator(house: House) -> None:
    study = house.stock.value("StudyInstanceUID", PatientID="ANNA")[0]

    said = movescu(house, "STUDY", StudyInstanceUID=study)

    remaining = [int(number) for number in re.findall(r"Remaining Suboperations +: (\d+)", said)]
    completed = [int(number) for number in re.findall(r"Completed Suboperations +: (\d+)", said)]
    # After the first at once, then no more often than somebody can read.
    assert remaining[0] == 4
    assert remaining == sorted(set(remaining), reverse=True)
    assert completed == [*(5 - number for number in remaining), 5]
    assert "Move Originator AE Title      : ASKER" in house.scp.said()
    assert re.search(r"Move Originator ID +: 1\b", house.scp.said())


# --- what does not go, and why ----------------------------------------------------------
REFUSALS = {
    "no level": (0xA900, "Query/Retrieve Level is missing", ["-k", "StudyInstanceUID=1.2.3"]),
    "wrong level": (0xA900, "none of this model", keys_of("PATIENT", PatientID="ANNA")),
    "no own key": (
        0xA900,
        "Study Instance UID is missing or empty",
        keys_of("STUDY", PatientID="ANNA"),
    ),
    "no key above": (
        0xA900,
        "Study Instance UID is missing",
        keys_of("SERIES", SeriesInstanceUID="1.2.3"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_identifier_that_does_not_fit_is_refused_in_words(house: House, case: str) -> None:
    status, words, keys = REFUSALS[case]
    said = run_movescu(house, keys)
    assert last(said)[0] == status
    assert words in said


@pytest.mark.parametrize("to", ["NOBODY", "SOUTH", "HOMELESS"])
def test_a_destination_that_is_not_known_here_is_a801(house: House, to: str) -> None:
    said = movescu(house, "PATIENT", root="-P", to=to, PatientID="ANNA")
    assert last(said)[0] == 0xA801
    assert house.scp.files() == []


def test_a_dead_destination_fails_all_and_names_each(house: House) -> None:
    study = house.stock.value("StudyInstanceUID", PatientID="BERT")[0]
    uids = house.stock.uids(StudyInstanceUID=study)

    said = movescu(house, "STUDY", to="DEAD", StudyInstanceUID=study)

    assert last(said) == (0xA702, {"Completed": 0, "Failed": len(uids), "Warning": 0})
    assert "connection refused" in said
    assert all(uid in said for uid in uids)


def test_what_belongs_to_another_facility_is_not_there(house: House, folder: Path) -> None:
    header = dcmread(next((house.port.home / "foreign").iterdir()))
    study = str(header.StudyInstanceUID)
    nothing = (0x0000, {"Completed": 0, "Failed": 0, "Warning": 0})
    assert last(movescu(house, "STUDY", StudyInstanceUID=study)) == nothing
    assert last(getscu(house, folder, "STUDY", StudyInstanceUID=study)) == nothing
    # Nor by the patient, whose ID both facilities use.
    movescu(house, "PATIENT", root="-P", PatientID="ANNA")
    assert house.foreign not in received(house.scp.folder)


def test_who_may_not_retrieve_gets_no_context(house: House) -> None:
    for calling in ("STORER", "STRANGER"):
        said = movescu(house, "PATIENT", root="-P", calling=calling, PatientID="ANNA")
        assert "No Acceptable Presentation Contexts" in said
    assert house.scp.files() == []


def test_a_peer_that_takes_no_jpeg_gets_the_decoded_pixels(house: House) -> None:
    said = movescu(house, "PATIENT", root="-P", PatientID="COLOUR")

    assert last(said) == (0x0000, {"Completed": 1, "Failed": 0, "Warning": 0})
    sent = dcmread(received(house.scp.folder)[house.compressed])
    assert sent.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE
    judged = house.port.home / "judged.dcm"
    stored = house.stock.files[house.compressed]
    subprocess.run(["dcmdjpeg", str(stored), str(judged)], check=True)
    truth = dcmread(judged)
    assert sent.PhotometricInterpretation == truth.PhotometricInterpretation == "RGB"
    difference = sent.pixel_array.astype(int) - truth.pixel_array.astype(int)
    # Two decoders of lossy JPEG may round differently, by a little.
    assert abs(difference).max() <= 3


def test_get_of_jpeg_depends_on_the_contexts_that_are_proposed(house: House, folder: Path) -> None:
    keys = {"PatientID": "COLOUR"}

    # JPEG and plain syntaxes in one context: what is sent must be one of them for all.
    said = getscu(house, folder, "PATIENT", "+xy", root="-P", **keys)
    assert last(said) == (0x0000, {"Completed": 1, "Failed": 0, "Warning": 0})
    sent = dcmread(received(folder)[house.compressed])
    assert sent.file_meta.TransferSyntaxUID == EXPLICIT_LITTLE

    # JPEG in a context of its own: as it is stored.
    came: dict[str, bytes] = {}

    def keep(incoming: Incoming) -> int:
        uid = incoming.command.uid(dimse.AFFECTED_SOP_INSTANCE_UID) or ""
        came[uid] = b"".join(bytes(piece) for piece in incoming.pieces)
        return 0x0000

    offers = [
        Offer(PATIENT_ROOT_GET),
        Offer(SECONDARY_CAPTURE, (JPEG_BASELINE,), as_scp=True),
        Offer(SECONDARY_CAPTURE, (EXPLICIT_LITTLE,), as_scp=True),
    ]
    target = Target(host="127.0.0.1", port=house.port.number, called_ae="NOCTIS_SCP")
    with Requestor(target, offers, calling_ae="ASKER") as peer:
        elements: dict[int, int | str | bytes] = {
            SOP_CLASS: PATIENT_ROOT_GET,
            FIELD: 0x0010,
            0x0700: 0,
        }
        identifier = Dataset()
        identifier.QueryRetrieveLevel, identifier.PatientID = "PATIENT", "COLOUR"
        context_id = peer.accepted[0]
        answer = peer.ask(context_id, elements, encode(identifier, IMPLICIT_LITTLE), serve=keep)
    assert answer.status == 0x0000
    assert came == {house.compressed: read_data_set(house.stock.files[house.compressed])}

    # No context for the class at all: counted as failed.
    with get_client(house, "PATIENT", **keys) as (client, _):
        answers = list(answers_of(client))
    assert [(one[STATUS], one[FAILED]) for one in answers] == [(0xA702, 1)]


# --- what DCMTK's programs cannot be made to do ------------------------------------------
def test_cancel_ends_a_move_with_what_remains(house: House) -> None:
    with house.port.client() as client:
        client.associate(context(1, PATIENT_ROOT_MOVE, IMPLICIT_LITTLE), calling=b"ASKER")
        ask(client, 1, PATIENT_ROOT_MOVE, 0x0021, QueryRetrieveLevel="PATIENT", PatientID="ANNA")
        client.send_command(1, {FIELD: C_CANCEL, RESPONDED_TO: 9, DATA_SET_TYPE: 0x0101})
        *pending, end = answers_of(client)
        client.release()
    assert end[STATUS] == 0xFE00
    assert end[REMAINING] > 0
    assert end[COMPLETED] + end[REMAINING] == 10
    assert len(house.scp.files()) == end[COMPLETED]
    assert [one[COMPLETED] + one[REMAINING] for one in pending] == [10] * len(pending)


def test_each_retrieval_leaves_an_audit_row(house: House) -> None:
    movescu(house, "PATIENT", root="-P", PatientID="BERT")
    with sqlite3.connect(house.port.home / "db.sqlite3") as database:
        rows = database.execute(
            "SELECT actor, outcome, study_instance_uid, detail FROM accounts_auditrow"
            " WHERE action = 'retrieve' AND patient_id = 'BERT' ORDER BY id DESC LIMIT 2"
        ).fetchall()
    detail = {"by": "C-MOVE", "to": "THERE", "instances": 5}
    assert [(*row[:2], json.loads(row[3])) for row in rows] == [("ASKER", "success", detail)] * 2
    assert sorted(row[2] for row in rows) == house.stock.value("StudyInstanceUID", PatientID="BERT")


# --- destinations that mean no good --------------------------------------------------------
@pytest.fixture
def destination(house: House) -> Iterator[Callable[..., Destination]]:
    """Return the function that makes the peer DEAD alive, behaving as it is told."""
    made: list[Destination] = []

    def make(*behaviours: str, **also: int) -> Destination:
        made.append(Destination(*behaviours, **also))
        with sqlite3.connect(house.port.home / "db.sqlite3") as database:
            database.execute(
                "UPDATE dicom_receiver_peer SET port = ?, timeout_seconds = 1"
                " WHERE ae_title = 'DEAD'",
                (made[-1].port,),
            )
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("how", ["aborts", "never stores", "tiny PDU"])
def test_a_destination_that_means_no_good_costs_bounded_time(
    house: House, destination: Callable[..., Destination], how: str
) -> None:
    bad = destination(how)
    began = time.monotonic()

    said = movescu(house, "PATIENT", root="-P", to="DEAD", PatientID="ANNA")

    assert last(said) == (0xA702, {"Completed": 0, "Failed": 10, "Warning": 0})
    assert time.monotonic() - began < 30
    assert bad.associations <= 4


def test_an_association_that_is_lost_is_opened_again_for_what_is_left(
    house: House, destination: Callable[..., Destination]
) -> None:
    moody = destination("aborts after two", "aborts after two", "well", max_pdu=0xFFFFFFFF)

    said = movescu(house, "PATIENT", root="-P", to="DEAD", PatientID="ANNA")

    assert last(said) == (0x0000, {"Completed": 10, "Failed": 0, "Warning": 0})
    assert sorted(moody.stored) == sorted(house.stock.uids(PatientID="ANNA"))
    assert moody.associations == 3


def test_warnings_and_failures_of_a_destination_are_counted_apart(
    house: House, destination: Callable[..., Destination]
) -> None:
    destination("warns of every second")
    said = movescu(house, "PATIENT", root="-P", to="DEAD", PatientID="ANNA")
    assert last(said) == (0xB000, {"Completed": 5, "Failed": 0, "Warning": 5})

    destination("refuses every second")
    said = movescu(house, "PATIENT", root="-P", to="DEAD", PatientID="ANNA")
    assert last(said) == (0xB000, {"Completed": 5, "Failed": 5, "Warning": 0})


def test_a_file_that_is_damaged_fails_alone(house: House) -> None:
    study = house.stock.value("StudyInstanceUID", PatientID="BERT")[1]
    uid = house.stock.value("SOPInstanceUID", StudyInstanceUID=study)[0]
    with sqlite3.connect(house.port.home / "db.sqlite3") as database:
        (key,) = database.execute(
            "SELECT storage_key FROM archive_instance WHERE sop_instance_uid = ?", (uid,)
        ).fetchone()
    path = house.port.home / "media" / key
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    try:
        said = movescu(house, "STUDY", StudyInstanceUID=study)
    finally:
        path.write_bytes(whole)
    assert last(said) == (0xB000, {"Completed": 4, "Failed": 1, "Warning": 0})
    assert "The file is damaged" in said
    assert_whole(house, house.scp.folder, house.stock.uids(StudyInstanceUID=study) - {uid})
