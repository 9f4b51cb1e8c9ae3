"""Uploads in pieces: begun, continued where they stopped, given up, forgotten.

The bytes lie in one file in the storage, and its length is how far the upload is: what was
written before a connection broke, or a process died, stays and is not sent again.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import record_for_user
from accounts.models import User
from archive import storage
from archive.access import VisibleQuerySet
from archive.unpack import safe_name
from imaging.errors import ConflictError, MissingError, NotAllowedError, TooBroadError
from worklist.upload_models import Upload
from worklist.uploading import may_upload

OPEN_LIMIT = 20
SIZE_LIMIT_BYTES = 256 << 30
PIECE_BYTES = 1 << 20
# Without a byte for so long it is given up; a finished one is told about for so long.
SILENCE = timedelta(hours=24)
KEPT = timedelta(days=7)
_CHECK_RESERVE_BYTES = 64 << 20

State = Upload.State
OPEN = (State.RECEIVING, State.WAITING, State.STORING)


class OffsetError(Exception):
    """The piece does not begin where the upload stands; the door tells it as a conflict."""

    def __init__(self, offset: int) -> None:
        super().__init__(_("The upload stands at another byte: continue there."))
        self.offset = offset


def visible_to(user: User) -> VisibleQuerySet[Upload]:
    """Return a person's own uploads, into facilities that they still see."""
    mine: VisibleQuerySet[Upload] = Upload.objects.visible_to(user).filter(created_by=user)
    return mine.select_related("facility")


def find_upload(user: User, key: uuid.UUID) -> Upload:
    """Return one of a person's uploads. Raises MissingError."""
    found = visible_to(user).filter(pk=key).first()
    if found is None:
        raise MissingError(_("Not found."))
    return found


def begin_upload(
    user: User,
    facility_id: uuid.UUID | None,
    *,
    name: str,
    size_bytes: int,
    sha256: str = "",
    address: str = "",
) -> Upload:
    """Make room for a file of this size.

    Raises
    ------
    NotAllowedError
        The person's role may not upload.
    TooBroadError
        It is larger than any upload may be.
    ConflictError
        The person has too many under way.
    StorageUnavailableError
        There is no room for it.
    """
    if not may_upload(user):
        raise NotAllowedError(_("Your role may not upload."))
    if size_bytes > SIZE_LIMIT_BYTES:
        raise TooBroadError(_("The file is larger than an upload may be."))
    with transaction.atomic():
        under_way = Upload.objects.filter(created_by=user, state__in=OPEN)
        promised = sum(
            max(0, size - length_of(key))
            for key, size in Upload.objects.filter(state=State.RECEIVING).values_list(
                "pk", "size_bytes"
            )
        )
        if under_way.count() >= OPEN_LIMIT:
            raise ConflictError(_("You have many uploads under way: finish or delete one first."))
        storage.check_reserve(size_bytes + promised)
        now = timezone.now()
        upload = Upload.objects.create(
            facility_id=facility_id,
            created_by=user,
            name=safe_name(name),
            size_bytes=size_bytes,
            sha256=sha256.lower(),
            address=address,
            created_at=now,
            expires_at=now + SILENCE,
        )
        _create_file(upload.pk)
    return upload


def append(upload: Upload, offset: int, read: Callable[[int], bytes]) -> Upload:
    """Write a piece that begins at `offset`; what came before a break stays written.

    `read` gives the next bytes of the piece, b"" at its end. The last piece puts the upload in
    line to be stored.

    Raises
    ------
    OffsetError
        The upload stands elsewhere, or is complete, or another piece is being written.
    TooBroadError
        The piece goes beyond the end; nothing of it was kept.
    StorageUnavailableError
        The disk does not take it.
    """
    if upload.state != State.RECEIVING:
        raise OffsetError(upload.size_bytes)
    with _writing(upload.pk) as descriptor:
        if offset != os.fstat(descriptor).st_size:
            raise OffsetError(os.fstat(descriptor).st_size)
        try:
            _write(descriptor, upload, offset, read)
        finally:
            _sync(descriptor)
        is_whole = os.fstat(descriptor).st_size == upload.size_bytes
        changes: dict[str, object] = {"expires_at": timezone.now() + SILENCE}
        if is_whole:
            changes["state"] = State.WAITING
        Upload.objects.filter(pk=upload.pk, state=State.RECEIVING).update(**changes)
    upload.refresh_from_db()
    return upload


