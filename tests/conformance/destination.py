"""A storage provider that behaves as it is told, also badly; it shares nothing with ours."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading

from tests.conformance.dimse import command_set, item, p_data, pdv

SUCCESS, WARNING, REFUSAL = 0x0000, 0xB000, 0xA700


class Destination:
    """Serves one association after the other; `behaviours` say how, the last for all others.

    "well", "aborts", "aborts after two", "never stores", "hangs up", "tiny PDU",
    "warns of every second", "refuses every second".
    """

    def __init__(self, *behaviours: str, max_pdu: int = 16384, port: int = 0) -> None:
        self._behaviours = behaviours
        self._max_pdu = max_pdu
        self._server = socket.create_server(("127.0.0.1", port))
        self.port: int = self._server.getsockname()[1]
        self.stored: list[str] = []
        self.associations = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._server.accept()
                how = self._behaviours[min(self.associations, len(self._behaviours) - 1)]
                self.associations += 1
                with sock, contextlib.suppress(OSError, struct.error):
                    sock.settimeout(20)
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self._behave(sock, how)

    def _behave(self, sock: socket.socket, how: str) -> None:
        _, request = read_pdu(sock)
        if how == "hangs up":
            return
        sock.sendall(acceptance(request, 7 if how == "tiny PDU" else self._max_pdu))
        count = 0
        while True:
            kind, body = read_pdu(sock)
            if kind == 5:
                sock.sendall(pdu(6, bytes(4)))
            if kind != 4:
                return
            if body[5] & 1:
                command = body
            elif body[5] & 2:
                count += 1
                if how == "aborts" or (how == "aborts after two" and count > 2):
                    sock.sendall(pdu(7, bytes(4)))
                    return
                if how != "never stores":
                    self._answer(sock, command, _status(how, count))

    def _answer(self, sock: socket.socket, command: bytes, status: int) -> None:
        """Answer a C-STORE request by its message id (0000,0110) and instance (0000,1000)."""
        message_id = re.search(rb"\0\0\x10\x01\x02\0\0\0(..)", command, re.DOTALL)
        uid = re.search(rb"\0\0\0\x10..\0\0([0-9.]+)", command, re.DOTALL)
        assert message_id
        assert uid
        if status == SUCCESS:
            self.stored.append(uid[1].decode())
        elements = {
            0x0100: 0x8001,
            0x0120: int.from_bytes(message_id[1], "little"),
            0x0800: 0x0101,
            0x0900: status,
        }
        sock.sendall(p_data(pdv(command[4], 3, command_set(elements))))


def _status(how: str, count: int) -> int:
    if count % 2 or not how.endswith("every second"):
        return SUCCESS
    return WARNING if how.startswith("warns") else REFUSAL


def acceptance(request: bytes, max_pdu: int) -> bytes:
    """Accept every proposal with its first transfer syntax."""
    contexts = b""
    position = 68
    while position < len(request):
        kind, length = struct.unpack_from(">BxH", request, position)
        value = request[position + 4 : position + 4 + length]
        if kind == 0x20:
            syntax = value.index(b"\x40\0", 4)
            size = int.from_bytes(value[syntax + 2 : syntax + 4], "big")
            contexts += item(0x21, value[:1] + bytes(3) + value[syntax : syntax + 4 + size])
        position += 4 + length
    user = item(0x50, item(0x51, struct.pack(">I", max_pdu)))
    return pdu(2, request[:68] + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user)


def pdu(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBI", kind, 0, len(body)) + body


def read_pdu(sock: socket.socket) -> tuple[int, bytes]:
    kind, _, length = struct.unpack(">BBI", _read(sock, 6))
    return kind, _read(sock, length)


def _read(sock: socket.socket, size: int) -> bytes:
    data = sock.recv(size)
    if len(data) == size:
        return data
    whole = bytearray(size)
    whole[: len(data)] = data
    view, have = memoryview(whole), len(data)
    while have < size:
        count = sock.recv_into(view[have:])
        if not count:
            raise ConnectionResetError
        have += count
    return bytes(whole)
