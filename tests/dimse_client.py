"""A light C-STORE client on a bare socket (PS3.7, PS3.8), for benchmarks and fault tests.

Its PDUs are built once and only their UIDs change, so that it costs next to
nothing and shares no code with the receiver that it measures. It answers
for nothing but its own use: one context, no checks of the peer's manners.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_CONTEXT_ID = 1
_HEADER = struct.Struct(">BBL")


class PeerError(Exception):
    """The other side refused, aborted, hung up or said what was not due."""


@dataclass(frozen=True)
class Answer:
    """One C-STORE-RSP: what was said of which instance."""

    status: int
    sop_instance_uid: str


class Association:
    """An accepted association with one presentation context."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        called: str = "NOCTIS_SCP",
        calling: str = "LIGHT_SCU",
        sop_class_uid: str = CT_IMAGE_STORAGE,
        transfer_syntax_uid: str = EXPLICIT_LITTLE_ENDIAN,
        max_pdu_bytes: int = 131_072,
        timeout_s: float = 30.0,
    ) -> None:
        self._socket = socket.create_connection(address, timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = b""
        request = _associate_request(called, calling, sop_class_uid, transfer_syntax_uid)
        self._socket.sendall(request)
        kind, body = self._read_pdu()
        if kind != 0x02:
            raise PeerError(f"not accepted: PDU {kind:02X}H {body[:4].hex()}")
        theirs = _accepted_max_pdu(body)
        self.max_pdu_bytes = min(theirs, max_pdu_bytes) if theirs else max_pdu_bytes

    def wait_longer(self, seconds: float) -> None:
        """Set how long an answer may take."""
        self._socket.settimeout(seconds)

    def send(self, message: bytes | bytearray | memoryview) -> None:
        """Send PDUs as they are."""
        self._socket.sendall(message)

    def read_answer(self) -> Answer:
        """Return the next C-STORE-RSP."""
        command = b""
        while True:
            kind, body = self._read_pdu()
            if kind != 0x04:
                raise PeerError(f"PDU {kind:02X}H instead of an answer")
            command += body[6:]
            if body[5] & 2:
                return _parse_answer(command)

    def store(self, message: bytes | bytearray | memoryview) -> Answer:
        """Send one C-STORE-RQ and wait for its answer."""
        self.send(message)
        return self.read_answer()

    def release(self) -> None:
        """End the association in order."""
        self._socket.sendall(_HEADER.pack(0x05, 0, 4) + bytes(4))
        kind, _ = self._read_pdu()
        self.close()
        if kind != 0x06:
            raise PeerError(f"PDU {kind:02X}H instead of the release")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _read_pdu(self) -> tuple[int, bytes]:
        kind, _, length = _HEADER.unpack(self._read(_HEADER.size))
        return kind, self._read(length)

    def _read(self, count: int) -> bytes:
        while len(self._received) < count:
            piece = self._socket.recv(65_536)
            if not piece:
                raise PeerError("the other side hung up")
            self._received += piece
        wanted, self._received = self._received[:count], self._received[count:]
        return wanted


class StoreMessage:
    """A C-STORE-RQ with its data set as PDUs; the SOP Instance UID can be changed in place."""

    def __init__(
        self, sop_class_uid: str, sop_instance_uid: str, data_set: bytes, max_pdu_bytes: int
    ) -> None:
        old = sop_instance_uid.encode()
        command = _store_command(sop_class_uid, sop_instance_uid)
        out = bytearray(_pdv(command, is_command=True, is_last=True))
        step = max_pdu_bytes - 6
        for begin in range(0, len(data_set), step):
            is_last = begin + step >= len(data_set)
            out += _pdv(data_set[begin : begin + step], is_command=False, is_last=is_last)
        self.data = out
        self._old = old
        self._places = [out.find(old)]
        while (place := out.find(old, self._places[-1] + 1)) >= 0:
            self._places.append(place)

    def for_instance(self, sop_instance_uid: str) -> bytearray:
        """Return the PDUs with another UID of the same length; the same buffer each time."""
        new = sop_instance_uid.encode()
        if len(new) != len(self._old):
            raise ValueError("the UID must have the length of the first one")
        for place in self._places:
            self.data[place : place + len(new)] = new
        return self.data


def _associate_request(called: str, calling: str, sop_class: str, transfer_syntax: str) -> bytes:
    context = _item(
        0x20,
        bytes([_CONTEXT_ID, 0, 0, 0])
        + _item(0x30, sop_class.encode())
        + _item(0x40, transfer_syntax.encode()),
    )
    user = _item(
        0x50,
        _item(0x51, struct.pack(">L", 131_072)) + _item(0x52, b"1.2.826.0.1.3680043.10.1714.9"),
    )
    titles = called.ljust(16).encode() + calling.ljust(16).encode()
    body = b"\x00\x01\x00\x00" + titles + bytes(32)
    body += _item(0x10, APPLICATION_CONTEXT) + context + user
    return _HEADER.pack(0x01, 0, len(body)) + body


def _item(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(body)) + body


def _accepted_max_pdu(body: bytes) -> int:
    """Return the peer's maximum length, 0 when it has none; checks that the context is taken."""
    position, maximum = 68, 0
    while position + 4 <= len(body):
        kind, _, length = struct.unpack_from(">BBH", body, position)
        item = body[position + 4 : position + 4 + length]
        if kind == 0x21 and item[2] != 0:
            raise PeerError("the presentation context is not accepted")
        if kind == 0x50:
            position += 4
            continue
        if kind == 0x51:
            (maximum,) = struct.unpack(">L", item)
        position += 4 + length
    return maximum


def _pdv(data: bytes, *, is_command: bool, is_last: bool) -> bytes:
    control = (1 if is_command else 0) | (2 if is_last else 0)
    body = struct.pack(">LBB", len(data) + 2, _CONTEXT_ID, control) + data
    return _HEADER.pack(0x04, 0, len(body)) + body


def _store_command(sop_class_uid: str, sop_instance_uid: str) -> bytes:
    elements = b"".join(
        [
            _element(0x0002, _uid(sop_class_uid)),
            _element(0x0100, struct.pack("<H", 0x0001)),
            _element(0x0110, struct.pack("<H", 1)),
            _element(0x0700, struct.pack("<H", 0)),
            _element(0x0800, struct.pack("<H", 0x0000)),
            _element(0x1000, _uid(sop_instance_uid)),
        ]
    )
    return _element(0x0000, struct.pack("<L", len(elements))) + elements


def _uid(uid: str) -> bytes:
    value = uid.encode()
    return value + b"\0" if len(value) % 2 else value


def _element(number: int, value: bytes) -> bytes:
    return struct.pack("<HHL", 0, number, len(value)) + value


def _parse_answer(command: bytes) -> Answer:
    status, uid, position = -1, "", 0
    while position + 8 <= len(command):
        _, number, length = struct.unpack_from("<HHL", command, position)
        value = command[position + 8 : position + 8 + length]
        if number == 0x0900:
            (status,) = struct.unpack("<H", value)
        elif number == 0x1000:
            uid = value.rstrip(b"\0 ").decode()
        position += 8 + length
    return Answer(status, uid)
