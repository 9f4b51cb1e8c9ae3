"""Messages on their way out: a command and its data set, cut into PDUs (PS3.8 9.3.5, Annex E).

A data set goes from its file into one buffer that already holds the headers of
the PDUs, and from there to the socket: it is read and sent in large pieces and
never looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dicom_receiver import limits, pdu
from dicom_receiver.wire import Wire
from imaging.errors import StorageUnavailableError

# How much of a file is read and sent at once.
_BATCH_BYTES = 1024 * 1024
# The kernel takes no more buffers with one call (IOV_MAX).
_MOST_PIECES = 1024
# How much is held back while messages are gathered, and how long.
_HELD_BYTES = 32 * 1024
_HELD_SECONDS = 0.02
_OVERHEAD_BYTES = pdu.HEADER.size + pdu.PDV_HEADER_BYTES


@dataclass(frozen=True)
class Part:
    """A data set in an open file: `size_bytes` from `offset` on, read without moving the file."""

    descriptor: int
    offset: int
    size_bytes: int


class Outflow:
    """Sends messages on a wire in PDUs that the peer takes; 0 means that it takes any."""

    def __init__(self, wire: Wire, peer_max_pdu_bytes: int) -> None:
        largest = limits.LARGEST_SENT_PDU_BYTES
        self._wire = wire
        self._piece_bytes = min(peer_max_pdu_bytes or largest, largest) - pdu.PDV_HEADER_BYTES
        self._buffer = bytearray()
        self._held: bytearray | None = None
        self._held_since = 0.0

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Hold short messages back while this block lasts, and send some together.

        Many answers to one query then cost few calls and wake the peer seldom. What is held
        goes out with the next message when it is much, or older than a moment.
        """
        self._held, self._held_since = bytearray(), time.monotonic()
        try:
            yield
        finally:
            held, self._held = self._held, None
            if held:
                self._wire.send(held)

    def _send(self, out: bytearray) -> None:
        if self._held is None:
            self._wire.send(out)
            return
        self._held += out
        now = time.monotonic()
        if len(self._held) >= _HELD_BYTES or now - self._held_since > _HELD_SECONDS:
            held, self._held, self._held_since = self._held, bytearray(), now
            self._wire.send(held)

    def send_message(
        self, context_id: int, command: bytes, data_set: bytes | Part | None = None
    ) -> None:
        """Send a command set and the data set that belongs to it.

        Raises StorageUnavailableError when the file ends before its part does; nothing has
        been sent of the part that is missing, so the association cannot go on.
        """
        out = bytearray()
        self._add(out, context_id, command, pdu.IS_COMMAND)
        if isinstance(data_set, Part):
            self._send_part(out, context_id, data_set)
            return
        if data_set is not None:
            self._add(out, context_id, data_set, 0)
        self._send(out)

    def _add(self, out: bytearray, context_id: int, data: bytes, control: int) -> None:
        """Append the PDUs of something short."""
        step = self._piece_bytes
        for begin in range(0, max(len(data), 1), step):
            piece = data[begin : begin + step]
            last = pdu.IS_LAST if begin + step >= len(data) else 0
            out += self._headers(context_id, len(piece), control | last)
            out += piece

    def _send_part(self, head: bytearray, context_id: int, part: Part) -> None:
        """Send what is in `head`, then the part of the file, many PDUs with one call each."""
        if self._held:
            held, self._held = self._held, bytearray()
            self._wire.send(held)
        step = self._piece_bytes
        count = max(1, min(_BATCH_BYTES // (step + _OVERHEAD_BYTES), _MOST_PIECES))
        wanted = len(head) + min(count * (step + _OVERHEAD_BYTES), self._length_of(part))
        if len(self._buffer) < wanted:
            self._buffer = bytearray(wanted)
        buffer = memoryview(self._buffer)
        buffer[: len(head)] = head
        used, left, offset = len(head), part.size_bytes, part.offset
        is_done = False
        while not is_done:
            views: list[memoryview] = []
            for _ in range(count):
                size = min(step, left)
                left -= size
                is_done = left == 0
                headers = self._headers(context_id, size, pdu.IS_LAST if is_done else 0)
                buffer[used : used + _OVERHEAD_BYTES] = headers
                used += _OVERHEAD_BYTES
                views.append(buffer[used : used + size])
                used += size
                if is_done:
                    break
            offset += _read_into(part.descriptor, views, offset)
            self._wire.send(buffer[:used])
            used = 0

    def _length_of(self, part: Part) -> int:
        """Return how many bytes the whole part takes on the wire."""
        pdus = max(1, -(-part.size_bytes // self._piece_bytes))
        return part.size_bytes + pdus * _OVERHEAD_BYTES

    @staticmethod
    def _headers(context_id: int, size: int, control: int) -> bytes:
        """Return the headers of one PDU with one presentation data value."""
        return pdu.HEADER.pack(pdu.P_DATA_TF, pdu.PDV_HEADER_BYTES + size) + pdu.PDV_HEADER.pack(
            size + 2, context_id, control
        )


def _read_into(descriptor: int, views: list[memoryview], offset: int) -> int:
    """Fill the views from the file, whatever it takes; returns how much that was."""
    total = sum(len(view) for view in views)
    if not total:
        return 0
    done = _read_once(descriptor, views, offset)
    if done < total:
        # Rare: a signal, or a file system that gives less than asked for.
        for view in views:
            have = min(done, len(view))
            done -= have
            while have < len(view):
                have += _read_once(descriptor, [view[have:]], offset + have)
            offset += len(view)
    return total


def _read_once(descriptor: int, views: list[memoryview], offset: int) -> int:
    try:
        count = os.preadv(descriptor, views, offset)
    except OSError as error:
        raise StorageUnavailableError("The stored file cannot be read.") from error
    if not count:
        raise StorageUnavailableError("The stored file is cut short.")
    return count
