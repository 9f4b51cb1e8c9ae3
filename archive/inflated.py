"""Deflated data sets of many frames: inflated once, kept in blocks on the disk.

Deflate cannot be entered in the middle, so one frame costs the whole data
set. What was inflated is cut into blocks for the disk's cache, which is
bounded and checks what it gives back; a frame is then read from a block or two.
"""

from __future__ import annotations

from archive import storage
from archive.caches import Piece, caches, make_key
from archive.memory_cache import Flights
from archive.models import Instance
from imaging.source import DEFAULT_LIMITS, inflate

BLOCK_BYTES = 1 << 20
_WORD = "inflated"

_flights: Flights[bytes] = Flights()


def read_inflated(instance: Instance, offset: int, length: int) -> memoryview:
    """Return bytes of the inflated data set, fewer at its end; the caller may change them.

    Raises `UnreadableError` when it cannot be inflated, `MissingError` and
    `StorageUnavailableError` as `archive.storage.open_instance`.
    """
    if instance.number_of_frames <= 1:
        return memoryview(bytearray(_inflate(instance)[offset : offset + length]))
    first, last = offset // BLOCK_BYTES, (offset + max(length, 1) - 1) // BLOCK_BYTES
    disk = caches().disk
    blocks = []
    for number in range(first, last + 1):
        found = disk.get(_key(instance, number))
        if found is None:
            content = _flights.join(_key(instance, -1), lambda: _inflate_and_keep(instance))
            return memoryview(bytearray(content[offset : offset + length]))
        blocks.append(found[1])
    start = offset - first * BLOCK_BYTES
    return memoryview(bytearray(b"".join(blocks)))[start : start + length]


def _inflate(instance: Instance) -> bytes:
    with storage.open_instance(instance.storage_key) as file:
        return inflate(file, instance.dataset_offset, DEFAULT_LIMITS.inflated_bytes)


def _inflate_and_keep(instance: Instance) -> bytes:
    """Inflate the data set and put its blocks on the disk, as far as there is room."""
    content = _inflate(instance)
    for number, start in enumerate(range(0, len(content), BLOCK_BYTES)):
        block = content[start : start + BLOCK_BYTES]
        caches().keep_on_disk(_key(instance, number), Piece(_WORD, block))
    return content


def _key(instance: Instance, block: int) -> bytes:
    return make_key(_WORD, instance.dataset_sha256, instance.dataset_offset, block)
