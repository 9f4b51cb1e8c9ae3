"""The one way in: every door hands its bytes to this module.

An object is received into a temporary file on the archive's own file system
(hashed on the way, never held in memory), its header is read within bounds,
the file is made durable, and one transaction, shared with whatever else is
ready at that moment, writes all rows. Only then is there an outcome.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import partial
from typing import BinaryIO

from archive import storage
from archive.arrival import Arrival, Outcome, Source
from archive.commit import commit
from archive.verify import CHUNK_BYTES, digest_parts
from imaging.errors import MismatchError, UnreadableError
from imaging.facts import InstanceFacts
from imaging.frames import index_frames
from imaging.header import NATIVE_SYNTAXES, Header, read_header

__all__ = ["Intake", "Outcome", "Source", "ingest_file", "open_intake"]

# Linux takes pieces of this size into its page cache at half the cost of larger ones.
WRITE_BYTES = 64 * 1024
_CHECK_RESERVE_EVERY_BYTES = 64 * 1024 * 1024


def open_intake(source: Source, *, study_instance_uid: str = "") -> Intake:
    """Begin to receive one object; of this study alone, when it is named.

    Raises StorageUnavailableError when there is no room for it.
    """
    return Intake(source, study_instance_uid)


def ingest_file(source: Source, file: BinaryIO) -> Outcome:
    """Store one Part 10 file from its present position to its end.

    Blocks until the instance is durable and in the index.

    Raises
    ------
    PermanentError
        The file is not DICOM, breaks a bound, or names no identity.
    TransientError
        Storage or database cannot take it now; nothing was kept.
    """
    with contextlib.closing(open_intake(source)) as intake:
        while chunk := file.read(CHUNK_BYTES):
            intake.write(chunk)
        return intake.finish()


class Intake:
    """One object on its way in. `close` (or `abandon`) leaves nothing behind."""

    def __init__(self, source: Source, study_instance_uid: str = "") -> None:
        storage.check_reserve()
        self._source = source
        self._study = study_instance_uid
        self._descriptor, self._path = storage.incoming_room().create()
        self._is_open = True
        self._size_bytes = 0
        self._next_check_bytes = _CHECK_RESERVE_EVERY_BYTES
        self._meta_sha256 = ""
        self._dataset_offset: int | None = None
        self._hash = hashlib.sha256()

    @property
    def size_bytes(self) -> int:
        """How much has been written."""
        return self._size_bytes

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes.

        Raises StorageUnavailableError when the disk does not take them.
        """
        view = memoryview(data)
        self._hash.update(view)
        self._size_bytes += len(view)
        try:
            while view:
                view = view[os.write(self._descriptor, view[:WRITE_BYTES]) :]
        except OSError as error:
            raise storage.trouble(error) from error
        if self._size_bytes >= self._next_check_bytes:
            storage.check_reserve()
            self._next_check_bytes += _CHECK_RESERVE_EVERY_BYTES

    def begin_dataset(self) -> None:
        """Say that file meta information ends here; a door that knows saves a second reading."""
        self._meta_sha256 = self._hash.hexdigest()
        self._dataset_offset = self._size_bytes
        self._hash = hashlib.sha256()

    def finish(self, expect: tuple[str, str] | None = None) -> Outcome:
        """Store what was written; blocks until it is durable and in the index.

        Parameters
        ----------
        expect : (SOP class UID, SOP instance UID), optional
            What the command said; the data set must say the same (PS3.4 B.2.2), and be
            encoded as its presentation context says. Files may be mended instead: nobody agreed.

        Raises
        ------
        IdentityError, MismatchError, UnreadableError, LimitExceededError
            The object is refused; nothing was kept.
        StorageUnavailableError, IndexUnavailableError
            It cannot be stored now; nothing was kept.
        """
        try:
            arrival = self._examine(expect)
            if self._study not in ("", arrival.facts.study_instance_uid):
                raise MismatchError("It belongs to another study than the one asked for.")
            return commit(arrival, partial(self._publish, arrival.storage_key))
        finally:
            self.close()

    def abandon(self) -> None:
        """Drop what was written."""
        self.close()

    def close(self) -> None:
        """Close the file and remove it where it still is temporary. May be called twice."""
        if self._is_open:
            self._is_open = False
            os.close(self._descriptor)
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _publish(self, storage_key: str) -> None:
        storage.publish(self._descriptor, self._path, storage_key)

    def _examine(self, expect: tuple[str, str] | None) -> Arrival:
        """Read the header and say what arrived."""
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            header = read_header(file, size=self._size_bytes)
            frames = index_frames(file, header)
            facts = InstanceFacts.from_header(header, frames)
            if expect is not None and expect != (facts.sop_class_uid, facts.sop_instance_uid):
                raise MismatchError("The data set's SOP class or instance is not the command's.")
            if expect is not None and _is_in_another_syntax(header):
                raise UnreadableError("The data set is not in the transfer syntax agreed on.")
            meta_sha256, dataset_sha256 = self._digests(file, header.dataset_offset)
        return Arrival(
            source=self._source,
            facts=facts,
            storage_key=storage.new_storage_key(
                self._source.facility_id,
                facts.study_instance_uid,
                facts.series_instance_uid,
                dataset_sha256,
            ),
            size_bytes=self._size_bytes,
            dataset_offset=header.dataset_offset,
            dataset_sha256=dataset_sha256,
            meta_sha256=meta_sha256,
            frame_table=frames.to_bytes() if facts.has_pixel_data else None,
        )

    def _digests(self, file: BinaryIO, dataset_offset: int) -> tuple[str, str]:
        """Return the SHA-256 of what lies before the data set and of the data set itself."""
        if self._dataset_offset is not None:
            if self._dataset_offset != dataset_offset:
                raise UnreadableError("The file meta information does not end where it says.")
            return self._meta_sha256, self._hash.hexdigest()
        return digest_parts(file, dataset_offset)


def _is_in_another_syntax(header: Header) -> bool:
    """Whether the bytes are plainly encoded otherwise than the transfer syntax says."""
    return "syntax_mismatch" in header.flags and header.transfer_syntax_uid in NATIVE_SYNTAXES
