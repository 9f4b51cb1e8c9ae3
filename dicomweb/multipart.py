"""Bodies of many parts (multipart/related, RFC 2387 and RFC 2046 5.1), written and read in pieces.

Neither way is a part ever whole in memory: a writer is given pieces and yields pieces, a
reader hands out one part after the other as a stream that can be read once.
"""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from dicomweb.media_types import Range, parse_accept
from imaging.errors import LimitExceededError, UnreadableError

CHUNK_BYTES = 256 * 1024
_HEAD_BYTES = 16 * 1024
_PREAMBLE_BYTES = 64 * 1024
_MOST_HEADERS = 32
_MOST_PARTS = 100_000
# RFC 2046 5.1.1: no space at the end, and at most 70 characters; Orthanc sends 73.
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,199}[0-9A-Za-z'()+_,\-./:=?]")
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,100}")


# --- writing -------------------------------------------------------------------------------------
class OutPart(NamedTuple):
    """One part on its way out: its Content-Type, its pieces, other headers; a length if known."""

    content_type: str
    pieces: Iterable[bytes | memoryview]
    location: str = ""
    length: int | None = None


def new_boundary() -> str:
    """Return a boundary that no part can hold by accident or on purpose."""
    return secrets.token_hex(20)


def related(inner: str, boundary: str) -> str:
    """Return the Content-Type of a body whose parts are of one type, without parameters of it."""
    return f'multipart/related; type="{inner}"; boundary={boundary}'


def write_parts(parts: Iterable[OutPart], boundary: str) -> Iterator[bytes | memoryview]:
    """Yield a body of these parts; each is asked for when the one before it has left."""
    before = b""
    for part in parts:
        yield before + _head_of(part, boundary)
        yield from part.pieces
        before = b"\r\n"
    yield before + f"--{boundary}--\r\n".encode("ascii")


def length_of_parts(parts: Iterable[OutPart], boundary: str) -> int | None:
    """Return how long the body of these parts will be; None when one does not know its length."""
    total, count = 0, 0
    for part in parts:
        if part.length is None:
            return None
        total += len(_head_of(part, boundary)) + part.length
        count += 1
    return total + 2 * count + len(boundary) + 6


