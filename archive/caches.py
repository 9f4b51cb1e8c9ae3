"""The caches of pictures: what was made is found in memory, on the disk, or made once.

Keys come from content: the checksum of the data set, what was asked of it and
the code that makes it. So an entry is never out of date, and whoever removes
an instance makes its entries unreachable: access and the file's presence are
decided before a cache is asked, never by it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from django.conf import settings

from archive import storage
from archive.cache_counts import CacheCounts
from archive.disk_cache import DiskCache
from archive.memory_cache import Flights, MemoryCache
from archive.per_process import PerProcess

FRAMES, PICTURES, THUMBNAILS = "frames", "pictures", "thumbnails"
VOLUMES = "volumes"
KINDS = (FRAMES, PICTURES, THUMBNAILS, VOLUMES)
# What is made faster than this is not written to the disk: fast codecs beat the disk.
COSTLY_SECONDS_A_BYTE = 8e-3 / (1 << 20)
_ENTRY_BYTES = 512
_DEFAULT_DISK_BYTES = 2 << 30
_DEFAULT_DISK_SHARE = 0.05
_DEFAULT_VOLUME_BYTES = 8 << 30
_DEFAULT_VOLUME_SHARE = 0.1
_CODE = Path(__file__).resolve().parent
_ENGINES = ("imagecodecs", "numpy", "opencv-python-headless", "pillow", "pydicom")


@dataclass(frozen=True)
class Piece:
    """What a cache keeps: bytes, and a word that says what they are."""

    word: str
    data: bytes | memoryview
    is_costly: bool = True


class Caches:
    """Memory of this process before the disk of this machine."""

    def __init__(self) -> None:
        self.root = cache_root()
        self.memory: MemoryCache[Piece] = MemoryCache(_memory_limit_bytes(), _size_of)
        self.disk = DiskCache(self.root / "pieces", disk_limit_bytes)
        self.volumes = DiskCache(self.root / "volumes", volume_limit_bytes)
        self.counts = CacheCounts(self.root / "counts.json")
        self._flights: Flights[Piece] = Flights()

    def read(self, kind: str, key: bytes, make: Callable[[], Piece]) -> Piece:
        """Return the piece of this key, made by `make` if it is nowhere yet.

        Of many who ask at once one makes it; the others wait for that one.
        A piece that was not costly to make is kept in memory alone.
        """
        kept = self.memory.get(key)
        if kept is not None:
            self.counts.add(f"{kind} memory hits")
            return kept
        made_here = threading.Event()

        def find_or_make() -> Piece:
            made_here.set()
            return self._find_or_make(kind, key, make)

        piece = self._flights.join(key, find_or_make)
        if not made_here.is_set():
            self.counts.add(f"{kind} memory hits")
        return piece

    def peek(self, key: bytes) -> Piece | None:
        """Return a piece that is in memory; nothing is counted."""
        return self.memory.get(key)

    def keep(self, key: bytes, piece: Piece) -> None:
        """Keep a piece that was made on the way to another."""
        if piece.is_costly:
            self.keep_on_disk(key, piece)
        self.count_gone("memory", self.memory.put(key, piece))

    def keep_on_disk(self, key: bytes, piece: Piece) -> None:
        """Keep a piece on the disk alone."""
        self.count_gone("disk", self.disk.put(key, piece.word, piece.data))

    def has(self, key: bytes) -> bool:
        """Whether a piece is in memory already."""
        return self.memory.get(key) is not None

    def _find_or_make(self, kind: str, key: bytes, make: Callable[[], Piece]) -> Piece:
        self.counts.add(f"{kind} memory misses")
        found = self.disk.get(key)
        if found is not None:
            self.counts.add(f"{kind} disk hits")
            piece = Piece(*found)
        else:
            piece = make()
            if piece.is_costly:
                self.counts.add(f"{kind} disk misses")
                self.count_gone("disk", self.disk.put(key, piece.word, piece.data))
        self.count_gone("memory", self.memory.put(key, piece))
        return piece

    def count_gone(self, store: str, count: int) -> None:
        """Count what had to go for newer things."""
        if count:
            self.counts.add(f"{store} evictions", amount=count)


def _size_of(piece: Piece) -> int:
    return len(piece.data) + _ENTRY_BYTES


_caches: PerProcess[Caches] = PerProcess(Caches, lambda made: made.root == cache_root())


def caches() -> Caches:
    """Return this process' caches."""
    return _caches.get()


def make_key(*parts: object) -> bytes:
    """Return the key of what these parts, in this order, and the code determine."""
    return hashlib.sha256(repr((code_version(), *parts)).encode()).digest()


@cache
def code_version() -> str:
    """Return what changes with the code and the libraries that make pixels and pictures.

    So no picture outlives the mistake that made it.
    """
    digest = hashlib.sha256()
    for path in [*sorted((_CODE.parent / "imaging").glob("*.py")), *sorted(_CODE.glob("*.py"))]:
        digest.update(path.read_bytes())
    for name in _ENGINES:
        digest.update(f"{name} {version(name)}".encode())
    return digest.hexdigest()


# --- where, and how much --------------------------------------------------------
def cache_root() -> Path:
    """Return the directory that may be thrown away at any time."""
    return Path(settings.NOCTIS_HOME) / "cache"


def _memory_limit_bytes() -> int:
    return int(settings.NOCTIS_MEMORY_CACHE_MB) << 20


def disk_limit_bytes() -> int:
    """Return what the disk's cache may take now: less when the disk runs full, at last nothing.

    It gives way before the archive's reserve is touched.
    """
    return _limit_bytes(wanted_disk_bytes(), caches().disk)


def volume_limit_bytes() -> int:
    """Return what the volumes may take on the disk now, by the same rule."""
    return _limit_bytes(wanted_volume_bytes(), caches().volumes)


def _limit_bytes(wanted: int, disk: DiskCache) -> int:
    try:
        state = os.statvfs(settings.NOCTIS_HOME)
    except OSError:
        return 0
    total, free = state.f_blocks * state.f_frsize, state.f_bavail * state.f_frsize
    spare = free + disk.used_bytes() - int(storage.reserve_bytes(total) * 1.5)
    return max(0, min(wanted, spare))


def wanted_disk_bytes() -> int:
    """Return what the disk's cache may take while the disk has room."""
    if settings.NOCTIS_DISK_CACHE_MB >= 0:
        return int(settings.NOCTIS_DISK_CACHE_MB) << 20
    return _share_of_disk(_DEFAULT_DISK_SHARE, _DEFAULT_DISK_BYTES)


def wanted_volume_bytes() -> int:
    """Return what the volumes may take while the disk has room."""
    if settings.NOCTIS_VOLUME_CACHE_MB >= 0:
        return int(settings.NOCTIS_VOLUME_CACHE_MB) << 20
    return _share_of_disk(_DEFAULT_VOLUME_SHARE, _DEFAULT_VOLUME_BYTES)


def _share_of_disk(share: float, most_bytes: int) -> int:
    try:
        state = os.statvfs(settings.NOCTIS_HOME)
    except OSError:
        return 0
    return min(most_bytes, int(state.f_blocks * state.f_frsize * share))


def tidy() -> int:
    """Bring what lies on the disk below its bounds; returns how many pieces went."""
    here = caches()
    gone, volumes = here.disk.tidy(), here.volumes.tidy()
    here.count_gone("disk", gone)
    here.count_gone(VOLUMES, volumes)
    return gone + volumes
