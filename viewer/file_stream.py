"""Parts of stored files on their way out, piece by piece, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

from archive import storage
from archive.models import Instance
from imaging.errors import MissingError, UnreadableError, UnsupportedError
from imaging.header import Header

PIECE_BYTES = 256 * 1024
_PREAMBLE_BYTES = 128


class Piece:
    """A span of a stored file; `head` goes before it. Closes its file when it is done."""

    def __init__(self, instance: Instance, offset: int, length: int, head: bytes = b"") -> None:
        self._descriptor = storage.open_descriptor(instance.storage_key)
        self._is_open = True
        self.length = len(head) + length
        self._head, self._offset, self._left = head, offset, length
        if os.fstat(self._descriptor).st_size != instance.size_bytes:
            self.close()
            raise UnreadableError("The file is damaged: it has another size than was stored.")

    def read(self, count: int) -> bytes:
        """Return the next bytes, none at the end."""
        if self._head:
            head, self._head = self._head, b""
            return head
        data = os.pread(self._descriptor, min(count, self._left), self._offset)
        self._offset += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        while data := self.read(PIECE_BYTES):
            yield data


class AsyncPiece:
    """The same under ASGI: each piece is read in a thread, none in the event loop."""

    def __init__(self, piece: Piece) -> None:
        self._piece = piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await asyncio.to_thread(self._piece.read, PIECE_BYTES):
            yield data


def open_file(instance: Instance) -> Piece:
    """Open a stored file as it was received, but for the preamble, which becomes zeros."""
    with storage.open_instance(instance.storage_key) as file:
        has_preamble = file.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"
    start = _PREAMBLE_BYTES if has_preamble else 0
    return Piece(instance, start, instance.size_bytes - start, bytes(start))


def open_document(instance: Instance, header: Header) -> Piece:
    """Open the document that an object encapsulates (PS3.3 A.45).

    Raises MissingError when there is none, UnsupportedError when the data set is deflated.
    """
    span = header.span("EncapsulatedDocument")
    if span is None or not span[1]:
        raise MissingError("There is no document in this file.")
    if header.is_deflated:
        raise UnsupportedError("This document is deflated; save the file.")
    offset, length = span
    # Without the padding that makes the value's length even.
    exact = header.integer("EncapsulatedDocumentLength")
    if exact is not None and 0 < exact <= length:
        length = exact
    return Piece(instance, offset, length)
