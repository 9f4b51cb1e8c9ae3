"""Which fragments begin a frame, by what they hold, so that a wrong offset table shows."""

import struct
from itertools import pairwise
from typing import BinaryIO

import numpy as np

from imaging.fragments import Fragments
from imaging.header import Header

RLE_LOSSLESS = "1.2.840.10008.1.2.5"
CODESTREAM_SYNTAXES = frozenset(
    f"1.2.840.10008.1.2.4.{suffix}"
    for suffix in (50, 51, 53, 55, 57, 70, 80, 81, 90, 91, 92, 93, 201, 202, 203)
)
# SOI and the next marker, SOC and SIZ, the signature box of JP2.
_START_MARKERS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")
_END_MARKER = b"\xff\xd9"
_RLE_HEAD = struct.Struct("<16L")
# Places of a file read to believe a table; more would cost what the table is to spare.
MAX_PROBES = 64


class FrameStarts:
    """Looks into fragments of one file."""

    def __init__(self, file: BinaryIO, header: Header, fragments: Fragments) -> None:
        self._file = file
        self._fragments = fragments
        self._is_rle = header.transfer_syntax_uid == RLE_LOSSLESS
        samples = header.integer("SamplesPerPixel") or 1
        self._segments = samples * ((header.integer("BitsAllocated") or 8) + 7) // 8
        self.is_known = self._is_rle or header.transfer_syntax_uid in CODESTREAM_SYNTAXES

    def begins(self, number: int) -> bool:
        """Whether a fragment begins as a codestream does, or with the header of RLE (G.5)."""
        head = self._head(number, 64 if self._is_rle else 12)
        if not self._is_rle:
            return head.startswith(_START_MARKERS)
        if len(head) < 64:
            return False
        count, *offsets = _RLE_HEAD.unpack(head)
        used, unused = offsets[:count], offsets[count:]
        rising = all(first < second for first, second in pairwise(used))
        return count == self._segments and used[:1] == [64] and rising and not any(unused)

    def follows_an_end(self, number: int) -> bool:
        """Whether the fragment before it ends a codestream: a frame is due, however damaged."""
        if number == 0:
            return True
        offset = int(self._fragments.offsets[number - 1]) + 8
        length = int(self._fragments.lengths[number - 1])
        tail = min(length, 8)
        self._file.seek(offset + length - tail)
        return not self._is_rle and self._file.read(tail).rstrip(b"\0").endswith(_END_MARKER)

    def are_right(self, firsts: np.ndarray) -> bool:
        """Whether frames begin at these fragments, by up to `MAX_PROBES` of them."""
        if not self.is_known:
            return True
        places = np.unique(np.linspace(0, len(firsts) - 1, MAX_PROBES).astype(np.int64))
        return all(
            self.begins(number) or self.follows_an_end(number)
            for number in map(int, firsts[places])
        )

    def find(self, declared: int) -> np.ndarray:
        """Return the fragments that begin a frame.

        Those that begin as a codestream does; where these are not as many as declared, also
        those after the end of one, so that a damaged frame does not shift the others.
        """
        found: list[int] = []
        due: list[int] = []
        for number in range(len(self._fragments.offsets)):
            if self.begins(number):
                found.append(number)
            elif self._fragments.lengths[number] and self.follows_an_end(number):
                due.append(number)
        if len(found) != declared and due:
            found = sorted(found + due)
        return np.array(found, np.int64)

    def _head(self, number: int, count: int) -> bytes:
        self._file.seek(int(self._fragments.offsets[number]) + 8)
        return self._file.read(min(count, int(self._fragments.lengths[number])))
