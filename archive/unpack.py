"""Take the files out of a ZIP that anybody may have made.

Every entry streams; nothing is written to disk here and no name from the
ZIP is ever a path. What is not taken is told by name. A ZIP inside the ZIP
is told, not opened: real exports do not nest, bombs do.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from archive.zip_directory import ZipRecord, read_data_offset, read_directory
from imaging.errors import LimitExceededError, UnreadableError

GIB = 1 << 30
_STORED = 0
_DEFLATED = 8
_READ_BYTES = 1 << 18
_SHOWN_NAME_LENGTH = 200
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True, kw_only=True)
class UnpackLimits:
    """How much one ZIP may ask of us.

    The ratio of unpacked to packed bytes is looked at only beyond
    `ratio_from_bytes`: a small blank picture may well shrink to nothing.
    """

    max_entries: int = 250_000
    max_directory_bytes: int = 64 << 20
    max_entry_bytes: int = 16 * GIB
    max_total_bytes: int = 256 * GIB
    max_ratio: int = 200
    ratio_from_bytes: int = GIB // 2


DEFAULT_LIMITS = UnpackLimits()


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the ZIP. Its stream is good until the next one is asked for.

    Reading raises `UnreadableError` when the bytes are damaged or a limit is reached.
    """

    name: str
    stream: BinaryIO
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was not taken, and why in words. `is_loss`: DICOM files may have stayed behind."""

    name: str
    reason: str
    is_loss: bool = False


def is_zip(head: bytes) -> bool:
    """Whether a file that begins like this is a ZIP (also an empty one)."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def unpack(
    file: BinaryIO, name: str, limits: UnpackLimits = DEFAULT_LIMITS
) -> Iterator[Entry | Skipped]:
    """Yield what a seekable ZIP file holds, in the order of its bytes.

    Never raises for what the ZIP holds: a ZIP that cannot be read, or that
    reaches a limit half-way, is one `Skipped` under the ZIP's own name.
    """
    try:
        records = read_directory(
            file,
            max_entries=limits.max_entries,
            max_directory_bytes=limits.max_directory_bytes,
        )
    except UnreadableError as error:
        yield Skipped(safe_name(name), str(error), is_loss=True)
        return
    budget = _Budget(limits)
    for position, record in enumerate(records):
        if record.is_folder and not record.unpacked_bytes and not record.is_special:
            continue
        shown = safe_name(record.name)
        skipped = _why_not(record, shown, limits)
        if skipped is not None:
            yield skipped
            continue
        stream = io.BufferedReader(_EntryStream(file, record, budget), _READ_BYTES)
        yield Entry(shown, stream, record.unpacked_bytes)
        if budget.is_spent:
            left = len(records) - position - 1
            yield Skipped(
                safe_name(name), f"{budget.reason}; {left} entries were not read", is_loss=True
            )
            return


