"""Read the directory of a ZIP file within bounds (APPNOTE 6.3.10).

Sizes and counts that the file claims are compared with limits before
anything is allocated for them. Only the central directory is believed;
names are text to show, never paths to open.
"""

from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from imaging.errors import LimitExceededError, UnreadableError

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_MAX_COMMENT_BYTES = 65_535
_FLAG_ENCRYPTED = 0x0001
_FLAG_STRONG_ENCRYPTION = 0x0040
_FLAG_MASKED = 0x2000
_FLAG_UTF8 = 0x0800
_UNSET_16 = 0xFFFF
_UNSET_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipRecord:
    """One entry as the central directory tells of it. Offsets count from the file's first byte."""

    name: str
    method: int
    flags: int
    crc32: int
    packed_bytes: int
    unpacked_bytes: int
    header_offset: int
    unix_mode: int

    @property
    def is_encrypted(self) -> bool:
        """Whether a password is needed."""
        return bool(self.flags & (_FLAG_ENCRYPTED | _FLAG_STRONG_ENCRYPTION | _FLAG_MASKED))

    @property
    def is_folder(self) -> bool:
        """Whether the entry only names a folder."""
        return self.name.endswith(("/", "\\")) or stat.S_ISDIR(self.unix_mode)

    @property
    def is_special(self) -> bool:
        """Whether the entry is a link, a device or anything else that is no plain file."""
        kind = stat.S_IFMT(self.unix_mode)
        return kind not in (0, stat.S_IFREG, stat.S_IFDIR)


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the central directory lies and how many entries it claims."""

    start: int
    size_bytes: int
    entry_count: int
    shift: int


def read_directory(
    file: BinaryIO, *, max_entries: int, max_directory_bytes: int
) -> list[ZipRecord]:
    """Return the entries in the order of their data.

    Raises `UnreadableError` when the file is no whole ZIP, claims more than
    the limits, or has entries that lie over one another.
    """
    directory = _find_directory(file)
    if directory.entry_count > max_entries:
        raise LimitExceededError(
            f"the ZIP has {directory.entry_count} entries; at most {max_entries} are taken"
        )
    if directory.size_bytes > max_directory_bytes:
        raise LimitExceededError("the directory of the ZIP is larger than any real one")
    file.seek(directory.start)
    data = file.read(directory.size_bytes)
    if len(data) != directory.size_bytes:
        raise UnreadableError("the ZIP is cut short")
    records = _parse_directory(data, directory, max_entries)
    records.sort(key=lambda record: record.header_offset)
    _check_no_overlap(records, directory.start)
    return records


def count_entries(file: BinaryIO) -> int:
    """Return how many entries the ZIP claims; raises `UnreadableError` when it is no whole ZIP."""
    return _find_directory(file).entry_count


def read_data_offset(file: BinaryIO, record: ZipRecord) -> int:
    """Return where the entry's packed bytes begin; raises `UnreadableError` if it has no header."""
    file.seek(record.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) != _LOCAL.size or not header.startswith(b"PK\x03\x04"):
        raise UnreadableError("the entry has no header where the directory says")
    name_length, extra_length = _LOCAL.unpack(header)[9:11]
    return record.header_offset + _LOCAL.size + int(name_length) + int(extra_length)


def _find_directory(file: BinaryIO) -> _Directory:
    file_size = file.seek(0, 2)
    tail_start = max(0, file_size - _END.size - _MAX_COMMENT_BYTES)
    file.seek(tail_start)
    tail = file.read(file_size - tail_start)
    position = tail.rfind(b"PK\x05\x06")
    while position >= 0:
        record = tail[position : position + _END.size]
        if len(record) == _END.size:
            comment_length = _END.unpack(record)[7]
            if position + _END.size + comment_length <= len(tail):
                return _directory_at(file, record, tail_start + position)
        position = tail.rfind(b"PK\x05\x06", 0, position)
    raise UnreadableError("the ZIP is cut short or no ZIP: its directory at the end is missing")


