"""Whether two images of a series have the same pixels: for the passport, and only when asked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable

from archive import storage
from archive.models import Instance
from imaging.errors import NoctisError
from imaging.frames import ENCAPSULATED, NATIVE, FrameIndex
from imaging.header import DEFLATED_SYNTAXES
from imaging.ordering import frame_view

# So much is read of one series to tell copies; beyond it nothing is known of them.
BYTES_LIMIT = 256 << 20
# What the same stored bytes are shown by.
_MEANING = (
    "rows", "columns", "bits_allocated", "bits_stored", "pixel_representation",
    "photometric_interpretation", "rescale_slope", "rescale_intercept",
)  # fmt: skip

Key = tuple[int, int]


def pixel_digests(images: list[Instance]) -> Callable[[Key], str]:
    """Return what gives the digest of an image, a place in `images` and a frame from 0.

    The digest is of the stored pixels and of what they mean; empty when it cannot be known.
    It reads the frame, and nothing more once `BYTES_LIMIT` was read.
    """
    known: dict[Key, str] = {}
    left = BYTES_LIMIT

    def digest_of(key: Key) -> str:
        nonlocal left
        if key not in known:
            pixels = _read_pixels(images[key[0]], key[1], left)
            left -= len(pixels)
            known[key] = _digest(images[key[0]], key[1], pixels) if pixels else ""
        return known[key]

    return digest_of


def _digest(instance: Instance, frame: int, pixels: bytes) -> str:
    facts = frame_view(instance.image, frame)
    meaning = [instance.transfer_syntax_uid, *(facts.get(name) for name in _MEANING)]
    return hashlib.sha256(json.dumps(meaning).encode() + pixels).hexdigest()


def _read_pixels(instance: Instance, frame: int, most_bytes: int) -> bytes:
    """Return the stored bytes of a frame; none when they are not a frame's own, or too many."""
    packed = instance.frame_table
    index = FrameIndex.from_bytes(bytes(packed)) if packed else None
    if index is None or index.kind not in (NATIVE, ENCAPSULATED) or frame >= index.count:
        return b""
    is_whole = not instance.image.get("frames", {}).get("per_frame")
    if (is_whole and index.count > 1) or instance.image.get("bits_allocated", 1) < 8:
        return b""
    offset, length = index.span(frame)
    if length > most_bytes or instance.transfer_syntax_uid in DEFLATED_SYNTAXES:
        return b""
    try:
        with storage.open_instance(instance.storage_key) as file:
            data = os.pread(file.fileno(), length, offset)
        if len(data) < length:
            return b""
        return index.payload(data) if index.kind == ENCAPSULATED else data
    except (NoctisError, OSError):
        return b""
