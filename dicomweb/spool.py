"""Parts that must wait for others: in one file without a name, in the archive's incoming room."""

from __future__ import annotations

import os
from collections.abc import Callable

from archive import storage
from dicomweb.multipart import CHUNK_BYTES
from imaging.bulk_pixels import Piece

_CHECK_EVERY_BYTES = 64 << 20


class Spool:
    """Bytes appended and read again at places; gone when it is closed, or the process is."""

    def __init__(self) -> None:
        self._descriptor = -1
        self._end = 0
        self._next_check = 0

    def add(self, media_type: str, syntax: str, read: Callable[[int], bytes]) -> Piece:
        """Append what `read` gives until its end; raises StorageUnavailableError."""
        if self._descriptor < 0:
            self._descriptor, path = storage.incoming_room().create()
            path.unlink()
        start = self._end
        while chunk := read(CHUNK_BYTES):
            if self._end >= self._next_check:
                storage.check_reserve()
                self._next_check = self._end + _CHECK_EVERY_BYTES
            view = memoryview(chunk)
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError as error:
                raise storage.trouble(error) from error
            self._end += len(chunk)
        size = self._end - start

        def read_at(offset: int, count: int) -> bytes:
            left = max(min(count, size - offset), 0)
            return os.pread(self._descriptor, left, start + offset)

        return Piece(media_type, syntax, size, read_at)

    def close(self) -> None:
        """Give the space back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
