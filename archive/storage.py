"""Files of the archive: where they lie and how they become durable.

Everything is below one directory on one file system: `incoming/` holds files
that are being received, `studies/` the archive, `thumbnails/` what can be made
again, `exports/` and `derived/` what waits to be fetched. Names come from hashes and keys,
never from a sender's text.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from archive.per_process import PerProcess
from imaging.errors import MissingError, StorageUnavailableError

_DISK_TROUBLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM}
_RESERVE_SHARE = 0.05
_RESERVE_BYTES = 5 * 1024**3
_BEING_MADE = ".new-"
_BEING_MADE_SECONDS = 3600


def root() -> Path:
    """Return the archive's directory from NOCTIS_STORAGE."""
    return Path(settings.NOCTIS_STORAGE.removeprefix("file:"))


def path_of(storage_key: str) -> Path:
    """Return the path of a stored file; keys come from the database alone.

    Raises MissingError for a key that would leave the archive's directory.
    """
    return root() / _checked(storage_key)


def place_of(storage_key: str) -> str:
    """Return `path_of` as text, in a tenth of its time."""
    return f"{settings.NOCTIS_STORAGE.removeprefix('file:')}/{_checked(storage_key)}"


def open_instance(storage_key: str) -> BinaryIO:
    """Open a stored file for reading.

    Raises MissingError when it is not there, StorageUnavailableError when
    the storage does not answer.
    """
    try:
        return path_of(storage_key).open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError("The stored file is missing.") from None
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be read.") from error


def open_descriptor(storage_key: str) -> int:
    """Open a stored file for reads at offsets; the caller closes the descriptor.

    Raises as `open_instance`, in a third of its time.
    """
    try:
        return os.open(place_of(storage_key), os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise MissingError("The stored file is missing.") from None
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be read.") from error


def _checked(storage_key: str) -> str:
    if storage_key.startswith("/") or ".." in storage_key.split("/"):
        raise MissingError("The stored file's key is not valid.")
    return storage_key


def new_storage_key(
    facility_id: uuid.UUID | None, study_instance_uid: str, series_instance_uid: str, sha256: str
) -> str:
    """Return a key that no other attempt has: hashes, and a random part at the end.

    Because each attempt has a path of its own, an attempt that is undone can
    remove its file without asking who else stored the same bytes.
    """
    study = _hash(f"{facility_id or ''}/{study_instance_uid}")
    series = _hash(series_instance_uid)
    return f"studies/{study}/{series}/{sha256}-{secrets.token_hex(4)}.dcm"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def reserve_bytes(total_bytes: int) -> int:
    """Return how much of the file system stays free."""
    if settings.NOCTIS_DISK_RESERVE_MB >= 0:
        return int(settings.NOCTIS_DISK_RESERVE_MB) * 1024**2
    return max(int(total_bytes * _RESERVE_SHARE), _RESERVE_BYTES)


def check_reserve(wanted_bytes: int = 0) -> None:
    """Raise StorageUnavailableError when the reserve would be touched."""
    try:
        try:
            state = os.statvfs(root())
        except FileNotFoundError:
            root().mkdir(parents=True, exist_ok=True)
            state = os.statvfs(root())
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be reached.") from error
    free_bytes = state.f_bavail * state.f_frsize
    if free_bytes - wanted_bytes < reserve_bytes(state.f_blocks * state.f_frsize):
        raise StorageUnavailableError("The disk is full: its reserve is reached.")


def trouble(error: OSError) -> StorageUnavailableError:
    """Return the storage error that says what the system said."""
    if error.errno in _DISK_TROUBLE:
        return StorageUnavailableError(f"The storage cannot be written: {error.strerror}.")
    return StorageUnavailableError("The storage cannot be written.")


class IncomingRoom:
    """The directory of one process below `incoming/`, locked while the process lives.

    A file in it belongs to an object that is being received. When the process
    is gone its lock is gone, and `sweep_incoming` clears the directory. It has
    a hidden name until it is locked, so that no sweep comes in between.
    """

    def __init__(self) -> None:
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._directory = root() / "incoming" / name
        hidden = self._directory.with_name(f"{_BEING_MADE}{name}")
        try:
            hidden.mkdir(parents=True)
            self._lock = _lock(hidden)
            hidden.rename(self._directory)
        except OSError as error:
            raise trouble(error) from error

    def create(self) -> tuple[int, Path]:
        """Return a new file's descriptor (read and write) and path."""
        path = self._directory / secrets.token_hex(8)
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640), path
        except OSError as error:
            raise trouble(error) from error

    def is_current(self) -> bool:
        """Whether the directory still stands, in the storage that is set now."""
        return self._directory.parent.parent == root() and self._directory.is_dir()

    def close(self) -> None:
        """Give the directory up."""
        shutil.rmtree(self._directory, ignore_errors=True)
        os.close(self._lock)


_room: PerProcess[IncomingRoom] = PerProcess(IncomingRoom, lambda room: room.is_current())


def incoming_room() -> IncomingRoom:
    """Return this process' room, made on first use."""
    return _room.get()


def leave_incoming_room() -> None:
    """Remove this process' room at its end."""
    room = _room.give_up()
    if room is not None:
        room.close()


def sweep_incoming() -> int:
    """Remove what dead processes left in `incoming/`; returns the count of rooms.

    Only this machine's processes can hold locks here on a local disk; on a
    shared file system flock reaches other machines too (NFSv4, CephFS).
    """
    removed = 0
    for directory in _rooms():
        try:
            descriptor = _lock(directory)
        except OSError:
            continue
        shutil.rmtree(directory, ignore_errors=True)
        os.close(descriptor)
        removed += 1
    return removed


def _rooms() -> Iterator[Path]:
    """Yield the directories that are ready, and those whose makers died long ago."""
    with suppress(OSError):
        for path in list((root() / "incoming").iterdir()):
            if path.is_dir() and not _is_being_made(path):
                yield path


def _is_being_made(directory: Path) -> bool:
    if not directory.name.startswith(_BEING_MADE):
        return False
    with suppress(FileNotFoundError):
        return time.time() - directory.stat().st_mtime < _BEING_MADE_SECONDS
    return True


def _lock(directory: Path) -> int:
    """Return the descriptor that holds the directory's lock; raises OSError when it is held."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def publish(descriptor: int, incoming: Path, storage_key: str) -> None:
    """Make a received file durable under its name; blocks until the disk has it.

    The data reach the disk before the name exists, the name before this
    returns. A sync that failed is not repeated, for the kernel may have
    dropped the pages; then nothing is kept.
    """
    target = path_of(storage_key)
    try:
        os.fdatasync(descriptor)
        try:
            incoming.rename(target)
        except FileNotFoundError:
            _make_directories(target.parent)
            incoming.rename(target)
        sync_directory(target.parent)
    except OSError as error:
        remove(storage_key)
        raise trouble(error) from error
    except StorageUnavailableError:
        remove(storage_key)
        raise


def _make_directories(directory: Path) -> None:
    """Make the series' directory, and its parents' entries durable."""
    missing = []
    here = directory
    while not here.exists():
        missing.append(here)
        here = here.parent
    directory.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync_directory(made.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise trouble(error) from error


def remove(storage_key: str) -> None:
    """Remove a file that no row names; it may be gone already."""
    with suppress(OSError):
        path_of(storage_key).unlink(missing_ok=True)
