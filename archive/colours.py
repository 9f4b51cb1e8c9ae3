"""Colours of stored frames as a screen needs them: by the file's ICC profile to sRGB."""

from __future__ import annotations

import logging

from archive import storage
from archive.decode import decode_pool
from archive.models import Instance
from imaging.errors import UndecodableError
from imaging.header import read_header
from imaging.icc import find_profile

logger = logging.getLogger("noctis.colours")


def has_profile(instance: Instance) -> bool:
    """Whether the frames have colours of a profile, by the index."""
    return bool(instance.image.get("has_icc_profile"))


def srgb_of(instance: Instance, data: memoryview) -> memoryview:
    """Return the rgb8 pixels of a frame as sRGB; as they are when the profile is damaged.

    The profile is read in a worker that may die of it. Blocks; raises as
    `archive.decode.DecodePool.ask` when too many frames wait.
    """
    with storage.open_instance(instance.storage_key) as file:
        profile = find_profile(read_header(file, size=instance.size_bytes))
    if profile is None:
        return data
    request = {"icc_bytes": len(profile)}
    try:
        message, pixels = decode_pool().ask(request, profile + data, answer_limit_bytes=len(data))
    except UndecodableError:
        message, pixels = {"failed": "undecodable"}, bytearray()
    if "failed" in message or len(pixels) != len(data):
        logger.warning("instance %s: its colour profile is damaged", instance.pk)
        return data
    return memoryview(pixels).toreadonly()
