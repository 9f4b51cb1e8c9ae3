"""A bare DICOM client on a socket: it can say everything, also what no honest client says.

Written from PS3.7 and PS3.8 alone; it shares nothing with the receiver, so the two
cannot agree on a mistake.
"""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from pydicom import Dataset
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_dataset

VERIFICATION = "1.2.840.10008.1.1"
CT_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"

SOP_CLASS, FIELD, MESSAGE_ID, RESPONDED_TO = 0x0002, 0x0100, 0x0110, 0x0120
DATA_SET_TYPE, STATUS, COMMENT, SOP_INSTANCE = 0x0800, 0x0900, 0x0902, 0x1000
C_STORE, C_FIND, C_ECHO, C_CANCEL = 0x0001, 0x0020, 0x0030, 0x0FFF


Elements = Mapping[int, int | str | bytes]


class RefusedError(Exception):
    """A-ASSOCIATE-RJ: (result, source, reason)."""


class AbortedError(Exception):
    """A-ABORT: (source, reason)."""


class ClosedError(Exception):
    """The connection ended without a word."""


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def context(context_id: int, abstract: str | bytes, *transfers: str) -> bytes:
    name = abstract if isinstance(abstract, bytes) else abstract.encode()
    syntaxes = b"".join(item(0x40, uid.encode()) for uid in transfers)
    return item(0x20, bytes([context_id, 0, 0, 0]) + item(0x30, name) + syntaxes)


def associate_rq(
    contexts: list[bytes],
    *,
    called: bytes = b"NOCTIS_SCP",
    calling: bytes = b"RAW",
    max_pdu: int = 16384,
    application: str = "1.2.840.10008.3.1.1.1",
    version: int = 1,
    user_items: bytes = b"",
) -> bytes:
    user = item(0x51, struct.pack(">I", max_pdu)) + item(0x52, b"1.2.3.4") + user_items
    body = (
        struct.pack(">HH", version, 0)
        + called.ljust(16)
        + calling.ljust(16)
        + bytes(32)
        + item(0x10, application.encode())
        + b"".join(contexts)
        + item(0x50, user)
    )
    return struct.pack(">BBI", 1, 0, len(body)) + body


def command_set(elements: Elements) -> bytes:
    body = b""
    for number, value in sorted(elements.items()):
        if isinstance(value, int):
            raw = struct.pack("<H", value)
        else:
            raw = value if isinstance(value, bytes) else value.encode()
            raw += b"\0" * (len(raw) % 2)
        body += struct.pack("<HHI", 0, number, len(raw)) + raw
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def store_command(
    sop_class: str | bytes, sop_instance: str | bytes, message_id: int = 1
) -> Elements:
    return {
        SOP_CLASS: sop_class,
        FIELD: C_STORE,
        MESSAGE_ID: message_id,
        0x0700: 0,
        DATA_SET_TYPE: 0,
        SOP_INSTANCE: sop_instance,
    }


def pdv(context_id: int, control: int, data: bytes) -> bytes:
    return struct.pack(">IBB", len(data) + 2, context_id, control) + data


def p_data(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return struct.pack(">BBI", 4, 0, len(body)) + body


def encode(dataset: Dataset, transfer_syntax: str = EXPLICIT_LITTLE) -> bytes:
    """Return a data set as bytes."""
    memory = io.BytesIO()
    buffer = DicomFileLike(memory)
    buffer.is_little_endian = True
    buffer.is_implicit_VR = transfer_syntax == IMPLICIT_LITTLE
    write_dataset(buffer, dataset)
    return memory.getvalue()


class Client:
    """One connection to the receiver."""

    def __init__(self, port: int, timeout: float = 15.0) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.accepted: dict[int, tuple[int, str]] = {}
        self.acceptance = b""
        self.max_pdu = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.sock.recv(size - len(data))
            except ConnectionError as error:
                raise ClosedError from error
            if not piece:
                raise ClosedError
            data += piece
        return bytes(data)

    def read_pdu(self) -> tuple[int, bytes]:
        kind, _, length = struct.unpack(">BBI", self.read(6))
        body = self.read(length)
        if kind == 3:
            raise RefusedError(*body[1:4])
        if kind == 7:
            raise AbortedError(*body[2:4])
        return kind, body

    def associate(self, *contexts: bytes, **also) -> Self:
        self.send(associate_rq(list(contexts), **also))
        kind, body = self.read_pdu()
        assert kind == 2
        self.acceptance = body
        for item_kind, value in _items(body[68:]):
            if item_kind == 0x21:
                syntaxes = [raw.decode() for sub, raw in _items(value[4:]) if sub == 0x40]
                self.accepted[value[0]] = (value[2], syntaxes[0] if syntaxes else "")
            elif item_kind == 0x50:
                self.max_pdu = int.from_bytes(dict(_items(value))[0x51], "big")
        return self

    def send_command(self, context_id: int, elements: Elements) -> None:
        self.send(p_data(pdv(context_id, 3, command_set(elements))))

    def send_data_set(self, context_id: int, data: bytes, piece: int = 0) -> None:
        piece = piece or self.max_pdu - 6
        for begin in range(0, max(len(data), 1), piece):
            is_last = begin + piece >= len(data)
            self.send(p_data(pdv(context_id, 2 if is_last else 0, data[begin : begin + piece])))

    def read_response(self) -> dict[int, int | bytes]:
        data = b""
        while True:
            kind, body = self.read_pdu()
            assert kind == 4
            length, _, control = struct.unpack_from(">IBB", body)
            data += body[6 : 4 + length]
            if control & 2:
                break
        found: dict[int, int | bytes] = {}
        while data:
            _, number, length = struct.unpack_from("<HHI", data)
            raw = data[8 : 8 + length]
            is_number = number in {FIELD, RESPONDED_TO, DATA_SET_TYPE, STATUS}
            found[number] = int.from_bytes(raw, "little") if is_number else raw
            data = data[8 + length :]
        return found

    def echo(self, context_id: int = 1) -> int:
        self.send_command(
            context_id,
            {SOP_CLASS: VERIFICATION, FIELD: C_ECHO, MESSAGE_ID: 7, DATA_SET_TYPE: 0x101},
        )
        return int(self.read_response()[STATUS])

    def store(
        self,
        sop_class: str | bytes,
        sop_instance: str | bytes,
        data: bytes,
        *,
        context_id: int = 1,
        piece: int = 0,
    ) -> dict[int, int | bytes]:
        self.send_command(context_id, store_command(sop_class, sop_instance))
        self.send_data_set(context_id, data, piece)
        return self.read_response()

    def release(self) -> None:
        self.send(bytes([5, 0, 0, 0, 0, 4, 0, 0, 0, 0]))
        kind, _ = self.read_pdu()
        assert kind == 6


def _items(data: bytes) -> list[tuple[int, bytes]]:
    found = []
    while data:
        kind, _, length = struct.unpack_from(">BBH", data)
        found.append((kind, data[4 : 4 + length]))
        data = data[4 + length :]
    return found
