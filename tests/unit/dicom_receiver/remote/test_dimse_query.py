"""Questions to DIMSE peers that answer well, badly, or with intent (PS3.4 C.4.1)."""

from __future__ import annotations

import itertools
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from pydicom import Dataset

from dicom_receiver import limits
from dicom_receiver.models import Peer
from dicom_receiver.remote.answers import ANSWERS_LIMIT, Question
from dicom_receiver.remote.dimse_query import find_studies
from imaging.errors import PeerUnavailableError
from tests.conformance.dimse import EXPLICIT_LITTLE, command_set, encode, p_data, pdv
from tests.conformance.hosts import Behave, acceptance, host, pdu, read_pdu

ANNA = Question(patient_name="miller an", patient_id="17*")
PENDING, SUCCESS, CANCELLED = 0xFF00, 0x0000, 0xFE00
PIECE = 16_000


@pytest.fixture(autouse=True)
def short_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GOODBYE_SECONDS", 0.2)


def make_peer(port: int, seconds: float) -> Peer:
    """Return a peer of which each answer is waited for so long, all answers four times that."""
    return Peer(ae_title="THERE", host="127.0.0.1", port=port, timeout_seconds=seconds)


def says(status: int, data: bytes = b"", comment: str = "", message_id: int = 1) -> bytes:
    """Return a C-FIND response as PDUs."""
    elements: dict[int, int | str | bytes] = {
        0x0100: 0x8020,
        0x0120: message_id,
        0x0800: 0 if data else 0x0101,
        0x0900: status,
    }
    if comment:
        elements[0x0902] = comment
    pieces = [data[begin : begin + PIECE] for begin in range(0, len(data), PIECE)]
    sent = [p_data(pdv(1, 3, command_set(elements)))]
    sent += [p_data(pdv(1, 2 * (piece is pieces[-1]), piece)) for piece in pieces]
    return b"".join(sent)


def study(uid: str, **also: object) -> bytes:
    dataset = Dataset()
    dataset.StudyInstanceUID = uid
    for keyword, value in also.items():
        setattr(dataset, keyword, value)
    return encode(dataset)


