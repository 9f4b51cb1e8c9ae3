"""Instances as Part 10 files on their way out: as stored, or in another transfer syntax."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from archive import storage
from archive.models import Instance
from archive.part10 import file_meta
from archive.transcode import transcoded
from dicomweb.multipart import OutPart
from dicomweb.syntaxes import choose_syntax
from imaging.errors import PermanentError
from viewer.file_stream import Piece

PIECE_BYTES = 1 << 18
_PREAMBLE_BYTES = 128


class Body:
    """One instance as a file: `length` bytes, to be read once or in part; close it after use.

    Raises
    ------
    MissingError, UnreadableError
        The stored file is gone or damaged.
    UndecodableError, UnsupportedError, MismatchError
        It cannot be put into this transfer syntax.
    TransientError
        The storage does not answer or has no room.
    """

    def __init__(self, instance: Instance, syntax: str) -> None:
        self.syntax = syntax
        self._stack = contextlib.ExitStack()
        self._piece: Piece | None = None
        if syntax == instance.transfer_syntax_uid:
            self._piece = self._stack.enter_context(_open_stored(instance))
            self.length = self._piece.length
        else:
            path = storage.path_of(instance.storage_key)
            made = self._stack.enter_context(transcoded(path, syntax))
            self._descriptor, _offset, self.length = made

    def __iter__(self) -> Iterator[bytes]:
        """Yield it in pieces, and close it."""
        with self._stack:
            if self._piece is not None:
                yield from self._piece
                return
            at = 0
            while piece := os.pread(self._descriptor, PIECE_BYTES, at):
                at += len(piece)
                yield piece

    def part(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to, not with, `end`, and close it."""
        at = 0
        for piece in self:
            if at + len(piece) > start:
                yield piece[max(0, start - at) : end - at]
            at += len(piece)
            if at >= end:
                break
        self.close()

    def close(self) -> None:
        """Close what is open; may be called twice."""
        self._stack.close()


def _open_stored(instance: Instance) -> Piece:
    """Open a stored file as it was received, but for the preamble, which becomes zeros.

    What came without file meta information gets it: on the wire it is a file.
    """
    with storage.open_instance(instance.storage_key) as file:
        has_preamble = file.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"
    if has_preamble:
        rest = instance.size_bytes - _PREAMBLE_BYTES
        return Piece(instance, _PREAMBLE_BYTES, rest, bytes(_PREAMBLE_BYTES))
    head = file_meta(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
    )
    offset = instance.dataset_offset
    return Piece(instance, offset, instance.size_bytes - offset, head)


def content_type_of(syntax: str) -> str:
    """Return the Content-Type of a file in a transfer syntax."""
    return f"application/dicom; transfer-syntax={syntax}"


def parts_of(plan: list[tuple[Instance, str]]) -> Iterator[OutPart]:
    """Yield the files of a plan, each opened when the one before it has left.

    What turns out not to fit its new transfer syntax leaves as it is stored, and says so.
    """
    for instance, syntax in plan:
        try:
            body = Body(instance, syntax)
        except PermanentError:
            stored = choose_syntax(instance, [instance.transfer_syntax_uid])
            if stored is None or stored == syntax:
                raise
            body = Body(instance, stored)
        yield OutPart(content_type_of(body.syntax), body, length=body.length)


def is_there(instance: Instance) -> bool:
    """Whether the stored file is there and has its size."""
    try:
        return storage.path_of(instance.storage_key).stat().st_size == instance.size_bytes
    except OSError:
        return False
