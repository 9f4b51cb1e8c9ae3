"""Connections that have not yet said who they are, and how much of that is bearable."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, field

from dicom_receiver import limits, pdu
from dicom_receiver.associate import FIXED_BYTES
from dicom_receiver.causes import Cause

_READ_BYTES = 64 * 1024

# The header of a TLS record: type, version, length (RFC 8446 5.1).
_RECORD_HEADER = struct.Struct(">BHH")
_HANDSHAKE = 22
_LONGEST_RECORD = 2**14
_WAKINGS = 4


class NotARequestError(Exception):
    """What came cannot become an association request."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.value)
        self.cause = cause


@dataclass(eq=False)
class Visitor:
    """One accepted connection and what it has sent of its association request."""

    sock: socket.socket
    address: str
    arrived_at: float
    is_tls: bool = False
    data: bytearray = field(default_factory=bytearray)
    hello_bytes: int = 0
    wakings: int = 0

    @property
    def has_spoken(self) -> bool:
        """Whether anything came at all; what opens and closes may be a health check."""
        return bool(self.data) or self.hello_bytes > 0

    @property
    def speaks_dicom(self) -> bool:
        """Whether the first byte is a PDU type: HTTP, TLS and noise get no answer."""
        return bool(self.data) and pdu.ASSOCIATE_RQ <= self.data[0] <= pdu.ABORT

    @property
    def wanted_bytes(self) -> int:
        """How many bytes are missing from what is known to come."""
        if len(self.data) < pdu.HEADER.size:
            return pdu.HEADER.size - len(self.data)
        _, length = pdu.HEADER.unpack_from(self.data)
        return pdu.HEADER.size + int(length) - len(self.data)


class WaitingRoom:
    """Visitors by descriptor, in the order of arrival, within a number and a sum of bytes."""

    def __init__(self) -> None:
        self._visitors: dict[int, Visitor] = {}
        self._by_address: dict[str, dict[int, Visitor]] = {}
        self._data_bytes = 0

    def enter(self, visitor: Visitor) -> None:
        """Let a connection in."""
        key = visitor.sock.fileno()
        self._visitors[key] = visitor
        self._by_address.setdefault(visitor.address, {})[key] = visitor

    def leave(self, visitor: Visitor) -> None:
        """Let a connection out, to a child or back to the street."""
        key = visitor.sock.fileno()
        del self._visitors[key]
        self._data_bytes -= len(visitor.data)
        neighbours = self._by_address[visitor.address]
        del neighbours[key]
        if not neighbours:
            del self._by_address[visitor.address]

    def visitor(self, key: int) -> Visitor | None:
        """Return the visitor with this descriptor, if still there."""
        return self._visitors.get(key)

    def oldest(self) -> Visitor | None:
        """Return who has been waiting longest."""
        return next(iter(self._visitors.values()), None)

    def all(self) -> list[Visitor]:
        """Return everybody."""
        return list(self._visitors.values())

    def find_crowding(self) -> Visitor | None:
        """Return who has to go, if anybody: the largest, or the oldest of the largest crowd."""
        if self._data_bytes > limits.WAITING_BYTES:
            return max(self._visitors.values(), key=lambda visitor: len(visitor.data))
        if len(self._visitors) > limits.WAITING_CONNECTIONS:
            crowd = max(self._by_address.values(), key=len)
            return next(iter(crowd.values()))
        return None

    def read(self, visitor: Visitor) -> bytes:
        """Read what has come; return the request's body once it is whole.

        Never reads beyond the request, and keeps only what has really come.

        Raises
        ------
        BlockingIOError
            There is more to come.
        OSError
            The visitor has gone.
        NotARequestError
            This is not an association request, or it is too long; said in words.
        """
        while True:
            data = visitor.sock.recv(min(visitor.wanted_bytes, _READ_BYTES))
            if not data:
                raise ConnectionResetError
            visitor.data += data
            self._data_bytes += len(data)
            check_beginning(visitor.data)
            if not visitor.wanted_bytes:
                return bytes(visitor.data[pdu.HEADER.size :])

    def look(self, visitor: Visitor) -> None:
        """Return when the first record of a TLS handshake is here whole; it is left unread.

        The bytes stay with the kernel, which wakes us when there are enough of
        them, so a visitor costs nothing here and the handshake can begin
        elsewhere with its first byte.

        Raises as `read` does.
        """
        wanted = max(visitor.hello_bytes, _RECORD_HEADER.size)
        seen = visitor.sock.recv(wanted, socket.MSG_PEEK)
        if not seen:
            raise ConnectionResetError
        visitor.hello_bytes = max(visitor.hello_bytes, len(seen))
        _check_record(seen)
        if len(seen) >= _RECORD_HEADER.size:
            _, _, length = _RECORD_HEADER.unpack_from(seen)
            visitor.hello_bytes = wanted = _RECORD_HEADER.size + length
            if len(visitor.sock.recv(wanted, socket.MSG_PEEK)) == wanted:
                visitor.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                return
        visitor.wakings += 1
        if visitor.wakings > _WAKINGS:
            # Awake without enough: the other side has hung up in the middle.
            raise ConnectionResetError
        visitor.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
        raise BlockingIOError


def _check_record(seen: bytes) -> None:
    """Raise NotARequestError when this cannot become a TLS handshake (RFC 8446 5.1)."""
    if seen[0] == pdu.ASSOCIATE_RQ:
        raise NotARequestError(Cause.NO_TLS)
    if seen[0] != _HANDSHAKE or seen[1:2] not in (b"", b"\3"):
        raise NotARequestError(Cause.NOT_DICOM)
    if len(seen) >= _RECORD_HEADER.size:
        _, _, length = _RECORD_HEADER.unpack_from(seen)
        if not 4 <= length <= _LONGEST_RECORD:
            raise NotARequestError(Cause.IMPOSSIBLE_LENGTH)


def check_beginning(data: bytearray) -> None:
    """Raise NotARequestError when this cannot become an association request."""
    if data[0] == _HANDSHAKE:
        raise NotARequestError(Cause.TLS_ON_PLAIN_PORT)
    if data[0] != pdu.ASSOCIATE_RQ:
        raise NotARequestError(Cause.NOT_DICOM)
    if len(data) >= pdu.HEADER.size:
        _, length = pdu.HEADER.unpack_from(data)
        if not FIXED_BYTES <= length <= limits.REQUEST_BYTES:
            raise NotARequestError(Cause.IMPOSSIBLE_LENGTH)
