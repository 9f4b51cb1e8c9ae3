"""Volumes as files: one int16 file a series, mapped into memory by all processes of a machine.

A file is a head (magic, slices done, JSON), then voxels as little-endian int16, (slices, rows,
columns). It is written under another name by whoever holds that name's lock, gets its magic
last, and is renamed: nobody sees half a volume, and a writer that died leaves no lock.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from archive.caches import VOLUMES, caches
from imaging.errors import StorageUnavailableError, UnsupportedError
from imaging.volume import VolumeGeometry
from reconstruction.assembly import (
    LOWEST,
    Convert,
    DoesNotFitError,
    Plan,
    Scale,
    choose_scales,
    read_all,
)

_MAGIC = b"NOCTVOL1"
_HEAD = struct.Struct("<8sQQ")
_PAGE = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A series as voxels in modality units: value = `voxels` * `scale` + `offset`.

    `voxels` are int16 of shape (slices, rows, columns), mapped from the file and not to be
    written. `lowest` is the least of them: what a place outside the volume shows. `about`
    says what must be known: notes (codes of the passport's reasons), time point, origin.
    """

    key: str
    voxels: np.ndarray
    geometry: VolumeGeometry
    scale: Scale
    lowest: int
    about: dict[str, Any]

    @property
    def size_bytes(self) -> int:
        """The bytes of all voxels."""
        return int(self.voxels.nbytes)


def map_volume(key: bytes) -> Volume | None:
    """Return the volume of a key; None when it is not on the disk, or not whole."""
    path = caches().volumes.path_of(key)
    try:
        with path.open("rb") as file:
            magic, _done, length = _HEAD.unpack(file.read(_HEAD.size))
            about = json.loads(file.read(length)) if magic == _MAGIC else None
            if about is None:
                return None
            geometry = VolumeGeometry.from_json(about.pop("geometry"))
            start, count = about.pop("start"), int(np.prod(geometry.shape))
            if os.fstat(file.fileno()).st_size != start + 2 * count:
                return None
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError, struct.error):
        return None
    with suppress(OSError):
        mapped.madvise(mmap.MADV_WILLNEED)
    caches().volumes.touch(path)
    voxels = np.frombuffer(mapped, "<i2", count, start).reshape(geometry.shape)
    scale = Scale(**about.pop("scale"))
    return Volume(key.hex(), voxels, geometry, scale, about.pop("lowest"), about)


def release_pages(volume: Volume) -> None:
    """Give a volume's pages back to the system's cache: this process holds them no longer.

    They come back by themselves when they are looked at, without being read from the disk.
    """
    held: Any = volume.voxels
    while held is not None and not isinstance(held, mmap.mmap):
        held = getattr(held, "base", None) if isinstance(held, np.ndarray) else held.obj
    if held is not None:
        with suppress(OSError):
            held.madvise(mmap.MADV_DONTNEED)


def read_progress(key: bytes) -> float:
    """Return the share of a volume's slices that are written, by whichever process."""
    try:
        with caches().volumes.draft_of(key).open("rb") as file:
            _magic, done, slices = _HEAD.unpack(file.read(_HEAD.size))
    except (OSError, struct.error):
        return 0.0
    return min(1.0, done / slices) if slices else 0.0


def is_written(key: bytes) -> bool:
    """Whether the volume of a key is on the disk."""
    return caches().volumes.path_of(key).exists()


def write_volume(key: bytes, plan: Plan) -> None:
    """Write the volume of a key unless it is there; waits for whoever is at it already.

    Raises
    ------
    UnsupportedError
        It needs more than volumes may take.
    StorageUnavailableError
        The disk is full, or cannot be written.
    NoctisError
        As `archive.frames.read_frame`: no volume lacks a slice that was there.
    """
    try:
        with _draft(key) as file:
            if file is not None:
                _write(file, plan)
                caches().volumes.draft_of(key).rename(caches().volumes.path_of(key))
    except OSError as error:
        raise StorageUnavailableError("There is no space for the volume.") from error


@contextmanager
def _draft(key: bytes) -> Iterator[int | None]:
    """Hold the draft of a key as an open file; None when the volume is there by now."""
    volumes = caches().volumes
    path = volumes.draft_of(key)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    while True:
        if is_written(key):
            yield None
            return
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _is_same(file, path):
                continue  # Renamed or swept while we waited.
            try:
                yield file
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return
        finally:
            os.close(file)


def _is_same(file: int, path: Path) -> bool:
    try:
        return os.fstat(file).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _write(file: int, plan: Plan) -> None:
    about = {**plan.about, "geometry": plan.geometry.to_json()}
    # Room for the numbers that are known at the end.
    start = -(-(len(json.dumps(about)) + _HEAD.size + 512) // _PAGE) * _PAGE
    _make_room(file, start + 2 * int(np.prod(plan.geometry.shape)))
    for scale, convert in choose_scales(plan.slices):
        try:
            lowest = _write_voxels(file, start, plan, convert)
        except DoesNotFitError:
            continue
        kept = {"scale": scale.scale, "offset": scale.offset, "is_exact": scale.is_exact}
        text = json.dumps({**about, "scale": kept, "lowest": lowest, "start": start}).encode()
        os.pwrite(file, text, _HEAD.size)
        os.pwrite(file, _HEAD.pack(_MAGIC, len(plan.slices), len(text)), 0)
        return


def _make_room(file: int, size: int) -> None:
    """Take the whole space now, so that a full disk shows itself before the work."""
    volumes = caches().volumes
    gone = volumes.make_room(size)
    if gone is None:
        raise UnsupportedError(
            f"The volume needs {size >> 20} MB, more than volumes may take on this disk."
        )
    caches().count_gone(VOLUMES, gone)
    os.ftruncate(file, 0)
    os.posix_fallocate(file, 0, size)


def _write_voxels(file: int, start: int, plan: Plan, convert: Convert) -> int:
    """Write slice after slice; returns the least int16."""
    _slices, rows, columns = plan.geometry.shape
    lowest, size = -LOWEST, 2 * rows * columns
    values = np.empty((rows, columns), "<i2")
    for number, (one, stored) in enumerate(read_all(plan.slices)):
        convert(one, stored, values)
        lowest = min(lowest, int(values.min()))
        if os.pwrite(file, values.data.cast("B"), start + number * size) != size:
            raise OSError("The disk took only a part.")
        os.pwrite(file, _HEAD.pack(b"", number + 1, len(plan.slices)), 0)
    return lowest
