"""The bytes of a stored video without item headers, read anywhere. Workers use it, too."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from imaging.errors import UnreadableError
from imaging.video import HEAD_BYTES, demuxer_of, recognise_container

PIECE_BYTES = 256 << 10


class VideoStream:
    """The bytes of a video, counted from 0 without item headers; close it after use.

    Attributes
    ----------
    size
        Bytes of the stream, a padding byte at its end included.
    content_type
        What the first bytes are.
    demuxer
        By which name FFmpeg unpacks it; empty when it may not.
    """

    def __init__(self, file: BinaryIO, spans: Sequence[tuple[int, int]]) -> None:
        self._file = file
        self.spans = spans
        self._starts = [0]
        for _offset, length in spans:
            self._starts.append(self._starts[-1] + length)
        self.size = self._starts[-1]
        head = self._head()
        self.content_type = recognise_container(head)
        self.demuxer = demuxer_of(self.content_type, head)

    def _head(self) -> bytes:
        head = b""
        while len(head) < HEAD_BYTES and (piece := self.read(len(head), HEAD_BYTES - len(head))):
            head += piece
        return head

    def read(self, start: int, count: int) -> bytes:
        """Return at most `count` bytes from `start`: up to the end of a fragment."""
        if not 0 <= start < self.size:
            return b""
        part = bisect_right(self._starts, start) - 1
        count = min(count, self._starts[part + 1] - start)
        offset = self.spans[part][0] + start - self._starts[part]
        data = os.pread(self._file.fileno(), count, offset)
        if len(data) != count:
            raise UnreadableError("The file is damaged: it ends before its video.")
        return data

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to, not with, `end`; the file is closed then."""
        try:
            while start < end and (piece := self.read(start, min(PIECE_BYTES, end - start))):
                yield piece
                start += len(piece)
        finally:
            self.close()

    def fileno(self) -> int:
        """Return the descriptor of the open file."""
        return self._file.fileno()

    def close(self) -> None:
        """Close the file; safe to repeat."""
        self._file.close()
