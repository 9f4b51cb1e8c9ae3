"""Associations that we ask for, with DCMTK and with hosts that mean no good (PS3.8 9)."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_receiver import limits
from dicom_receiver.contexts import VERIFICATION
from dicom_receiver.requestor import Offer, Part, Requestor, Target
from imaging.errors import PeerUnavailableError
from tests.conformance.dcmtk import Storescp, run_storescp
from tests.conformance.dimse import (
    CT_IMAGE_STORAGE,
    EXPLICIT_LITTLE,
    command_set,
    encode,
    p_data,
    pdv,
)
from tests.conformance.hosts import Behave, acceptance, host, pdu, read_pdu
from tests.conformance.test_dimse_store import make_ct, read_data_set

ECHO = Offer(VERIFICATION)
CT = Offer(CT_IMAGE_STORAGE, (EXPLICIT_LITTLE,))


@pytest.fixture(scope="module")
def storescp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storescp]:
    with run_storescp(tmp_path_factory.mktemp("storescp"), "--max-pdu", "4096") as running:
        yield running


def target(port: int, **also: object) -> Target:
    return Target(host="127.0.0.1", port=port, called_ae="STORESCP", **also)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 4084, 3_000_001])
def test_a_data_set_arrives_at_storescp_as_it_lies_in_the_file(
    storescp: Storescp, tmp_path: Path, size: int
) -> None:
    dataset = make_ct(PixelData=os.urandom(size + size % 2))
    data = encode(dataset)
    path = tmp_path / "file"
    path.write_bytes(b"in front" + data + b"behind")
    descriptor = os.open(path, os.O_RDONLY)

    with Requestor(target(storescp.port), [ECHO, CT]) as peer:
        context = peer.context_for(CT_IMAGE_STORAGE)
        assert context is not None
        answer = peer.store(
            context,
            str(dataset.SOPInstanceUID),
            Part(descriptor, 8, len(data)),
            move_originator=("SOMEBODY", 77),
        )

    os.close(descriptor)
    assert answer.status == 0
    received = storescp.folder / f"CT.{dataset.SOPInstanceUID}"
    assert read_data_set(received) == data
    assert "Move Originator AE Title      : SOMEBODY" in storescp.said()
    assert "Move Originator ID            : 77" in storescp.said()


def test_a_peer_that_takes_nothing_of_what_we_propose_is_said_so(storescp: Storescp) -> None:
    with pytest.raises(PeerUnavailableError) as refused:
        Requestor(target(storescp.port), [Offer("1.2.3.4")]).open()
    assert refused.value.trouble == "no context"
    assert "accepts none of the services that we propose" in str(refused.value)


def test_nobody_there_is_said_in_words() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with (
            pytest.raises(PeerUnavailableError) as refused,
            Requestor(target(closed.getsockname()[1]), [ECHO]),
        ):
            pass
    assert refused.value.trouble == "unreachable"
    assert "connection refused" in str(refused.value)


def test_speaks_tls_with_storescp(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-keyout", str(key), "-out", str(certificate), "-days", "2"),
            *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    data = encode(dataset := make_ct(PixelData=os.urandom(2_000_000)))
    path = tmp_path / "file"
    path.write_bytes(data)
    trusting = ssl.create_default_context(cafile=str(certificate))
    options = ("--enable-tls", str(key), str(certificate), "--ignore-peer-cert")
    with run_storescp(tmp_path, *options, is_tls=True) as scp, path.open("rb") as file:
        with Requestor(target(scp.port, tls=trusting), [CT, ECHO]) as peer:
            assert peer.echo() == 0
            part = Part(file.fileno(), 0, len(data))
            answer = peer.store(peer.accepted[0], str(dataset.SOPInstanceUID), part)
        assert answer.status == 0
        assert read_data_set(scp.folder / f"CT.{dataset.SOPInstanceUID}") == data

        with (
            pytest.raises(PeerUnavailableError) as refused,
            Requestor(target(scp.port, tls=ssl.create_default_context()), [ECHO]),
        ):
            pass
    assert refused.value.trouble == "tls"
    assert "certificate verify failed" in str(refused.value)


# --- hosts that mean no good --------------------------------------------------------


def says(*words: bytes) -> Behave:
    """Read the request, say this, and wait for what comes."""

    def behave(sock: socket.socket) -> None:
        read_pdu(sock)
        for word in words:
            sock.sendall(word)
        while sock.recv(65536):
            pass

    return behave


def answers_echo(*words: bytes) -> Behave:
    """Accept, and say this to whatever is asked."""

    def behave(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        read_pdu(sock)
        for word in words:
            sock.sendall(word)
        while sock.recv(65536):
            pass

    return behave


def hangs(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def response(message_id: int) -> bytes:
    elements = {0x0100: 0x8030, 0x0120: message_id, 0x0800: 0x0101, 0x0900: 0}
    return p_data(pdv(1, 3, command_set(elements)))


LONG_DATA = p_data(pdv(1, 0, bytes(16000))) * 70
WITH_DATA = p_data(pdv(1, 3, command_set({0x0100: 0x8030, 0x0120: 1, 0x0800: 0, 0x0900: 0xFF00})))

BEFORE_THERE_IS_AN_ASSOCIATION = {
    "hangs": (hangs, "timed out", "does not answer the association request"),
    "hangs up": (lambda sock: None, "lost", "hung up"),
    "web server": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "not dicom", "does not speak DICOM"),
    "giant": (says(pdu(2, b"", 0xFFFFFFFF)), "not dicom", "does not speak DICOM"),
    "endless": (says(pdu(2, bytes(500), 1000)), "timed out", "does not answer"),
    "nonsense": (says(pdu(2, bytes(68) + b"\x21\0\xff\xff")), "not dicom", "broken acceptance"),
    "wrong syntax": (says(acceptance(syntax="1.2.3")), "no context", "accepts none"),
    "wrong context": (says(acceptance(context_id=3)), "no context", "accepts none"),
    "tiny PDU": (says(acceptance(7)), "not dicom", "no PDU of a useful length"),
    "does not know us": (
        says(pdu(3, b"\0\1\1\3")),
        "rejected",
        "rejected permanently: it does not know our calling AE title",
    ),
    "is called otherwise": (
        says(pdu(3, b"\0\1\1\7")),
        "rejected",
        "rejected permanently: it does not know the called AE title",
    ),
    "is full": (
        says(pdu(3, b"\0\2\3\2")),
        "rejected",
        "rejected for now: its limit of associations is reached",
    ),
    "aborts": (says(pdu(7, b"\0\0\2\1")), "aborted", "it did not recognise a PDU"),
}

INSIDE_THE_ASSOCIATION = {
    "silent": (answers_echo(), "timed out", "idle too long"),
    "aborts": (answers_echo(pdu(7, b"\0\0\0\0")), "aborted", "aborted by the application"),
    "releases": (answers_echo(pdu(5, bytes(4))), "lost", "ended the association"),
    "giant PDU": (answers_echo(pdu(4, b"", 0x7FFFFFFF)), "not dicom", "longer than negotiated"),
    "to another request": (answers_echo(response(9)), "not dicom", "to another request"),
    "endless data set": (answers_echo(WITH_DATA, LONG_DATA), "not dicom", "too long"),
    "another context": (
        answers_echo(p_data(pdv(5, 3, command_set({0x0100: 0x8030})))),
        "not dicom",
        "context that was not accepted",
    ),
    "a request": (
        answers_echo(p_data(pdv(1, 3, command_set({0x0100: 0x0030, 0x0110: 1, 0x0800: 0x0101})))),
        "not dicom",
        "a request came instead of a response",
    ),
}


@pytest.mark.parametrize("case", BEFORE_THERE_IS_AN_ASSOCIATION)
def test_a_host_that_gives_no_association_is_left_in_time_and_words(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RELEASE_SECONDS", 0.3)
    behave, trouble, words = BEFORE_THERE_IS_AN_ASSOCIATION[case]
    began = time.monotonic()
    with host(behave) as port, pytest.raises(PeerUnavailableError) as refused:
        Requestor(target(port, connect_seconds=0.4), [ECHO]).open()
    assert (refused.value.trouble, words in str(refused.value)) == (trouble, True), refused.value
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("case", INSIDE_THE_ASSOCIATION)
def test_a_host_that_misbehaves_is_left_in_time_and_words(case: str) -> None:
    behave, trouble, words = INSIDE_THE_ASSOCIATION[case]
    with (
        host(behave) as port,
        pytest.raises(PeerUnavailableError) as refused,
        Requestor(target(port, answer_seconds=0.3), [ECHO]) as peer,
    ):
        peer.echo()
    assert (refused.value.trouble, words in str(refused.value)) == (trouble, True), refused.value


def test_a_host_that_takes_no_data_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SEND_SECONDS", 0.4)
    path = tmp_path / "file"
    path.write_bytes(bytes(20_000_000))
    stopped = threading.Event()

    def behave(sock: socket.socket) -> None:
        read_pdu(sock)
        sock.sendall(acceptance())
        stopped.wait(20)

    with (
        host(behave) as port,
        path.open("rb") as file,
        pytest.raises(PeerUnavailableError) as gone,
        Requestor(target(port), [Offer(CT_IMAGE_STORAGE)]) as peer,
    ):
        peer.store(peer.accepted[0], "1.2.3", Part(file.fileno(), 0, 20_000_000))
    stopped.set()
    assert "does not take what we send" in str(gone.value)
    assert gone.value.trouble == "lost"
