"""Bounded reading of a file in few large pieces."""

import zlib
from dataclasses import dataclass
from typing import BinaryIO

from imaging.errors import LimitExceededError, UnreadableError


@dataclass(frozen=True, slots=True)
class HeaderLimits:
    """What a header may claim before it is refused."""

    depth: int = 32
    elements: int = 1_000_000
    # Once the header was walked, its sequences are walked again item by item when read: each
    # element as often as it is deep.
    visits: int = 8_000_000
    header_bytes: int = 64 * 1024 * 1024
    inflated_bytes: int = 64 * 1024 * 1024
    # A value that no sequence holds and that is longer is not read, only located.
    value_bytes: int = 1024 * 1024
    # All that is parsed as text or numbers, however often: a small deflated file can hold
    # minutes of work.
    parsed_bytes: int = 24 * 1024 * 1024


DEFAULT_LIMITS = HeaderLimits()

FIRST_READ = 32 * 1024
NEXT_READ = 64 * 1024


class Source:
    """The bytes of a data set by their offset, keeping what was read.

    `buffer` starts at offset `base`; the scanning loop reads from it directly and calls
    `ensure` when it comes to its end. Long values are jumped over, so what is kept may be
    several segments.
    """

    __slots__ = (
        "_file", "_held", "_kept", "_most", "_parsed", "base", "buffer", "element_count", "limits",
        "size",
    )  # fmt: skip

    def __init__(self, file: BinaryIO | None, size: int, limits: HeaderLimits) -> None:
        self._file = file
        self.size = size
        self.limits = limits
        self.buffer = b""
        self.base = 0
        self.element_count = 0
        self._kept: list[tuple[int, bytes]] = []
        self._held = 0
        self._parsed = 0
        self._most = limits.elements

    @classmethod
    def of_bytes(cls, content: bytes, limits: HeaderLimits) -> "Source":
        """Return a source over bytes in memory (an inflated data set)."""
        source = cls(None, len(content), limits)
        source.buffer = content
        return source

    def detach(self) -> None:
        """Let go of the file: from now on only what was read is there."""
        self._file = None
        self.element_count, self._most = 0, self.limits.visits

    def count_elements(self, count: int = 1) -> None:
        """Count elements that were walked.

        Raises
        ------
        LimitExceededError
            They were too many by now.
        """
        self.element_count += count
        if self.element_count > self._most:
            raise LimitExceededError(f"more than {self._most} elements")

    def ensure(self, offset: int, count: int) -> None:
        """Make `buffer` hold `count` bytes from `offset`.

        Raises
        ------
        UnreadableError
            The file ends before that, or the bytes were jumped over and the file is gone.
        LimitExceededError
            The header would take more bytes than allowed.
        """
        end = self.base + len(self.buffer)
        if self.base <= offset and offset + count <= end:
            return
        if offset + count > self.size:
            raise UnreadableError(f"cut short: {offset + count - self.size} bytes are missing")
        for base, kept in self._kept:
            if base <= offset and offset + count <= base + len(kept):
                self._kept.append((self.base, self.buffer))
                self._kept.remove((base, kept))
                self.base, self.buffer = base, kept
                return
        if self.base <= offset <= end + self.limits.value_bytes:
            wanted = max(offset + count - end, min(len(self.buffer), 4 * 1024 * 1024), NEXT_READ)
            self.buffer += self._read(end, wanted if self.buffer else max(wanted, FIRST_READ))
        else:
            if self.buffer:
                self._kept.append((self.base, self.buffer))
            self.base, self.buffer = offset, self._read(offset, max(count, FIRST_READ // 2))
        if self.base + len(self.buffer) < offset + count:
            if self._held >= self.limits.header_bytes:
                raise LimitExceededError(f"the header exceeds {self.limits.header_bytes} bytes")
            raise UnreadableError("cut short: the file ends earlier than its size says")

    def slice(self, offset: int, count: int) -> bytes | None:
        """Return the bytes, or None when they were jumped over and the file is gone."""
        start = offset - self.base
        if start >= 0 and start + count <= len(self.buffer):
            return self.buffer[start : start + count]
        for base, kept in self._kept:
            start = offset - base
            if start >= 0 and start + count <= len(kept):
                return kept[start : start + count]
        if self._file is None:
            return None
        self.ensure(offset, count)
        return self.slice(offset, count)

    def count_parsed(self, count: int) -> None:
        """Count bytes that are about to be parsed as text or numbers.

        Raises
        ------
        LimitExceededError
            They were too many by now.
        """
        self._parsed += count
        if self._parsed > self.limits.parsed_bytes:
            limit = self.limits.parsed_bytes
            raise LimitExceededError(
                f"the header holds more than {limit} bytes of text and numbers"
            )

    def _read(self, offset: int, count: int) -> bytes:
        if self._file is None:
            raise UnreadableError("these bytes were not kept")
        count = min(count, self.size - offset)
        if self._held + count > self.limits.header_bytes:
            count = self.limits.header_bytes - self._held
            if count <= 0:
                raise LimitExceededError(f"the header exceeds {self.limits.header_bytes} bytes")
        self._file.seek(offset)
        content = self._file.read(count)
        while len(content) < count:
            more = self._file.read(count - len(content))
            if not more:
                break
            content += more
        self._held += len(content)
        return content


def inflate(file: BinaryIO, offset: int, limit: int) -> bytes:
    """Inflate a deflated data set (PS3.5 A.5) from `offset` to the end of the file.

    Raises
    ------
    LimitExceededError
        It inflates to more than `limit` bytes.
    UnreadableError
        It is not deflate, or cut short.
    """
    file.seek(offset)
    first = file.read(64 * 1024)
    # Raw deflate by the standard; some writers left the two bytes of the zlib wrapper.
    wrapped = len(first) > 1 and first[0] & 0x0F == 8 and (first[0] << 8 | first[1]) % 31 == 0
    for window in (15, -15) if wrapped else (-15,):
        try:
            return _inflate(file, offset, limit, window)
        except zlib.error:
            continue
    raise UnreadableError("the deflated data set is damaged")


def _inflate(file: BinaryIO, offset: int, limit: int, window: int) -> bytes:
    engine = zlib.decompressobj(window)
    pieces: list[bytes] = []
    total = 0
    file.seek(offset)
    while not engine.eof:
        chunk = file.read(256 * 1024)
        if not chunk:
            raise UnreadableError("the deflated data set is cut short")
        while chunk and not engine.eof:
            piece = engine.decompress(chunk, limit + 1 - total)
            chunk = engine.unconsumed_tail
            total += len(piece)
            if total > limit:
                raise LimitExceededError(f"the data set inflates to more than {limit} bytes")
            pieces.append(piece)
    return b"".join(pieces)
