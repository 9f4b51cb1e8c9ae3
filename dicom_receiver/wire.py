"""The socket of one association: PDUs in, PDVs out, nothing believed.

Reads are large and go into one buffer that never grows: a PDU longer than we
announced ends the association before a byte of it is kept. A fragment is
handed on as a view of that buffer, so a data set reaches the disk without a
copy on the way.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from typing import NamedTuple

from dicom_receiver import limits, pdu


class WireError(Exception):
    """The association cannot go on; a handler lets it pass."""


class ProtocolError(WireError):
    """The peer broke PS3.8; the association is aborted with this reason."""

    def __init__(self, why: str, reason: int = pdu.REASON_NOT_SPECIFIED) -> None:
        super().__init__(why)
        self.reason = reason


class TooSlowError(ProtocolError):
    """The peer was silent too long, or dripped."""


class ReleasedError(WireError):
    """The peer asked to end the association in order (A-RELEASE-RQ)."""


class HungUpError(WireError):
    """The peer aborted or its connection is gone."""


class StoppingError(WireError):
    """We are asked to stop; the association ends at the next pause."""


class Fragment(NamedTuple):
    """One presentation data value (PS3.8 9.3.5.1). `data` is valid until the next is read."""

    context_id: int
    is_command: bool
    is_last: bool
    data: memoryview


class Stop:
    """How a process tells its associations to end: at the next pause, or now."""

    def __init__(self) -> None:
        self.at_pause = threading.Event()
        self.now = threading.Event()


class Wire:
    """Reads PDUs within time and size; writes with a deadline."""

    def __init__(
        self,
        sock: socket.socket,
        max_pdu_bytes: int,
        stop: Stop,
        *,
        idle_seconds: float | None = None,
    ) -> None:
        self._socket = sock
        self._max_pdu_bytes = max_pdu_bytes
        self._stop = stop
        self._idle_seconds = idle_seconds
        self._is_releasing = False
        self._buffer = bytearray(2 * (max_pdu_bytes + pdu.HEADER.size))
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0
        self._pdu_end = 0
        self._window_seconds = 0.0
        self._window_bytes = 0
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if isinstance(sock, ssl.SSLSocket):
            # The kernel's time-outs would only make the TLS layer ask it again.
            sock.settimeout(limits.TICK_SECONDS)
            return
        # Blocking, woken by the kernel now and then: one system call a read, not two.
        sock.setblocking(True)
        _set_timeout(sock, socket.SO_RCVTIMEO, limits.TICK_SECONDS)
        _set_timeout(sock, socket.SO_SNDTIMEO, limits.TICK_SECONDS)

    # --- reading -----------------------------------------------------------
    def read_fragment(self, *, inside_message: bool) -> Fragment:
        """Return the next presentation data value.

        Between messages this may take as long as an idle association may
        last; inside a message the peer has to keep a minimum rate.

        Raises
        ------
        ReleasedError, HungUpError, StoppingError
            The association ends.
        ProtocolError
            It has to be aborted.
        """
        while self._start == self._pdu_end:
            self._read_pdu(inside_message)
        left = self._pdu_end - self._start
        if left < pdu.PDV_HEADER_BYTES:
            raise ProtocolError("PDV is cut short", pdu.INVALID_PARAMETER_VALUE)
        length, context_id, control = pdu.PDV_HEADER.unpack_from(self._buffer, self._start)
        if not 2 <= length <= left - 4:
            raise ProtocolError("PDV length is wrong", pdu.INVALID_PARAMETER_VALUE)
        begin = self._start + pdu.PDV_HEADER_BYTES
        self._start += 4 + length
        return Fragment(
            context_id,
            bool(control & pdu.IS_COMMAND),
            bool(control & pdu.IS_LAST),
            self._view[begin : self._start],
        )

    def has_input(self) -> bool:
        """Whether the peer has sent something that was not read yet; never waits."""
        if self._start < self._end:
            return True
        if isinstance(self._socket, ssl.SSLSocket):
            return self._has_decrypted()
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            raise HungUpError(type(error).__name__) from error
        return True

    def _has_decrypted(self) -> bool:
        """Whether TLS holds or gets something to read without waiting; it has no peeking."""
        self._make_room(1)
        self._socket.settimeout(0)
        try:
            return self._receive() > 0
        finally:
            self._socket.settimeout(limits.TICK_SECONDS)

    def _read_pdu(self, inside_message: bool) -> None:
        """Have the next P-DATA-TF in the buffer, whole."""
        idle_seconds = limits.IDLE_SECONDS if self._idle_seconds is None else self._idle_seconds
        self._fill(1, idle_seconds, may_stop=not inside_message)
        self._fill(pdu.HEADER.size, limits.PDU_SECONDS)
        kind, length = pdu.HEADER.unpack_from(self._buffer, self._start)
        if kind == pdu.P_DATA_TF:
            if length > self._max_pdu_bytes:
                raise ProtocolError("PDU is longer than negotiated", pdu.INVALID_PARAMETER_VALUE)
            self._fill(pdu.HEADER.size + length, limits.PDU_SECONDS)
            self._start += pdu.HEADER.size
            self._pdu_end = self._start + length
            return
        if kind == pdu.ABORT:
            raise HungUpError(self._read_abort())
        if kind == pdu.RELEASE_RP and self._is_releasing and length == 4:
            raise ReleasedError
        if kind == pdu.RELEASE_RQ and not inside_message and length == 4:
            self._fill(pdu.HEADER.size + length, limits.PDU_SECONDS)
            raise ReleasedError
        known = pdu.ASSOCIATE_RQ <= kind <= pdu.ABORT
        raise ProtocolError(
            f"PDU type {kind:02X}H is not due now",
            pdu.UNEXPECTED_PDU if known else pdu.UNRECOGNIZED_PDU,
        )

    def _read_abort(self) -> str:
        """Return what an A-ABORT whose header has come says."""
        with contextlib.suppress(WireError):
            self._fill(pdu.HEADER.size + 4, limits.GOODBYE_SECONDS)
            begin = self._start + pdu.HEADER.size
            return pdu.abort_words(self._buffer[begin + 2], self._buffer[begin + 3])
        return "aborted by the peer"

    def _fill(self, wanted: int, seconds: float, *, may_stop: bool = False) -> None:
        """Have at least `wanted` unread bytes in the buffer, within so many seconds."""
        if self._end - self._start >= wanted:
            return
        self._make_room(wanted)
        before = time.monotonic()
        deadline = before + seconds
        while self._end - self._start < wanted:
            if self._stop.now.is_set() or (may_stop and self._stop.at_pause.is_set()):
                raise StoppingError
            count = self._receive()
            now = time.monotonic()
            if not may_stop:
                self._watch_rate(now - before, count)
            before = now
            if now > deadline and self._end - self._start < wanted:
                raise TooSlowError("idle too long" if may_stop else "PDU came too slowly")

    def _make_room(self, wanted: int) -> None:
        """Move what is unread to the front when the rest of the buffer is too small."""
        if self._start == self._end:
            self._start = self._end = self._pdu_end = 0
        elif self._start + wanted > len(self._buffer):
            unread = self._end - self._start
            self._buffer[:unread] = self._buffer[self._start : self._end]
            self._start, self._end, self._pdu_end = 0, unread, self._pdu_end - self._start

    def _receive(self) -> int:
        """Read once into the free part of the buffer; 0 when nothing came for a tick."""
        try:
            count = self._socket.recv_into(self._view[self._end :])
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError):
            return 0
        except OSError as error:
            raise HungUpError(type(error).__name__) from error
        if not count:
            raise HungUpError("connection closed by the peer")
        self._end += count
        return count

    def _watch_rate(self, seconds: float, count: int) -> None:
        """Count what came while we waited for the peer; too little ends the association."""
        self._window_seconds += seconds
        self._window_bytes += count
        if self._window_seconds > limits.RATE_WINDOW_SECONDS:
            if self._window_bytes < limits.RATE_WINDOW_BYTES:
                raise TooSlowError("data set came too slowly")
            self._window_seconds = self._window_bytes = 0

    # --- writing -----------------------------------------------------------
    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes; a peer that does not take them, or takes them in drops, is gone."""
        view = memoryview(data)
        waited_seconds, last_taken = 0.0, time.monotonic()
        window_bytes = 0
        while view:
            before = time.monotonic()
            count = self._send_once(view)
            now = time.monotonic()
            view = view[count:]
            waited_seconds += now - before
            window_bytes += count
            if count:
                last_taken = now
            elif self._stop.now.is_set():
                raise StoppingError
            elif now - last_taken > limits.SEND_SECONDS:
                raise HungUpError("the peer does not take what we send")
            if waited_seconds > limits.RATE_WINDOW_SECONDS:
                if window_bytes < limits.RATE_WINDOW_BYTES:
                    raise HungUpError("the peer takes what we send too slowly")
                waited_seconds, window_bytes = 0.0, 0

    def _send_once(self, view: memoryview) -> int:
        """Send what is taken at once or within a tick; 0 when nothing was."""
        try:
            return self._socket.send(view)
        except (BlockingIOError, TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except OSError as error:
            raise HungUpError(type(error).__name__) from error

    def begin_release(self) -> None:
        """Ask to end the association in order; the peer's consent is a ReleasedError then."""
        self._is_releasing = True
        self._idle_seconds = limits.RELEASE_SECONDS
        self.send(pdu.RELEASE_RQ_BYTES)

    def say_goodbye(self, last_words: bytes) -> None:
        """Send a last PDU and let the peer read it before the connection goes.

        Closing with unread bytes would reset the connection and take our last
        words with it, so a little of what still comes is read and thrown away.
        """
        deadline = time.monotonic() + limits.GOODBYE_SECONDS
        with contextlib.suppress(OSError):
            self._socket.settimeout(limits.GOODBYE_SECONDS)
            self._socket.sendall(last_words)
            if isinstance(self._socket, ssl.SSLSocket):
                _say_end_of_tls(self._socket)
            self._socket.shutdown(socket.SHUT_WR)
            while time.monotonic() < deadline and self._socket.recv_into(self._buffer):
                pass

    def close(self) -> None:
        """Give the socket up."""
        self._socket.close()


def _say_end_of_tls(sock: ssl.SSLSocket) -> None:
    """Send close_notify, so that nobody on the way can feign our end (RFC 8446 6.1)."""
    sock.settimeout(0)
    with contextlib.suppress(ssl.SSLError):
        sock.unwrap()
    sock.settimeout(limits.GOODBYE_SECONDS)


def _set_timeout(sock: socket.socket, option: int, seconds: float) -> None:
    whole = int(seconds)
    value = struct.pack("ll", whole, int((seconds - whole) * 1_000_000))
    sock.setsockopt(socket.SOL_SOCKET, option, value)
