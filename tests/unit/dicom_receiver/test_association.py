"""What handlers may rely on: several answers, cancelling, and an end that is theirs to choose."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from dicom_receiver import limits
from dicom_receiver.association import Association, Handler, Request, Surroundings
from dicom_receiver.certificates import Certificate
from dicom_receiver.contexts import Service
from dicom_receiver.database import DatabaseThread
from dicom_receiver.peers import Caller, PeerDirectory
from dicom_receiver.statistics import Ledger
from dicom_receiver.wire import Stop
from imaging.errors import LimitExceededError
from tests.conformance.dimse import (
    C_CANCEL,
    C_ECHO,
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    MESSAGE_ID,
    RESPONDED_TO,
    SOP_CLASS,
    STATUS,
    VERIFICATION,
    AbortedError,
    Client,
    Elements,
    associate_rq,
    context,
    p_data,
)

Open = Callable[[Handler], Client]
REQUEST: Elements = {SOP_CLASS: VERIFICATION, FIELD: C_ECHO, MESSAGE_ID: 5, DATA_SET_TYPE: 0x101}
CANCEL: Elements = {FIELD: C_CANCEL, RESPONDED_TO: 5, DATA_SET_TYPE: 0x101}


class Everybody(PeerDirectory):
    """A directory that admits all."""

    def admit(self, ae_title: str, address: str, certificate: Certificate | None = None) -> Caller:
        return Caller(ae_title, address, None, frozenset(Service))


class Ours(Client):
    """A client on a socket pair: no port is needed."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(10)
        self.accepted = {}


@pytest.fixture
def stop() -> Stop:
    return Stop()


@pytest.fixture
def open_with(stop: Stop) -> Iterator[Open]:
    """Return the function that opens an association whose C-ECHO has this handler."""
    threads: list[threading.Thread] = []
    clients: list[Client] = []

    def open_association(handler: Handler) -> Client:
        listener = socket.create_server(("127.0.0.1", 0))
        client = Ours(socket.create_connection(listener.getsockname()))
        theirs, _ = listener.accept()
        listener.close()
        surroundings = Surroundings(Everybody(DatabaseThread()), Ledger(), stop)
        handlers = {(Service.ECHO, C_ECHO): handler}
        association = Association(theirs, "127.0.0.1", surroundings, handlers)
        body = associate_rq([context(1, VERIFICATION, EXPLICIT_LITTLE)])[6:]
        thread = threading.Thread(target=association.run, args=(body,), daemon=True)
        thread.start()
        threads.append(thread)
        clients.append(client)
        assert client.read_pdu()[0] == 2
        return client

    yield open_association
    for client in clients:
        client.sock.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_handler_may_answer_several_times_and_hears_of_a_cancel(open_with: Open) -> None:
    def count(request: Request) -> None:
        for _ in range(100_000):
            if request.is_cancelled():
                request.respond(0xFE00)
                return
            request.respond(0xFF00)

    client = open_with(count)
    client.send_command(1, REQUEST)
    first = client.read_response()
    client.send_command(1, CANCEL)
    while (last := client.read_response())[STATUS] == 0xFF00:
        pass

    assert (first[STATUS], last[STATUS], last[RESPONDED_TO]) == (0xFF00, 0xFE00, 5)


def test_cancel_that_comes_too_late_is_ignored(open_with: Open) -> None:
    client = open_with(lambda request: request.respond(0))
    client.send_command(1, CANCEL)

    assert client.echo() == 0


def test_request_before_the_answer_is_a_violation(open_with: Open) -> None:
    def wait(request: Request) -> None:
        while not request.is_cancelled():
            pass

    client = open_with(wait)
    client.send_command(1, REQUEST)
    client.send_command(1, REQUEST)

    with pytest.raises(AbortedError):
        client.read_pdu()


def test_handler_that_breaks_is_answered_for(open_with: Open) -> None:
    def fail(request: Request) -> None:
        raise ZeroDivisionError

    client = open_with(fail)

    assert client.echo() == 0x0110
    assert client.echo() == 0x0110


def test_association_that_waits_is_ended_when_we_stop(open_with: Open, stop: Stop) -> None:
    client = open_with(lambda request: request.respond(0))
    assert client.echo() == 0
    stop.at_pause.set()

    with pytest.raises(AbortedError):
        client.read_pdu()


def test_association_that_says_nothing_is_ended(
    open_with: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.2)
    client = open_with(lambda request: request.respond(0))

    with pytest.raises(AbortedError):
        client.read_pdu()


def test_pdu_that_drips_is_ended(open_with: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PDU_SECONDS", 0.2)
    client = open_with(lambda request: request.respond(0))
    client.send(p_data(bytes(100))[:20])

    with pytest.raises(AbortedError):
        client.read_pdu()


def test_message_that_trickles_in_whole_pdus_is_ended(
    open_with: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RATE_WINDOW_SECONDS", 0.3)
    client = open_with(lambda request: request.respond(0))
    ticking = threading.Event()

    def trickle() -> None:
        while not ticking.wait(0.05):
            client.send(p_data(b"\0\0\0\2\1\1"))

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(AbortedError):
            client.read_pdu()
    finally:
        ticking.set()
        thread.join()


def test_handler_reads_the_data_set_whole_and_answers_with_one(open_with: Open) -> None:
    def answer(request: Request) -> None:
        data = request.read_data_set(100_000)
        request.respond(0xFF00, data_set=data[::-1], elements={0x1020: 7, 0x1005: b"\x10\0\x20\0"})
        request.respond(0, comment="Done.", error_id=3)

    client = open_with(answer)
    sent = bytes(range(256)) * 300
    client.send_command(1, {**REQUEST, DATA_SET_TYPE: 0})
    client.send_data_set(1, sent, piece=1000)
    pending = client.read_response()
    came = b""
    while len(came) < len(sent):
        kind, body = client.read_pdu()
        assert (kind, body[5] & 1) == (4, 0)
        # No PDU is longer than this peer takes.
        assert len(body) <= 16384
        came += body[6:]
    last = client.read_response()

    assert came == sent[::-1]
    assert (pending[DATA_SET_TYPE], pending[0x1020], pending[0x1005]) == (
        0, b"\7\0", b"\x10\0\x20\0",
    )  # fmt: skip
    assert (last[DATA_SET_TYPE], last[STATUS], last[0x0903]) == (0x101, 0, b"\3\0")


def test_data_set_that_is_too_long_is_refused_and_the_association_goes_on(open_with: Open) -> None:
    def answer(request: Request) -> None:
        try:
            request.read_data_set(1000)
        except LimitExceededError:
            request.respond(0xC000)
            return
        request.respond(0)

    client = open_with(answer)
    client.send_command(1, {**REQUEST, DATA_SET_TYPE: 0})
    client.send_data_set(1, bytes(5000), piece=900)

    assert client.read_response()[STATUS] == 0xC000
    assert client.echo() == 0


def test_handler_that_breaks_after_a_pending_answer_is_answered_for(open_with: Open) -> None:
    def fail(request: Request) -> None:
        request.respond(0xFF00)
        raise ZeroDivisionError

    client = open_with(fail)
    client.send_command(1, REQUEST)

    assert client.read_response()[STATUS] == 0xFF00
    assert client.read_response()[STATUS] == 0x0110