def _write(descriptor: int, upload: Upload, offset: int, read: Callable[[int], bytes]) -> None:
    position = offset
    checked = offset
    while piece := read(PIECE_BYTES):
        if position + len(piece) > upload.size_bytes:
            os.ftruncate(descriptor, offset)
            raise TooBroadError(_("The piece goes beyond the end of the file that was told."))
        view = memoryview(piece)
        try:
            while view:
                written = os.pwrite(descriptor, view, position)
                view, position = view[written:], position + written
        except OSError as error:
            raise storage.trouble(error) from error
        if position - checked >= _CHECK_RESERVE_BYTES:
            storage.check_reserve()
            checked = position


def delete_upload(user: User, upload: Upload, *, address: str = "") -> None:
    """Give an upload up, or forget one that has ended; what is stored stays stored."""
    with transaction.atomic():
        gone, _rows = Upload.objects.filter(pk=upload.pk).delete()
        if gone and upload.state in OPEN:
            record_for_user(
                user,
                "upload_given_up",
                address=address,
                facility_id=upload.facility_id,
                detail={"upload": str(upload.pk)},
            )
        transaction.on_commit(lambda: remove_file(upload.pk))


def forget_old() -> None:
    """Remove uploads whose time is over, and files without a row. Safe to repeat."""
    now = timezone.now()
    over = Upload.objects.filter(expires_at__lt=now).exclude(
        state__in=(State.WAITING, State.STORING)
    )
    for key in list(over.values_list("pk", flat=True)):
        Upload.objects.filter(pk=key).delete()
        remove_file(key)
    for path in _files():
        with suppress(ValueError, OSError):
            is_old = now.timestamp() - path.stat().st_mtime > SILENCE.total_seconds()
            if is_old and not Upload.objects.filter(pk=uuid.UUID(path.name)).exists():
                path.unlink(missing_ok=True)


# --- files ------------------------------------------------------------------------
def path_of(key: uuid.UUID) -> Path:
    """Return where the bytes of an upload lie."""
    return storage.root() / "uploads" / str(key)


def length_of(key: uuid.UUID) -> int:
    """Return how many bytes have come, 0 when there is no file."""
    try:
        return path_of(key).stat().st_size
    except OSError:
        return 0


def offset_of(upload: Upload) -> int:
    """Return how far an upload is."""
    return length_of(upload.pk) if upload.state == State.RECEIVING else upload.size_bytes


def remove_file(key: uuid.UUID) -> None:
    """Remove the bytes of an upload; they may be gone already."""
    with suppress(OSError):
        path_of(key).unlink(missing_ok=True)


def _files() -> Iterator[Path]:
    with suppress(OSError):
        yield from (storage.root() / "uploads").iterdir()


def _create_file(key: uuid.UUID) -> None:
    path = path_of(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o640, exist_ok=False)
        storage.sync_directory(path.parent)
    except OSError as error:
        raise storage.trouble(error) from error


@contextmanager
def _writing(key: uuid.UUID) -> Iterator[int]:
    """Open an upload's file for one writer; raises OffsetError while there is another."""
    try:
        descriptor = os.open(path_of(key), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise MissingError(_("Not found.")) from None
    except OSError as error:
        raise storage.trouble(error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OffsetError(os.fstat(descriptor).st_size) from None
        yield descriptor
    finally:
        os.close(descriptor)


def _sync(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        raise storage.trouble(error) from error