def safe_name(name: str) -> str:
    """Return the name for people: no control or direction characters, at most 200 characters."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(letter)[0] == "C" else letter
        for letter in name[: _SHOWN_NAME_LENGTH * 4]
    )
    if len(shown) > _SHOWN_NAME_LENGTH:
        shown = "…" + shown[-(_SHOWN_NAME_LENGTH - 1) :]
    return shown or "(no name)"


def _why_not(record: ZipRecord, shown: str, limits: UnpackLimits) -> Skipped | None:
    """Return why the entry is not taken, None when it is."""
    if not _is_plain_name(record.name):
        return Skipped(shown, "its name points outside the ZIP or holds odd characters")
    if record.is_special:
        return Skipped(shown, "it is a link or a device, not a file")
    if record.is_encrypted:
        return Skipped(shown, "it is encrypted", is_loss=True)
    if record.method not in (_STORED, _DEFLATED):
        return Skipped(shown, f"its packing method {record.method} is not known", is_loss=True)
    if record.unpacked_bytes > limits.max_entry_bytes:
        return Skipped(shown, f"it is larger than {limits.max_entry_bytes} bytes", is_loss=True)
    return None


def _is_plain_name(name: str) -> bool:
    """Whether a name is relative, stays inside and has no control characters."""
    parts = name.replace("\\", "/").split("/")
    is_inside = parts[0] != "" and not _DRIVE.match(name) and ".." not in parts
    return is_inside and not any(unicodedata.category(letter) == "Cc" for letter in name)


class _Budget:
    """What one ZIP has cost so far."""

    def __init__(self, limits: UnpackLimits) -> None:
        self._limits = limits
        self._packed_bytes = 0
        self._unpacked_bytes = 0
        self.reason = ""

    @property
    def is_spent(self) -> bool:
        return bool(self.reason)

    def spend(self, packed_bytes: int, unpacked_bytes: int) -> None:
        """Count bytes read; raises `LimitExceededError` once the ZIP has cost too much."""
        self._packed_bytes += packed_bytes
        self._unpacked_bytes += unpacked_bytes
        if self._unpacked_bytes > self._limits.max_total_bytes:
            self.reason = f"the ZIP unpacks to more than {self._limits.max_total_bytes} bytes"
        elif self.is_too_dense(self._packed_bytes, self._unpacked_bytes):
            self.reason = f"the ZIP unpacks to more than {self._limits.max_ratio} times its size"
        if self.reason:
            raise LimitExceededError(self.reason)

    def is_too_dense(self, packed_bytes: int, unpacked_bytes: int) -> bool:
        """Whether so many bytes out of so few look like a bomb."""
        return (
            unpacked_bytes > self._limits.ratio_from_bytes
            and unpacked_bytes > self._limits.max_ratio * packed_bytes
        )


class _EntryStream(io.RawIOBase):
    """The unpacked bytes of one entry, never more than the directory says.

    It remembers its own place in the file, so others may move the file between reads.
    """

    def __init__(self, file: BinaryIO, record: ZipRecord, budget: _Budget) -> None:
        self._file = file
        self._record = record
        self._budget = budget
        self._position = -1
        self._packed_left = record.packed_bytes
        self._done_bytes = 0
        self._crc32 = 0
        self._inflate = zlib.decompressobj(-15) if record.method == _DEFLATED else None
        self._pending = b""

    def readable(self) -> bool:
        """Say yes: bytes can be read."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer; 0 at the end, after size and checksum were found right."""
        wanted = len(buffer)
        if not wanted:
            return 0
        chunk = self._read_stored(wanted) if self._inflate is None else self._read_deflated(wanted)
        if not chunk:
            self._check_end()
            return 0
        self._done_bytes += len(chunk)
        if self._done_bytes > self._record.unpacked_bytes:
            raise LimitExceededError("it holds more bytes than the ZIP says")
        if self._budget.is_too_dense(self._packed_done, self._done_bytes):
            raise LimitExceededError("it unpacks to far more than its size: a bomb")
        self._crc32 = zlib.crc32(chunk, self._crc32)
        buffer[: len(chunk)] = chunk
        return len(chunk)

    @property
    def _packed_done(self) -> int:
        return self._record.packed_bytes - self._packed_left

    def _read_packed(self, wanted: int) -> bytes:
        if self._position < 0:
            self._position = read_data_offset(self._file, self._record)
        self._file.seek(self._position)
        data = self._file.read(min(wanted, self._packed_left))
        if not data and self._packed_left:
            raise UnreadableError("the ZIP is cut short")
        self._position += len(data)
        self._packed_left -= len(data)
        return data

    def _read_stored(self, wanted: int) -> bytes:
        data = self._read_packed(wanted)
        self._budget.spend(len(data), len(data))
        return data

    def _read_deflated(self, wanted: int) -> bytes:
        assert self._inflate is not None
        chunk = b""
        while not chunk and not self._inflate.eof:
            packed_before = self._packed_left
            if not self._pending:
                self._pending = self._read_packed(_READ_BYTES)
            is_last = not self._pending
            try:
                chunk = self._inflate.decompress(self._pending, wanted)
            except zlib.error:
                raise UnreadableError("its packed bytes are damaged") from None
            if is_last and not chunk and not self._inflate.eof:
                raise UnreadableError("its packed bytes end too early")
            self._pending = self._inflate.unconsumed_tail
            self._budget.spend(packed_before - self._packed_left, len(chunk))
        return chunk

    def _check_end(self) -> None:
        if self._done_bytes != self._record.unpacked_bytes:
            raise UnreadableError("it holds fewer bytes than the ZIP says")
        if self._crc32 != self._record.crc32:
            raise UnreadableError("its bytes are damaged: the checksum is wrong")
