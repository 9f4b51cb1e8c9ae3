"""Reading `multipart/related` as it comes (RFC 2046 5.1, RFC 2387): one part after another.

Nothing is held but a piece and what might be the beginning of a boundary, so a part may be of
any size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

HEADER_BYTES = 16 * 1024
PREAMBLE_BYTES = 64 * 1024
PARTS_LIMIT = 200_000
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")
_PARAMETER = re.compile(r';\s*boundary\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;]+)', re.IGNORECASE)


class BrokenMultipartError(Exception):
    """The body is not what its header says."""


def find_boundary(content_type: str) -> bytes:
    """Return the boundary that a Content-Type names. Raises BrokenMultipartError."""
    found = _PARAMETER.search(content_type[:1024])
    text = found.group(1) if found else ""
    if text.startswith('"'):
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    if not _BOUNDARY.fullmatch(text):
        raise BrokenMultipartError("no boundary")
    return text.encode("ascii")


class Parts:
    """The parts of a body that comes in pieces. Iterate once; read each part before the next."""

    def __init__(self, pieces: Iterator[bytes], boundary: bytes) -> None:
        self._pieces = pieces
        self._delimiter = b"\r\n--" + boundary
        # As if a line had ended before the body: the first boundary may be its first line.
        self._buffer = bytearray(b"\r\n")
        self._is_in_part = False
        self._has_ended = False

    def __iter__(self) -> Iterator[Part]:
        """Yield each part; what was not read of it is skipped.

        Raises BrokenMultipartError when the body ends before its end, or is too long where no
        part may be.
        """
        self._skip_preamble()
        for _ in range(PARTS_LIMIT):
            if not self._begin_part():
                return
            yield Part(self._read_headers(), self.read())
            for _rest in self.read():
                pass
        raise BrokenMultipartError("too many parts")

    def read(self) -> Iterator[bytes]:
        """Yield the present part's content up to its boundary."""
        keep = len(self._delimiter) - 1
        while self._is_in_part:
            at = self._buffer.find(self._delimiter)
            if at >= 0:
                content = bytes(self._buffer[:at])
                del self._buffer[: at + len(self._delimiter)]
                self._is_in_part = False
                if content:
                    yield content
                return
            if len(self._buffer) > keep:
                content = bytes(self._buffer[:-keep])
                del self._buffer[:-keep]
                yield content
            self._more()

    def _skip_preamble(self) -> None:
        self._is_in_part = True
        skipped = 0
        for piece in self.read():
            skipped += len(piece)
            if skipped > PREAMBLE_BYTES:
                raise BrokenMultipartError("no boundary where the first should be")

    def _begin_part(self) -> bool:
        """Read what stands behind a boundary; false behind the last one."""
        while b"\n" not in self._buffer and not self._buffer.startswith(b"--"):
            if len(self._buffer) > HEADER_BYTES:
                raise BrokenMultipartError("a boundary's line does not end")
            self._more()
        if self._buffer.startswith(b"--"):
            return False
        line, _newline, rest = self._buffer.partition(b"\n")
        if line.strip():
            raise BrokenMultipartError("something stands behind a boundary")
        # The line's end belongs to the headers, so that no header at all is found too.
        self._buffer = bytearray(b"\r\n") + rest
        self._is_in_part = True
        return True

    def _read_headers(self) -> dict[str, str]:
        while (at := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > HEADER_BYTES:
                raise BrokenMultipartError("a part's headers do not end")
            self._more()
        if at > HEADER_BYTES:
            raise BrokenMultipartError("a part's headers are too long")
        lines = bytes(self._buffer[:at]).decode("latin-1").split("\r\n")
        # The last line's end may begin the next boundary, when the part is empty.
        del self._buffer[: at + 2]
        headers = {}
        for line in lines:
            name, _colon, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if not self._buffer.startswith(self._delimiter):
            while len(self._buffer) < len(self._delimiter):
                self._more()
            if not self._buffer.startswith(self._delimiter):
                del self._buffer[:2]
        return headers

    def _more(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            raise BrokenMultipartError("it ends before its end")
        self._buffer += piece


class Part:
    """One part: its headers, by lower-case name, and its content as it comes."""

    def __init__(self, headers: dict[str, str], content: Iterator[bytes]) -> None:
        self.headers = headers
        self.content = content
