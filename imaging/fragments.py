"""Walk the items of encapsulated pixel data (PS3.5 A.4)."""

import struct
from array import array
from typing import BinaryIO

import numpy as np

from imaging.errors import LimitExceededError, UnreadableError

MAX_FRAGMENTS = 4_000_000
MAX_TABLE_BYTES = 4 * 1_000_000
# While fragments are small, many item headers come with one read.
_WINDOW = 128 * 1024
_SMALL = 16 * 1024
_ITEM = 0xFFFEE000
_SEQUENCE_END = 0xFFFEE0DD
_HEAD = struct.Struct("<HHL")


class Fragments:
    """Items after the basic offset table.

    Attributes
    ----------
    offsets
        uint64, shape (fragments,): where each item header begins in the file.
    lengths
        uint64, shape (fragments,): length of each item's value, without its 8 bytes of header.
    table
        The basic offset table, relative to the first item; empty when there is none.
    flags
        `missing_delimiter` when the file ends without the sequence delimiter.
    """

    __slots__ = ("flags", "lengths", "offsets", "table")

    def __init__(
        self, offsets: np.ndarray, lengths: np.ndarray, table: list[int], flags: set[str]
    ) -> None:
        self.offsets = offsets
        self.lengths = lengths
        self.table = table
        self.flags = flags


class _Window:
    """Reads item headers: one by one for large fragments, in windows for small ones."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._start = 0
        self._content = b""

    def read(self, offset: int, count: int, ahead: bool) -> bytes:
        at = offset - self._start
        if at < 0 or at + count > len(self._content):
            self._file.seek(offset)
            self._content = self._file.read(_WINDOW if ahead else count)
            self._start, at = offset, 0
        return self._content[at : at + count]


def read_fragments(file: BinaryIO, offset: int) -> Fragments:
    """Walk from the offset table item at `offset` to the sequence delimiter.

    Raises
    ------
    UnreadableError
        An item claims more bytes than the file has, or something else lies between items.
    LimitExceededError
        More than `MAX_FRAGMENTS` fragments.
    """
    size = file.seek(0, 2)
    window = _Window(file)
    offsets, lengths = array("Q"), array("Q")
    flags: set[str] = set()
    table: list[int] = []
    position, length, is_table = offset, 0, True
    while True:
        head = window.read(position, 8, length <= _SMALL)
        if len(head) < 8:
            # Everything is there but the end mark: seen in archives, nothing is lost.
            flags.add("missing_delimiter")
            break
        group, element, length = _HEAD.unpack(head)
        tag = group << 16 | element
        if tag == _SEQUENCE_END:
            break
        if tag != _ITEM:
            if not is_table and not head.strip(b"\0"):
                flags.add("missing_delimiter")
                break
            raise UnreadableError("no item where encapsulated pixel data should hold one")
        if position + 8 + length > size:
            missing = position + 8 + length - size
            raise UnreadableError(f"encapsulated pixel data cut short: {missing} bytes are missing")
        if is_table:
            if length > MAX_TABLE_BYTES:
                raise LimitExceededError("the basic offset table is too long")
            raw = window.read(position + 8, length, False)
            table = list(struct.unpack(f"<{length // 4}L", raw[: length // 4 * 4]))
        else:
            offsets.append(position)
            lengths.append(length)
            if len(offsets) > MAX_FRAGMENTS:
                raise LimitExceededError(f"more than {MAX_FRAGMENTS} fragments")
        is_table = False
        position += 8 + length
    return Fragments(
        np.frombuffer(offsets, np.uint64) if offsets else np.zeros(0, np.uint64),
        np.frombuffer(lengths, np.uint64) if lengths else np.zeros(0, np.uint64),
        table,
        flags,
    )
