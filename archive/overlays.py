"""Overlay bitmaps of a stored frame: their own elements, or unused bits of its pixels."""

from __future__ import annotations

import struct
from typing import Any, BinaryIO

import numpy as np

from archive import storage
from archive.frames import read_words
from archive.models import Instance
from imaging.errors import UndecodableError
from imaging.header import DEFLATED_SYNTAXES, Header, read_header
from imaging.ordering import frame_view
from imaging.overlays import Plane, bits_of_plane, frame_of_overlay
from imaging.source import DEFAULT_LIMITS, inflate

Facts = dict[str, Any]

# Group, rows, columns, flags (1: a region, 2: a bitmap shutter), origin row and column, bytes of
# bits that follow.
HEAD = struct.Struct("<HHHHhhI")
# All planes of one frame; a larger claim is no overlay.
LIMIT_BYTES = 64 << 20


def read_overlays(instance: Instance, frame: int) -> list[Plane]:
    """Return the overlays that lie over one frame, counted from 0; costs no query.

    Reads the file only when the index says that there are any. What is cut
    short is left out. Raises as `archive.frames.read_frame`.
    """
    wanted = [
        (facts, at)
        for facts in instance.image.get("overlays", [])
        if (at := frame_of_overlay(facts, frame)) is not None
    ]
    if not wanted:
        return []
    shutter = (frame_view(instance.image, frame).get("shutter") or {}).get("bitmap_group")
    planes = []
    words: np.ndarray | None = None
    with storage.open_instance(instance.storage_key) as file:
        header = read_header(file, size=instance.size_bytes)
        for facts, at in wanted:
            if facts["is_embedded"]:
                words = read_words(instance, frame) if words is None else words
                bits = (words >> np.array(facts["overlay_bit_position"], words.dtype)) & 1 != 0
            else:
                found = _separate(file, header, instance, facts, at)
                if found is None:
                    continue
                bits = found
            planes.append(_plane(facts, bits, is_shutter=facts["group"] == shutter))
    return planes


def _separate(
    file: BinaryIO, header: Header, instance: Instance, facts: Facts, at: int
) -> np.ndarray | None:
    tag = int(facts["group"], 16) << 16 | 0x3000
    span = header.span(tag)
    if span is None or span[1] > LIMIT_BYTES:
        return None
    data = header.raw(tag)
    if data is None:
        if instance.transfer_syntax_uid in DEFLATED_SYNTAXES:
            content = inflate(file, instance.dataset_offset, DEFAULT_LIMITS.inflated_bytes)
            data = content[span[0] : span[0] + span[1]]
        else:
            file.seek(span[0])
            data = file.read(span[1])
    swapped = not header.is_little_endian and header.vr(tag) != b"OB"
    return bits_of_plane(data, facts, at, swapped=swapped)


def _plane(facts: Facts, bits: np.ndarray, *, is_shutter: bool) -> Plane:
    row, column = facts["overlay_origin"]
    group, is_region = int(facts["group"], 16), facts["overlay_type"] == "R"
    return Plane(group, (row, column), is_region, bits, is_shutter)


def pack_overlays(planes: list[Plane]) -> bytes:
    """Return planes as records: a head of 16 bytes (`HEAD`), then bits, the first lowest."""
    pieces = []
    for plane in planes:
        rows, columns = plane.bits.shape
        bits = np.packbits(plane.bits, bitorder="little").tobytes()
        flags = plane.is_region | plane.is_shutter << 1
        pieces.append(HEAD.pack(plane.group, rows, columns, flags, *plane.origin, len(bits)))
        pieces.append(bits)
    return b"".join(pieces)


def overlays_or_none(instance: Instance, frame: int) -> list[Plane]:
    """Return the overlays of a frame for a picture, none when they cannot be decoded."""
    try:
        return read_overlays(instance, frame)
    except UndecodableError:
        return []
