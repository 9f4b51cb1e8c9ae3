"""Light DICOM clients that retrieve: what they cost is next to nothing, and the same for all."""

from __future__ import annotations

import multiprocessing as mp
import socket
import struct
import time
from multiprocessing.process import BaseProcess
from multiprocessing.sharedctypes import Synchronized

from tests.conformance.destination import Destination, read_pdu
from tests.conformance.dimse import associate_rq, command_set, context, item, p_data, pdv

STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
IMPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
CALLING = b"BENCH"
SINK = "SINK"
MAX_PDU_BYTES = 131_072
_MOVE, _GET, _STORE = 0x0021, 0x0010, 0x0001


class Sink:
    """The destination of C-MOVE, in a process of its own: takes everything, keeps nothing."""

    def __init__(self, port: int) -> None:
        self._count: Synchronized[int] = mp.Value("L", 0)
        self._ready = mp.Event()
        self._process: BaseProcess = mp.Process(
            target=_take, args=(port, self._count, self._ready), daemon=True
        )
        self._process.start()
        self._ready.wait(20)

    @property
    def count(self) -> int:
        """How many instances have come so far."""
        return self._count.value

    def wait_for(self, count: int) -> int:
        """Wait until so many have come, for a second at most; return how many it are."""
        deadline = time.monotonic() + 1
        while self.count < count and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.count

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def _take(port: int, count: Synchronized[int], ready: mp.synchronize.Event) -> None:
    destination = Destination("well", max_pdu=MAX_PDU_BYTES, port=port)
    ready.set()
    while True:
        time.sleep(0.02)
        count.value = len(destination.stored)


def move_study(port: int, called: str, study_instance_uid: str) -> tuple[int, int]:
    """Ask for a study by C-MOVE; return final status and completed sub-operations."""
    with _associate(port, called, STUDY_ROOT_MOVE) as sock:
        _ask(sock, STUDY_ROOT_MOVE, _MOVE, study_instance_uid)
        while True:
            _, body = read_pdu(sock)
            found = _elements(body[6:])
            if found[0x0900] != 0xFF00:
                return found[0x0900], found.get(0x1021, 0)


def get_study(
    port: int, called: str, study_instance_uid: str, sop_class: str
) -> tuple[int, int, int]:
    """Ask for a study by C-GET; return final status, instances and bytes that came."""
    role = item(0x54, struct.pack(">H", len(sop_class)) + sop_class.encode() + b"\0\1")
    storage = context(3, sop_class, EXPLICIT_LITTLE_ENDIAN)
    count = size_bytes = 0
    command: dict[int, int] = {}
    with _associate(port, called, STUDY_ROOT_GET, storage, user_items=role) as sock:
        _ask(sock, STUDY_ROOT_GET, _GET, study_instance_uid)
        while True:
            _, body = read_pdu(sock)
            offset = 0
            while offset < len(body):
                length, context_id, control = struct.unpack_from(">IBB", body, offset)
                if control & 1:
                    command = _elements(body[offset + 6 : offset + 4 + length])
                    if command[0x0100] == 0x8000 | _GET and command[0x0900] != 0xFF00:
                        return command[0x0900], count, size_bytes
                else:
                    size_bytes += length - 2
                    if control & 2:
                        count += 1
                        answer = {
                            0x0100: 0x8000 | _STORE,
                            0x0120: command[0x0110],
                            0x0800: 0x0101,
                            0x0900: 0,
                        }
                        sock.sendall(p_data(pdv(context_id, 3, command_set(answer))))
                offset += 4 + length


def _associate(
    port: int, called: str, sop_class: str, *contexts: bytes, user_items: bytes = b""
) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=300)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.sendall(
        associate_rq(
            [context(1, sop_class, IMPLICIT_LITTLE_ENDIAN), *contexts],
            called=called.encode(),
            calling=CALLING,
            max_pdu=MAX_PDU_BYTES,
            user_items=user_items,
        )
    )
    kind, body = read_pdu(sock)
    if kind != 2:
        raise RuntimeError(f"{called} does not accept: {body.hex()}")
    return sock


def _ask(sock: socket.socket, sop_class: str, field: int, study_instance_uid: str) -> None:
    elements: dict[int, int | str | bytes] = {
        0x0002: sop_class,
        0x0100: field,
        0x0110: 1,
        0x0700: 0,
        0x0800: 0,
    }
    if field == _MOVE:
        elements[0x0600] = SINK.ljust(len(SINK) + len(SINK) % 2)
    uid = study_instance_uid.encode()
    uid += b"\0" * (len(uid) % 2)
    identifier = struct.pack("<HHI", 0x0008, 0x0052, 6) + b"STUDY "
    identifier += struct.pack("<HHI", 0x0020, 0x000D, len(uid)) + uid
    sock.sendall(p_data(pdv(1, 3, command_set(elements))) + p_data(pdv(1, 2, identifier)))


def _elements(data: bytes) -> dict[int, int]:
    """Return the numbers of a command set."""
    found, offset = {}, 0
    while offset + 8 <= len(data):
        _, number, length = struct.unpack_from("<HHI", data, offset)
        if length == 2:
            (found[number],) = struct.unpack_from("<H", data, offset + 8)
        offset += 8 + length
    return found
