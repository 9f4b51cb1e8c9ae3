"""What was costly to make, kept on the disk for all processes of this machine.

The directory may be thrown away at any time. A file has the name of a hash,
is written under another name first and begins with its key and a checksum:
what is damaged is missed, never shown. A ledger holds how many bytes are
promised; it is changed under a lock and before a file is written, so that
any number of writers stays below the bound. Trouble with the disk means
that nothing is kept, never an error. The files hold patients' pictures and
are readable by this user alone.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_HEAD = struct.Struct("<8s32s8sQI")
_MAGIC = b"NOCTIS-1"
_BLOCK_BYTES = 4096
# Room is made in larger steps, so that not every writer has to look for it.
KEEP_SHARE = 0.9
LARGEST_SHARE = 0.125
_TOUCH_SECONDS = 60
_DRAFT = ".new-"
_DRAFT_SECONDS = 600


class DiskCache:
    """Pieces of bytes by a key of 32 bytes, each with a word of at most 8 letters.

    `limit_bytes` is asked before each writing: it may shrink as the disk fills.
    """

    def __init__(self, directory: Path, limit_bytes: Callable[[], int]) -> None:
        self._directory = directory
        self._limit_bytes = limit_bytes

    def get(self, key: bytes) -> tuple[str, bytes] | None:
        """Return word and bytes; None when they are not here or not whole."""
        path = self._path_of(key)
        try:
            with path.open("rb", buffering=0) as file:
                state = os.fstat(file.fileno())
                content = file.read(state.st_size + 1)
                found = _unpack(key, content or b"")
                if found is None:
                    path.unlink(missing_ok=True)
                elif time.time() - state.st_mtime > _TOUCH_SECONDS:
                    os.utime(file.fileno())
        except OSError:
            return None
        return found

    def put(self, key: bytes, word: str, data: bytes | memoryview) -> int:
        """Keep these bytes if there is room; returns how many others had to go."""
        size = _on_disk(_HEAD.size + len(data))
        limit = self._limit_bytes()
        if size > limit * LARGEST_SHARE:
            return 0
        try:
            gone = self._reserve(size, limit)
            if gone is None:
                return 0
            self._write(self._path_of(key), _pack(key, word, data), data)
        except OSError:
            return 0
        return gone

    def path_of(self, key: bytes) -> Path:
        """Return where the file of a key lies, for those who map it into memory."""
        return self._path_of(key)

    def draft_of(self, key: bytes) -> Path:
        """Return where a large file is written before it is renamed to `path_of`."""
        path = self._path_of(key)
        return path.with_name(f"{_DRAFT}{path.name}")

    def make_room(self, length: int) -> int | None:
        """Promise room to a file of so many bytes that the caller will write.

        Returns how many others had to go, None when it does not fit. Raises OSError when the
        disk does not let us.
        """
        size, limit = _on_disk(length), self._limit_bytes()
        return self._reserve(size, limit, wait=True) if size <= limit else None

    def touch(self, path: Path) -> None:
        """Note that a file of ours is used."""
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _TOUCH_SECONDS:
                os.utime(path)

    def tidy(self) -> int:
        """Count anew what lies here and remove what is too much; returns how many went."""
        try:
            with self._ledger(wait=True) as ledger:
                limit = self._limit_bytes()
                used, gone = self._shrink(limit, limit)
                _write_number(ledger, used)
        except OSError:
            return 0
        return gone

    def used_bytes(self) -> int:
        """Return how many bytes are promised to files."""
        try:
            return int((self._directory / "ledger").read_bytes() or b"0")
        except (OSError, ValueError):
            return 0

    # --- room -----------------------------------------------------------------
    def _reserve(self, size: int, limit: int, *, wait: bool = False) -> int | None:
        """Enter a new file into the ledger; None when nothing fits.

        Raises OSError when somebody else is at it and we do not wait.
        """
        with self._ledger(wait=wait) as ledger:
            used, gone = _read_number(ledger), 0
            if used is None or used + size > limit:
                used, gone = self._shrink(limit - size, int(limit * KEEP_SHARE) - size)
            if used + size > limit:
                _write_number(ledger, used)
                return None
            _write_number(ledger, used + size)
            return gone

    def _shrink(self, limit: int, goal: int) -> tuple[int, int]:
        """If there is more than `limit`, remove the oldest down to `goal`; (left, removed)."""
        files = sorted(self._files())
        used, gone = sum(size for _age, size, _path in files), 0
        if used <= limit:
            return used, 0
        for _age, size, path in files:
            if used <= goal:
                break
            path.unlink(missing_ok=True)
            used -= size
            gone += 1
        return used, gone

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yield when each file was used last, its bytes on the disk and its path."""
        oldest_draft = time.time() - _DRAFT_SECONDS
        for folder in self._directory.glob("[0-9a-f][0-9a-f]"):
            for path in list(folder.iterdir()):
                with suppress(FileNotFoundError):
                    state = path.stat()
                    if path.name.startswith(_DRAFT) and state.st_mtime < oldest_draft:
                        path.unlink()
                        continue
                    yield state.st_mtime, _on_disk(state.st_size), path

    @contextmanager
    def _ledger(self, *, wait: bool) -> Iterator[int]:
        """Hold the ledger's lock; raises OSError when another has it and we do not wait."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._directory / "ledger"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield descriptor
        finally:
            os.close(descriptor)

    # --- files ----------------------------------------------------------------
    def _path_of(self, key: bytes) -> Path:
        name = key.hex()
        return self._directory / name[:2] / name[2:]

    def _write(self, path: Path, head: bytes, data: bytes | memoryview) -> None:
        draft = path.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                if file.write(head) != len(head) or file.write(data) != len(data):
                    raise OSError("The disk took only a part.")
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)


def _pack(key: bytes, word: str, data: bytes | memoryview) -> bytes:
    return _HEAD.pack(_MAGIC, key, word.encode(), len(data), _checksum(word, data))


def _unpack(key: bytes, content: bytes) -> tuple[str, bytes] | None:
    if len(content) < _HEAD.size:
        return None
    magic, stored_key, word, length, checksum = _HEAD.unpack_from(content)
    data = content[_HEAD.size :]
    name = word.rstrip(b"\0").decode("ascii", "replace")
    if (magic, stored_key, length) != (_MAGIC, key, len(data)):
        return None
    return (name, data) if _checksum(name, data) == checksum else None


def _checksum(word: str, data: bytes | memoryview) -> int:
    return zlib.crc32(data, zlib.crc32(word.encode()))


def _on_disk(size: int) -> int:
    """Return what a file takes: whole blocks, and one for its name and node."""
    return (size // _BLOCK_BYTES + 2) * _BLOCK_BYTES


def _read_number(descriptor: int) -> int | None:
    try:
        return int(os.pread(descriptor, 32, 0))
    except ValueError:
        return None


def _write_number(descriptor: int, number: int) -> None:
    os.pwrite(descriptor, b"%032d" % max(number, 0), 0)
