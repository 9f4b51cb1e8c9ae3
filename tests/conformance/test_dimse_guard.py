"""The port under attack: every case ends by itself, and others are served meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from archive.models import Instance
from dicom_receiver import limits
from tests.conformance.conftest import HASTY, StartPort
from tests.conformance.dimse import (
    CT_IMAGE_STORAGE,
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    MESSAGE_ID,
    SOP_CLASS,
    STATUS,
    VERIFICATION,
    AbortedError,
    Client,
    ClosedError,
    associate_rq,
    command_set,
    context,
    encode,
    item,
    p_data,
    pdv,
    store_command,
)
from tests.conformance.port import Port, is_alive, memory_bytes, wait_for
from tests.conformance.test_dimse_store import make_ct
from tests.hasty.apps import DRAIN_SECONDS

ECHO = context(1, VERIFICATION, EXPLICIT_LITTLE)
CT = context(1, CT_IMAGE_STORAGE, EXPLICIT_LITTLE)
MIB = 1024 * 1024
LONGEST = 0xFFFFFFFF


def hear_out(sock: socket.socket, seconds: float = 15.0) -> bytes:
    """Return everything that comes until the other side ends the connection."""
    sock.settimeout(seconds)
    heard = b""
    with suppress(ConnectionError):
        while piece := sock.recv(65536):
            heard += piece
    return heard


# --- before an association -----------------------------------------------------
NOISE = {
    "http": b"GET / HTTP/1.1\r\nHost: pacs\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "noise": bytes(reversed(range(16, 256))) * 40,
    "zeros": bytes(100_000),
    "four gigabytes": struct.pack(">BBI", 1, 0, LONGEST) + b"x" * 100,
    "a little too long": struct.pack(">BBI", 1, 0, MIB + 1) + b"x" * 100,
    "too short": struct.pack(">BBI", 1, 0, 10) + b"x" * 10,
}


@pytest.mark.parametrize("name", NOISE)
def test_what_is_not_a_request_gets_no_answer(shared_port: Port, name: str) -> None:
    with shared_port.client() as client:
        with suppress(ConnectionError):
            client.send(NOISE[name])
        heard = hear_out(client.sock)

    assert heard in {b"", bytes([7, 0, 0, 0, 0, 4, 0, 0, 2, 2])}
    assert shared_port.echoes()


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6, 7])
def test_other_pdu_before_the_request_is_aborted(shared_port: Port, kind: int) -> None:
    with shared_port.client() as client:
        client.send(struct.pack(">BBI", kind, 0, 4) + bytes(4))
        assert hear_out(client.sock)[:1] in {b"", b"\x07"}
    assert shared_port.echoes()


def broken_requests() -> dict[str, bytes]:
    """Return association requests of which every length or number is a lie."""
    many = [context(2 * i + 1, VERIFICATION, EXPLICIT_LITTLE) for i in range(128)]
    fixed = associate_rq([])[6:74]

    def request(items: bytes) -> bytes:
        return struct.pack(">BBI", 1, 0, len(fixed + items)) + fixed + items

    application = item(0x10, b"1.2.840.10008.3.1.1.1")
    return {
        "item longer than the request": request(application + b"\x20\x00\xff\xff\x01"),
        "sub-item longer than its item": request(
            application + item(0x20, b"\x01\0\0\0\x30\0\xff\xf0x")
        ),
        "header cut short": request(application + b"\x20\x00"),
        "context cut short": request(application + item(0x20, b"\x01")),
        "even context id": associate_rq([context(2, VERIFICATION, EXPLICIT_LITTLE)]),
        "context id twice": associate_rq([ECHO, ECHO]),
        "129 contexts": associate_rq([*many, context(254, VERIFICATION, EXPLICIT_LITTLE)]),
        "a million bytes of empty items": request(application + item(0x60, b"") * 200_000),
        "role that ends early": associate_rq([ECHO], user_items=item(0x54, b"\x00\xff1.2")),
    }


@pytest.mark.parametrize("name", broken_requests())
def test_request_that_lies_is_aborted(shared_port: Port, name: str) -> None:
    with shared_port.client() as client:
        client.send(broken_requests()[name])
        with pytest.raises(AbortedError) as abort:
            client.read_pdu()

    assert abort.value.args == (2, 6)
    assert shared_port.echoes()
    assert "Traceback" not in shared_port.said()


def test_request_in_single_bytes_is_heard_when_it_comes_in_time(shared_port: Port) -> None:
    with shared_port.client() as client:
        for byte in associate_rq([ECHO]):
            client.send(bytes([byte]))
        assert client.read_pdu()[0] == 2


def test_idle_connections_keep_nobody_out_and_cost_no_thread(shared_port: Port) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    pids = [shared_port.pid, *shared_port.children()]
    threads = sum(count_threads(pid) for pid in pids)
    before = memory_bytes(shared_port.pid)
    with ExitStack() as idle:
        for _ in range(1_000):
            idle.enter_context(Client(shared_port.number))
        began = time.monotonic()
        assert all(shared_port.echoes() for _ in range(5))
        assert time.monotonic() - began < 5
        assert count_descriptors(shared_port.pid) < 700
        wait_for(lambda: sum(count_threads(pid) for pid in pids) <= threads)
    wait_for(lambda: count_descriptors(shared_port.pid) < 60)
    assert memory_bytes(shared_port.pid) - before < 64 * MIB


def test_flood_of_connections_keeps_nobody_out(shared_port: Port) -> None:
    began = time.monotonic()
    for number in range(5_000):
        Client(shared_port.number).sock.close()
        if number % 1000 == 0:
            assert shared_port.echoes()
    assert shared_port.echoes()
    assert time.monotonic() - began < 60


def test_many_long_requests_that_never_end_cost_bounded_memory(shared_port: Port) -> None:
    before = memory_bytes(shared_port.pid)
    beginning = struct.pack(">BBI", 1, 0, MIB) + bytes(MIB - 1000)
    with ExitStack() as held:
        for _ in range(100):
            client = held.enter_context(Client(shared_port.number))
            with suppress(ConnectionError):
                client.send(beginning)
        assert shared_port.echoes()
    assert memory_bytes(shared_port.pid) - before < 64 * MIB


# --- inside an association -------------------------------------------------------
def end_command(data: bytes) -> bytes:
    return p_data(pdv(1, 3, data))


STORE = command_set(store_command(CT_IMAGE_STORAGE, "1.2.3.4"))
VIOLATIONS = {
    "PDU of four gigabytes": (struct.pack(">BBI", 4, 0, LONGEST), 6),
    "PDU a little longer than negotiated": (struct.pack(">BBI", 4, 0, 131073), 6),
    "PDV of four gigabytes": (struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", LONGEST, 1, 3), 6),
    "PDV longer than its PDU": (struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", 9, 1, 3), 6),
    "PDV shorter than its header": (struct.pack(">BBI", 4, 0, 6) + struct.pack(">IBB", 1, 1, 3), 6),
    "PDV cut short": (struct.pack(">BBI", 4, 0, 3) + b"\0\0\0", 6),
    "context that was not accepted": (p_data(pdv(99, 3, STORE)), 6),
    "data set without a command": (p_data(pdv(1, 2, b"data")), 2),
    "second request": (associate_rq([CT]), 2),
    "acceptance": (struct.pack(">BBI", 2, 0, 68) + bytes(68), 2),
    "unknown PDU": (struct.pack(">BBI", 9, 0, 4) + bytes(4), 1),
    "release of a wrong length": (struct.pack(">BBI", 5, 0, 0x00FFFFFF), 2),
    "command of 70,000 bytes": (p_data(pdv(1, 1, bytes(35_000))) * 2, 6),
    "command with an element of four gigabytes": (
        end_command(struct.pack("<HHI", 0, 0x100, LONGEST)),
        0,
    ),
    "command of another group": (end_command(struct.pack("<HHI", 8, 0x18, 2) + b"1\0"), 0),
    "command without a command field": (end_command(command_set({MESSAGE_ID: 1})), 0),
    "command without a message id": (
        end_command(command_set({FIELD: 0x30, DATA_SET_TYPE: 0x101, SOP_CLASS: VERIFICATION})),
        0,
    ),
    "element twice": (end_command(STORE + STORE), 0),
    "answer that nobody asked for": (
        end_command(command_set({FIELD: 0x8001, STATUS: 0, DATA_SET_TYPE: 0x101})),
        0,
    ),
    "command inside a data set": (end_command(STORE) + end_command(STORE), 2),
    "data set on another context": (end_command(STORE) + p_data(pdv(3, 2, b"data")), 2),
}


@pytest.mark.parametrize("name", VIOLATIONS)
def test_violation_is_aborted_for_its_reason(shared_port: Port, name: str) -> None:
    data, reason = VIOLATIONS[name]
    with shared_port.client() as client:
        client.associate(CT, context(3, CT_IMAGE_STORAGE, EXPLICIT_LITTLE))
        client.send(data)
        with pytest.raises(AbortedError) as abort:
            client.read_pdu()

    assert abort.value.args == (2, reason)
    assert shared_port.echoes()
    assert "Traceback" not in shared_port.said()
    wait_for(lambda: not shared_port.media_files())


def test_claimed_lengths_are_not_allocated(shared_port: Port) -> None:
    before = {pid: memory_bytes(pid) for pid in shared_port.children()}
    for name in ("PDU of four gigabytes", "PDV of four gigabytes"):
        with shared_port.client() as client:
            client.associate(CT)
            client.send(VIOLATIONS[name][0])
            with suppress(AbortedError, ClosedError):
                client.read_pdu()
    assert max(memory_bytes(pid) - before[pid] for pid in before) < 16 * MIB


def test_empty_fragments_and_tiny_pieces_are_taken(shared_port: Port) -> None:
    command = command_set(
        {SOP_CLASS: VERIFICATION, FIELD: 0x30, MESSAGE_ID: 1, DATA_SET_TYPE: 0x101}
    )
    with shared_port.client() as client:
        client.associate(ECHO)
        client.send(p_data())
        client.send(p_data(pdv(1, 1, b""), pdv(1, 1, b"")))
        for byte in command:
            client.send(p_data(pdv(1, 1, bytes([byte]))))
        client.send(p_data(pdv(1, 3, b"")))
        assert client.read_response()[STATUS] == 0


def test_peer_that_does_not_read_holds_nobody_up(shared_port: Port) -> None:
    """A sender floods requests and never takes an answer; the others do not notice."""
    one = p_data(
        pdv(
            1,
            3,
            command_set(
                {SOP_CLASS: VERIFICATION, FIELD: 0x30, MESSAGE_ID: 1, DATA_SET_TYPE: 0x101}
            ),
        )
    )
    with shared_port.client() as client:
        client.associate(ECHO)
        client.sock.settimeout(1)
        with suppress(TimeoutError):
            for _ in range(2_000):
                client.send(one * 50)
        assert all(shared_port.echoes() for _ in range(4))


# --- processes that end ------------------------------------------------------------
def test_child_that_dies_is_started_again_and_all_end_with_the_parent(port: Port) -> None:
    first, second = port.children()
    clients = [port.client().associate(ECHO) for _ in range(2)]

    os.kill(first, signal.SIGKILL)

    alive = [client for client in clients if answers(client)]
    assert len(alive) == 1
    assert port.echoes()
    wait_for(lambda: port.said().count(" serves") >= 3, 30)
    assert second in port.children()
    assert first not in port.children()
    for client in clients:
        client.sock.close()
    with ExitStack() as opened:
        held = [opened.enter_context(port.client().associate(ECHO)) for _ in range(4)]
        assert all(client.echo() == 0 for client in held)

    children = port.children()
    os.kill(port.pid, signal.SIGKILL)
    wait_for(lambda: not any(is_alive(pid) for pid in children), 25)


def answers(client: Client) -> bool:
    with suppress(ClosedError, AbortedError, ConnectionError):
        return client.echo() == 0
    return False


def test_order_to_stop_lets_the_object_in_flight_finish(port: Port) -> None:
    dataset = make_ct()
    data = encode(dataset)
    idle = port.client().associate(ECHO)
    with port.client() as client:
        client.associate(CT)
        client.send_command(1, store_command(CT_IMAGE_STORAGE, str(dataset.SOPInstanceUID)))
        client.send(p_data(pdv(1, 0, data[:100])))
        wait_for(port.media_files)
        os.kill(port.pid, signal.SIGTERM)
        with pytest.raises((AbortedError, ClosedError)):
            idle.read_pdu()
        with pytest.raises(ConnectionRefusedError):
            wait_for(lambda: port.client().sock.close() is not None)
        client.send(p_data(pdv(1, 2, data[100:])))
        answer = client.read_response()
        with pytest.raises((AbortedError, ClosedError)):
            client.read_pdu()
    idle.sock.close()

    code, seconds = port.end(signal.SIGCONT)
    assert answer[STATUS] == 0
    assert Instance.objects.get().sop_instance_uid == dataset.SOPInstanceUID
    assert (code, seconds < 25) == (0, True)


def test_order_to_stop_does_not_wait_for_a_sender_that_sleeps(start_port: StartPort) -> None:
    port = start_port(**HASTY)
    with port.client() as client:
        client.associate(CT)
        client.send_command(1, store_command(CT_IMAGE_STORAGE, "1.2.3.4"))
        client.send(p_data(pdv(1, 0, bytes(1000))))
        wait_for(port.media_files)
        code, seconds = port.end(signal.SIGINT)

    assert code == 0
    assert DRAIN_SECONDS < seconds < DRAIN_SECONDS + 5
    # The whole house has to be gone within 30 seconds.
    assert limits.DRAIN_SECONDS < limits.STOP_SECONDS < 25
    assert not port.media_files()
    assert not Instance.objects.exists()


def test_taken_port_is_said_in_one_sentence(shared_port: Port, tmp_path: Path) -> None:
    second = Port(tmp_path, DATABASE_URL="")
    second.number = shared_port.number

    assert second.launch().wait(30) == 1

    said = second.said().strip()
    assert said == f"The DICOM port 127.0.0.1:{shared_port.number} is taken by another program."


@pytest.mark.dcmtk
def test_echoscu_is_answered_beside_all_that(shared_port: Port) -> None:
    with ExitStack() as idle:
        for noise in NOISE.values():
            client = idle.enter_context(Client(shared_port.number))
            with suppress(ConnectionError):
                client.send(noise)
        subprocess.run(
            ["echoscu", "-to", "5", "-aec", "NOCTIS_SCP", "localhost", str(shared_port.number)],
            check=True,
            timeout=10,
        )


def count_threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def count_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_requests_wait_while_no_process_is_ready_and_not_without_end(
    start_port: StartPort,
) -> None:
    port = start_port(NOCTIS_MAX_ASSOCIATIONS="4", NOCTIS_MAX_ASSOCIATIONS_PER_ADDRESS="4")
    for pid in port.children():
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: port.said().count("it is started again") == 2)
    with ExitStack() as opened:
        clients = [opened.enter_context(port.client()) for _ in range(6)]
        for client in clients:
            client.send(associate_rq([ECHO]))
        answers_now = [heard_first(client) for client in clients]

    assert sorted(answers_now) == [2, 2, 2, 2, 3, 3]


def heard_first(client: Client) -> int:
    """Return the type of the PDU that comes first."""
    return client.read(6)[0]
