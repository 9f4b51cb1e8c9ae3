"""Files that people send by the page: who may, where to, and what became of each."""

from __future__ import annotations

import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from django.contrib.auth.models import AnonymousUser
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from accounts import audit
from accounts.models import Facility, Role, User
from archive import storage
from archive.access import may_see_quarantine
from archive.importing import Verdict, import_stream
from archive.ingest import Source
from archive.unpack import safe_name
from imaging.errors import StorageUnavailableError
from worklist.filters import QUARANTINE, find_facilities

UPLOADERS = (Role.TECHNOLOGIST, Role.RADIOLOGIST, Role.FACILITY_ADMIN, Role.ADMIN)
# Tells an answer that came to its end from one that broke off.
LAST_LINE = b'{"done": true}\n'


class UnknownFacilityError(ValueError):
    """The chosen facility is none of the user's."""


def may_upload(user: User | AnonymousUser) -> bool:
    """Whether the user's role may bring studies in."""
    if not user.is_authenticated or not user.is_active:
        return False
    return user.is_archive_admin or user.role in UPLOADERS


def find_destinations(user: User) -> list[tuple[str, str]]:
    """Return (code, name) of the facilities into which the user may upload."""
    return [(facility.code, facility.name) for facility in find_facilities(user)]


def read_destination(user: User, code: str) -> uuid.UUID | None:
    """Return the facility's key; None is the quarantine, which administrators may choose.

    Raises UnknownFacilityError for a facility that the user does not see, and
    for no choice when there is more than one.
    """
    facilities: dict[str, Facility] = {one.code: one for one in find_facilities(user)}
    if code in facilities:
        return facilities[code].pk
    if code == QUARANTINE and may_see_quarantine(user):
        return None
    if not code and len(facilities) == 1 and not may_see_quarantine(user):
        return next(iter(facilities.values())).pk
    raise UnknownFacilityError(code)


class RoomFile(UploadedFile):  # type: ignore[type-arg]  # no type argument at run time
    """An uploaded file without a name on the disk: it is gone with the process."""

    def close(self) -> None:
        """Give the space back."""
        if self.file is not None:
            self.file.close()


class RoomUploadHandler(FileUploadHandler):
    """Streams each file of a request into the archive's incoming room.

    Nothing is held in memory; there is no path that anybody could find; the
    archive's reserve of free space is kept.
    """

    trouble: StorageUnavailableError | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super().new_file(*args, **kwargs)
        self._written_bytes = 0
        try:
            storage.check_reserve()
            descriptor, path = storage.incoming_room().create()
        except StorageUnavailableError as error:
            self._stop(error)
        path.unlink()
        self._file = os.fdopen(descriptor, "w+b")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a piece."""
        try:
            self._file.write(raw_data)
            before, self._written_bytes = self._written_bytes, self._written_bytes + len(raw_data)
            if before >> 26 != self._written_bytes >> 26:  # every 64 MiB
                storage.check_reserve()
        except StorageUnavailableError as error:
            self._stop(error)
        except OSError as error:
            self._stop(storage.trouble(error))

    def file_complete(self, file_size: int) -> RoomFile:
        """Hand the whole file over, at its beginning."""
        self._file.seek(0)
        return RoomFile(
            file=self._file, name=self.file_name, content_type=self.content_type, size=file_size
        )

    def upload_interrupted(self) -> None:
        """Give the space of a file back whose sender went away."""
        if getattr(self, "_file", None) is not None:
            self._file.close()

    def _stop(self, error: StorageUnavailableError) -> None:
        """Drop the rest of the request; the view says why."""
        self.trouble = error
        self.upload_interrupted()
        raise StopUpload(connection_reset=False) from error


@dataclass(frozen=True)
class Offer:
    """One request's files, read and not yet stored."""

    user: User
    address: str
    facility_id: uuid.UUID | None
    files: Sequence[tuple[str, BinaryIO]]


def name_files(names: Sequence[str], files: Sequence[Any]) -> list[tuple[str, BinaryIO]]:
    """Return (name, file): the path in the sender's folder where told, else the file's name."""
    told = list(names) if len(names) == len(files) else [""] * len(files)
    return [
        (safe_name(name or file.name or ""), file) for name, file in zip(told, files, strict=True)
    ]


def store(offer: Offer) -> Iterator[tuple[int, Verdict]]:
    """Store the files; yield (number of the file, verdict) as they happen.

    One audit row tells of the whole, also when the sender goes away early.
    """
    source = Source(
        door="upload",
        sender=offer.user.get_username(),
        facility_id=offer.facility_id,
        address=offer.address,
        user_id=offer.user.pk,
    )
    counts: Counter[str] = Counter()
    try:
        for number, (name, file) in enumerate(offer.files):
            for verdict in import_stream(source, file, name):
                counts[verdict.status] += 1
                yield number, verdict
            file.close()
    finally:
        for _, file in offer.files:
            file.close()
        audit.record_for_user(
            offer.user,
            "upload",
            address=offer.address,
            outcome="failure" if counts["refused"] else "success",
            facility_id=offer.facility_id,
            detail={"files": len(offer.files), **counts},
        )


def as_line(number: int, verdict: Verdict) -> bytes:
    """Return a verdict as one line of JSON."""
    facts = {
        "file": number,
        "name": verdict.name,
        "status": verdict.status,
        "reason": verdict.reason,
        "study": verdict.study_instance_uid,
    }
    return json.dumps(facts).encode() + b"\n"