def answers(words: Callable[[], Iterator[bytes]], heard: list[bytes] | None = None) -> Behave:
    """Accept, hear the question, say these words; keep what is heard then."""

    def behave(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(acceptance(syntax=EXPLICIT_LITTLE))
        while read_pdu(sock)[1][5] != 2:
            pass
        with suppress(OSError):
            for word in words():
                sock.sendall(word)
        while data := sock.recv(65536):
            if heard is not None:
                heard.append(data)

    return behave


def element(tag: int, vr: bytes, length: int, value: bytes = b"") -> bytes:
    """Return an explicit element that claims this length."""
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    is_long = vr in {b"SQ", b"OB", b"UN"}
    return head + (struct.pack("<HI", 0, length) if is_long else struct.pack("<H", length)) + value


def nested(depth: int) -> bytes:
    """Return a sequence in a sequence, so deep."""
    inside = b""
    for _ in range(depth):
        item = struct.pack("<HHI", 0xFFFE, 0xE000, len(inside)) + inside
        inside = element(0x00081199, b"SQ", len(item), item)
    return inside


def drips() -> Iterator[bytes]:
    """Begin an answer and never end it, a byte at a time, each in a PDU of its own."""
    yield p_data(pdv(1, 3, command_set({0x0100: 0x8020, 0x0120: 1, 0x0800: 0, 0x0900: PENDING})))
    while True:
        yield p_data(pdv(1, 0, b"\0"))
        time.sleep(0.02)


def trickles() -> Iterator[bytes]:
    """Say slowly and for ever that there is more to come."""
    while True:
        yield says(PENDING)
        time.sleep(0.02)


def once(*words: bytes) -> Callable[[], Iterator[bytes]]:
    return lambda: iter(words)


MANY = b"".join(element(0x00090000 + n, b"LO", 2, b"ab") for n in range(0x1000, 0x3000))
IMPLICIT = struct.pack("<HHI", 0x0020, 0x000D, 6) + b"1.2.3\0"
HOSTILE: dict[str, tuple[Callable[[], Iterator[bytes]], str, str]] = {
    "drip": (drips, "timed out", "without an end"),
    "nothing but more to come": (trickles, "timed out", "without an end"),
    "silence": (once(), "timed out", "too slow"),
    "deep nesting": (once(says(PENDING, nested(50))), "not dicom", "cannot be read"),
    "many elements": (once(says(PENDING, MANY)), "not dicom", "cannot be read"),
    "long element": (
        once(says(PENDING, element(0x00100010, b"UN", 0x7FFFFFFF, b"x"))),
        "not dicom",
        "cannot be read",
    ),
    "cut off": (once(says(PENDING, study("1.2.3")[:-2])), "not dicom", "cannot be read"),
    "pixels": (
        once(says(PENDING, element(0x7FE00010, b"OB", 0xFFFFFFFF))),
        "not dicom",
        "cannot be read",
    ),
    "noise": (once(says(PENDING, bytes(range(256)) * 10)), "not dicom", "cannot be read"),
    "long answer": (once(says(PENDING, bytes(2 << 20))), "not dicom", "too long"),
    "long PDU": (once(pdu(4, b"", 0xFFFFFFF0)), "not dicom", "longer than negotiated"),
    "other question": (once(says(SUCCESS, message_id=9)), "not dicom", "to another request"),
    "no status": (
        once(p_data(pdv(1, 3, command_set({0x0100: 0x8020, 0x0120: 1, 0x0800: 0x0101})))),
        "not dicom",
        "no status",
    ),
    "refusal": (
        once(says(0xA700, comment="Out of \x1b[31mresources")),
        "refused",
        "A700H Out of ?[31mresources",
    ),
    "unheard-of status": (once(says(0x1234)), "refused", "1234H"),
    "answer after the end": (
        once(says(PENDING, study("1.2.3")), pdu(5, bytes(4))),
        "lost",
        "ended the association",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_who_answers_with_intent_is_left_in_time_and_words(case: str) -> None:
    words, trouble, said = HOSTILE[case]
    began = time.monotonic()
    with host(answers(words)) as port, pytest.raises(PeerUnavailableError) as left:
        find_studies(make_peer(port, 0.4), ANNA)
    assert (left.value.trouble, said in str(left.value)) == (trouble, True), left.value
    assert "THERE" in str(left.value)
    assert "\x1b" not in str(left.value)
    assert time.monotonic() - began < 15


@pytest.mark.parametrize("is_repeated", [False, True], ids=["new", "the same"])
def test_answers_without_an_end_are_cut(is_repeated: bool) -> None:
    numbers = itertools.repeat(1) if is_repeated else itertools.count(1)

    def endless() -> Iterator[bytes]:
        for number in numbers:
            yield says(PENDING, study(f"1.2.{number}", PatientName="x" * 60))

    with host(answers(endless)) as port:
        found = find_studies(make_peer(port, 30), ANNA)
    assert found.is_cut
    assert len(found.rows) == (1 if is_repeated else ANSWERS_LIMIT)


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
def test_an_honest_answer_is_read_and_what_is_too_much_is_called_off() -> None:
    heard: list[bytes] = []
    name = "Müller^Änne"
    rows = [
        study(f"1.2.{n}", SpecificCharacterSet="ISO_IR 100", PatientName=name, StudyDate="20240305")
        for n in range(ANSWERS_LIMIT + 1)
    ]
    # Some archives keep to another syntax than they agreed on: what is sure is read.
    strange = [IMPLICIT, study("../../etc"), study("", PatientName=name)]
    sent = [says(PENDING, row) for row in (*strange, *rows)]
    with host(answers(once(*sent), heard)) as port:
        found = find_studies(make_peer(port, 30), ANNA)
        deadline = time.monotonic() + 10
        while not re.search(rb"\xff\x0f", b"".join(heard)):
            assert time.monotonic() < deadline, "no C-CANCEL came"
            time.sleep(0.01)
    assert (len(found.rows), found.is_cut, found.unusable) == (ANSWERS_LIMIT, True, 2)
    assert found.rows[0].uid == "1.2.3"
    assert found.rows[1].patient_name == name
    assert found.rows[1].day == "2024-03-05"