def _head_of(part: OutPart, boundary: str) -> bytes:
    lines = [f"--{boundary}", f"Content-Type: {part.content_type}"]
    if part.location:
        lines.append(f"Content-Location: {part.location}")
    if part.length is not None:
        lines.append(f"Content-Length: {part.length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


# --- reading -------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Limits:
    """What a body may cost before its parts are looked at."""

    parts: int = _MOST_PARTS
    head_bytes: int = _HEAD_BYTES
    preamble_bytes: int = _PREAMBLE_BYTES


@dataclass(frozen=True)
class BodyType:
    """What the Content-Type of a request says: its boundary, and what its parts should be."""

    boundary: str
    inner: str
    parameters: dict[str, str] = field(default_factory=dict)


def parse_body_type(content_type: str) -> BodyType | None:
    """Return what a Content-Type of many parts says; None when it is of another kind.

    Raises UnreadableError when it is multipart/related without a boundary that could be one.
    """
    found = parse_accept(content_type)
    if not found or found[0].kind != "multipart/related":
        return None
    parameters = found[0].parameters
    boundary = parameters.get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise UnreadableError("The body of many parts has no boundary that could be one.")
    return BodyType(boundary, parameters.get("type", "").lower(), parameters)


class InPart(io.RawIOBase):
    """One part that is being received: headers, then bytes to be read once.

    `headers` has names in lower case. Going on to the next part ends this one: what is left of
    it is thrown away.
    """

    def __init__(self, reader: PartReader, headers: dict[str, str]) -> None:
        super().__init__()
        self._reader = reader
        self.headers = headers
        types = parse_accept(headers.get("content-type", ""))
        self.media_type: Range | None = types[0] if types else None

    @property
    def kind(self) -> str:
        """The media type without parameters, in lower case; empty when none is said."""
        return self.media_type.kind if self.media_type else ""

    @property
    def location(self) -> str:
        """The Content-Location, by which metadata name their bulk data."""
        return self.headers.get("content-location", "")

    def readable(self) -> bool:
        """Whether it can be read: yes."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Return up to `size` bytes, b"" at the end of the part; a size must be given.

        Raises UnreadableError when the body ends before the part does, ConnectionError when
        the client goes away.
        """
        if size is None or size < 0:
            raise ValueError("A part is read in pieces.")
        return self._reader.read(self, size)

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer, as `io.BufferedReader` wants it."""
        target = memoryview(buffer).cast("B")
        data = self._reader.read(self, len(target))
        target[: len(data)] = data
        return len(data)


class PartReader:
    """The parts of a body, one after the other; at most two chunks are held.

    Iterating raises
    ----------------
    UnreadableError
        It is no body of many parts, or it ends before its closing boundary.
    LimitExceededError
        It has more parts, or longer heads, than the limits allow.
    """

    def __init__(self, file: BinaryIO, boundary: str, limits: Limits | None = None) -> None:
        self._file = file
        self._limits = limits or Limits()
        self._delimiter = b"\r\n--" + boundary.encode("latin-1")
        # The first boundary may open the body, without a line before it.
        self._held = bytearray(b"\r\n")
        self._at = 0
        self._part: InPart | None = None
        # Where the next delimiter is in what is held, None while it has not come; and up to
        # where there certainly is none.
        self._stop: int | None = None
        self._clear = 0
        self._is_over = False

    def __iter__(self) -> Iterator[InPart]:
        self._skip_preamble()
        for _ in range(self._limits.parts):
            if not self._pass_delimiter():
                return
            part = InPart(self, self._read_head())
            self._part, self._stop, self._clear = part, None, 0
            yield part
            while self.read(part, CHUNK_BYTES):
                pass
            self._part = None
        if self._pass_delimiter():
            raise LimitExceededError("The body has too many parts.")

    def read(self, part: InPart, size: int) -> bytes:
        """Return up to `size` bytes of a part; none when it has ended or is no longer current."""
        if part is not self._part or size == 0:
            return b""
        if self._stop is None and self._at >= self._clear:
            self._find_delimiter()
        end = self._clear if self._stop is None else self._stop
        data = bytes(memoryview(self._held)[self._at : min(self._at + size, end)])
        self._at += len(data)
        return data

    # --- what is held --------------------------------------------------------------------------
    def _find_delimiter(self) -> None:
        """Look for the delimiter; read until it has come or there is a byte to hand out."""
        while True:
            found = self._held.find(self._delimiter, self._at)
            if found >= 0:
                self._stop = found
                return
            # What could be the beginning of one is held back.
            self._clear = len(self._held) - len(self._delimiter) + 1
            if self._clear > self._at:
                return
            if not self._more():
                raise UnreadableError("The body ends before its last boundary.")

    def _more(self) -> bool:
        """Read another chunk; what was handed out goes."""
        chunk = self._file.read(CHUNK_BYTES)
        if self._at:
            del self._held[: self._at]
            self._at = 0
        self._held += chunk
        return bool(chunk)

    def _skip_preamble(self) -> None:
        left = self._limits.preamble_bytes
        while (found := self._held.find(self._delimiter, self._at)) < 0:
            keep = min(len(self._held) - self._at, len(self._delimiter))
            left -= len(self._held) - self._at - keep
            self._at = len(self._held) - keep
            if left < 0 or not self._more():
                raise UnreadableError("The body does not begin with its boundary.")
        if found - self._at > left:
            raise UnreadableError("The body does not begin with its boundary.")
        self._at = self._stop = found

    def _pass_delimiter(self) -> bool:
        """Go behind the delimiter; false when it was the last one."""
        if self._is_over:
            return False
        assert self._stop is not None
        self._at = self._stop + len(self._delimiter)
        line = self._read_line(self._limits.head_bytes, closing=True)
        if line.startswith(b"--"):
            self._is_over = True
            return False
        if line.strip(b" \t"):
            raise UnreadableError("Behind a boundary there is something else than a line's end.")
        return True

    def _read_head(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        left, last = self._limits.head_bytes, ""
        while line := self._read_line(left):
            left -= len(line) + 2
            text = line.decode("latin-1")
            if text[0] in " \t" and last:
                headers[last] += " " + text.strip()
                continue
            name, colon, value = text.partition(":")
            if not colon or not _HEADER_NAME.fullmatch(name):
                raise UnreadableError("A part has a header that is none.")
            last = name.lower()
            headers[last] = value.strip()
            if len(headers) > _MOST_HEADERS:
                raise LimitExceededError("A part has too many headers.")
        return headers

    def _read_line(self, most: int, *, closing: bool = False) -> bytes:
        """Return the line that begins here, without its end; the body may end it when closing."""
        while (end := self._held.find(b"\r\n", self._at)) < 0:
            if len(self._held) - self._at > most:
                raise LimitExceededError("The head of a part is too long.")
            if closing and self._held.startswith(b"--", self._at):
                # Nobody waits for what may follow the end.
                return b"--"
            if not self._more():
                raise UnreadableError("The body ends within the head of a part.")
        if end - self._at > most:
            raise LimitExceededError("The head of a part is too long.")
        line = bytes(self._held[self._at : end])
        self._at = end + 2
        return line
