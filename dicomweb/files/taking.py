"""Uploads of the file interface: one file of bounded size, into the archive by the one way in."""

from __future__ import annotations

import uuid
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.uploadhandler import StopUpload

from accounts import audit
from accounts.models import User
from archive.access import may_see_quarantine
from archive.arrival import Outcome, Source
from archive.ingest import ingest_file
from dicomweb.destination import HEAD_BYTES, choose_destination, read_names
from imaging.errors import NotAllowedError
from worklist.uploading import RoomFile, RoomUploadHandler

_SPARE_BYTES = 64 << 20


class OneFileHandler(RoomUploadHandler):
    """Streams a request's files into the archive's incoming room, up to the limit together.

    What comes beyond it is read and dropped, so that the sender reads the answer; twice the
    limit ends the connection.
    """

    is_too_large = False
    _all_bytes = 0

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Write a piece, or drop it once the request is too large."""
        self._all_bytes += len(raw_data)
        limit: int = settings.DICOM_MAX_FILE_SIZE
        if self._all_bytes <= limit:
            super().receive_data_chunk(raw_data, start)
            return
        if not self.is_too_large:
            self.is_too_large = True
            self.upload_interrupted()
        if self._all_bytes > 2 * limit + _SPARE_BYTES:
            raise StopUpload(connection_reset=True)

    def file_complete(self, file_size: int) -> Any:
        """Hand the whole file over; a file that was dropped is none."""
        if self.is_too_large:
            return None
        file: RoomFile = super().file_complete(file_size)
        return file


def max_file_megabytes() -> str:
    """Return the limit as answers name it: whole megabytes where it is whole."""
    return f"{settings.DICOM_MAX_FILE_SIZE / (1 << 20):.6g}"


def choose_facility(user: User, code: str, file: BinaryIO) -> uuid.UUID | None:
    """Return where the file goes: see `dicomweb.destination`. The file stays at its beginning.

    What nothing places is the quarantine's when an administrator sends it. Raises QueryError
    for a facility that is none of the user's, NotAllowedError when several are possible.
    """
    destination = choose_destination(user, code)
    named = read_names(file.read(HEAD_BYTES))
    file.seek(0)
    try:
        return destination.of_study(named.study_instance_uid)
    except NotAllowedError:
        if may_see_quarantine(user):
            return None
        raise


def take_file(user: User, file: BinaryIO, facility_id: uuid.UUID | None, address: str) -> Outcome:
    """Store the file and write the trail; raises as `archive.ingest.ingest_file`."""
    source = Source(
        door="upload",
        sender=user.get_username(),
        facility_id=facility_id,
        address=address,
        user_id=user.pk,
    )
    outcome: Outcome | None = None
    try:
        outcome = ingest_file(source, file)
        return outcome
    finally:
        file.close()
        audit.record_for_user(
            user,
            "upload",
            address=address,
            outcome="success" if outcome else "failure",
            facility_id=facility_id,
            study_instance_uid=outcome.study_instance_uid if outcome else "",
            detail={"by": "files", "files": 1, (outcome.status if outcome else "refused"): 1},
        )