def _directory_at(file: BinaryIO, record: bytes, end_offset: int) -> _Directory:
    _, disk, first_disk, _, count, size, offset, _ = _END.unpack(record)
    if disk not in (0, _UNSET_16) or first_disk not in (0, _UNSET_16):
        raise UnreadableError("a ZIP in several parts is not taken")
    directory_end = end_offset
    if _UNSET_16 in (count, disk) or _UNSET_32 in (size, offset):
        wide = _read_zip64_end(file, end_offset)
        if wide is not None:
            directory_end, count, size, offset = wide
    # A program may stand before the first entry (self-extracting ZIPs): all offsets shift.
    start = directory_end - size
    shift = start - offset
    if start < 0 or shift < 0:
        raise UnreadableError("the ZIP is damaged: its directory is not where it says")
    return _Directory(start=start, size_bytes=size, entry_count=count, shift=shift)


def _read_zip64_end(file: BinaryIO, end_offset: int) -> tuple[int, int, int, int] | None:
    """Return (offset of the ZIP64 end record, count, size, offset), None when there is none."""
    locator_offset = end_offset - _END64_LOCATOR.size
    if locator_offset < 0:
        return None
    file.seek(locator_offset)
    signature, _, offset, _ = _END64_LOCATOR.unpack(file.read(_END64_LOCATOR.size))
    if signature != b"PK\x06\x07":
        return None
    # With a program before the first entry the record lies right before its locator.
    for candidate in (offset, locator_offset - _END64.size):
        if not 0 <= candidate <= locator_offset - _END64.size:
            continue
        file.seek(candidate)
        data = file.read(_END64.size)
        if data.startswith(b"PK\x06\x06"):
            fields = _END64.unpack(data)
            return candidate, fields[7], fields[8], fields[9]
    raise UnreadableError("the ZIP is damaged: its 64-bit directory is missing")


def _parse_directory(data: bytes, directory: _Directory, max_entries: int) -> list[ZipRecord]:
    records: list[ZipRecord] = []
    position = 0
    while position + _CENTRAL.size <= len(data):
        fields = _CENTRAL.unpack_from(data, position)
        if fields[0] != b"PK\x01\x02":
            break
        if len(records) >= max_entries:
            raise LimitExceededError(f"the ZIP has more than {max_entries} entries")
        name_length, extra_length, comment_length = fields[10:13]
        name_start = position + _CENTRAL.size
        extra_start = name_start + name_length
        position = extra_start + extra_length + comment_length
        if position > len(data):
            raise UnreadableError("the ZIP is damaged: its directory ends within an entry")
        extra = data[extra_start : extra_start + extra_length]
        records.append(_record(fields, data[name_start:extra_start], extra, directory.shift))
    if position != len(data) or len(records) & _UNSET_16 != directory.entry_count & _UNSET_16:
        raise UnreadableError("the ZIP is damaged: its directory does not hold what it says")
    return records


def _record(fields: tuple[int, ...], raw_name: bytes, extra: bytes, shift: int) -> ZipRecord:
    flags, method = fields[3], fields[4]
    crc32, packed, unpacked = fields[7:10]
    offset = fields[16]
    unpacked, packed, offset = _widen(unpacked, packed, offset, extra)
    return ZipRecord(
        name=raw_name.decode("utf-8" if flags & _FLAG_UTF8 else "cp437", "replace"),
        method=method,
        flags=flags,
        crc32=crc32,
        packed_bytes=packed,
        unpacked_bytes=unpacked,
        header_offset=offset + shift,
        unix_mode=fields[15] >> 16,
    )


def _widen(unpacked: int, packed: int, offset: int, extra: bytes) -> tuple[int, int, int]:
    """Return the three numbers, each from the ZIP64 field when its own place is full."""
    numbers = [unpacked, packed, offset]
    if _UNSET_32 not in numbers:
        return unpacked, packed, offset
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<HH", extra, position)
        if tag == 1:
            body = extra[position + 4 : position + 4 + length]
            for index, number in enumerate(numbers):
                if number == _UNSET_32:
                    if len(body) < 8:
                        raise UnreadableError("the ZIP is damaged: a 64-bit size is missing")
                    (numbers[index],) = struct.unpack_from("<Q", body)
                    body = body[8:]
            break
        position += 4 + length
    return numbers[0], numbers[1], numbers[2]


def _check_no_overlap(records: list[ZipRecord], directory_start: int) -> None:
    """Raise when an entry begins before the one before it can have ended (a bomb's trick)."""
    free_from = 0
    for record in records:
        end = record.header_offset + _LOCAL.size + record.packed_bytes
        if record.header_offset < free_from or end > directory_start:
            raise LimitExceededError("the ZIP is a bomb or damaged: its entries overlap")
        free_from = end
