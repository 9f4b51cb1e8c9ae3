"""Blanking what compressed frames say beside the picture: comments, EXIF, XML."""

import struct

# Where comments stand: before the first scan or tile.
HEAD_BYTES = 1 << 16
# Application segments that a decoder needs: JFIF, ICC and SPIFF profiles, Adobe's transform.
_KEPT_SEGMENTS = {0xE0: b"JFIF\0", 0xE2: b"ICC_PROFILE\0", 0xE8: b"SPIFF\0", 0xEE: b"Adobe"}
_BLANKED_BOXES = (b"xml ", b"uuid", b"uinf", b"jp2i")


def blank_comments(head: bytes) -> bytes:
    """Return the beginning of a codestream with its comments zeroed; lengths stay.

    What is no JPEG, JPEG-LS, JPEG 2000 or JP2 comes back as it is.
    """
    changed = bytearray(head)
    try:
        if head[:2] == b"\xff\xd8":
            _blank_jpeg(changed)
        elif head[:4] == b"\xff\x4f\xff\x51":
            _blank_j2k(changed, 2)
        elif head[4:8] == b"jP  ":
            _blank_boxes(changed)
    except struct.error:
        pass  # cut short: what came before is blanked
    return bytes(changed)


def _zero(changed: bytearray, start: int, end: int) -> None:
    end = min(end, len(changed))
    if start < end:
        changed[start:end] = bytes(end - start)


def _blank_jpeg(changed: bytearray) -> None:
    position = 2
    while position + 4 <= len(changed) and changed[position] == 0xFF:
        code = changed[position + 1]
        if code == 0xFF:
            position += 1
            continue
        if code == 0xDA:
            return
        (length,) = struct.unpack_from(">H", changed, position + 2)
        end = position + 2 + max(length, 2)
        kept = _KEPT_SEGMENTS.get(code)
        is_kept = kept is not None and bytes(changed[position + 4 : end]).startswith(kept)
        if code == 0xFE or (0xE0 <= code <= 0xEF and not is_kept):
            _zero(changed, position + 4, end)
        position = end


def _blank_j2k(changed: bytearray, position: int) -> None:
    while True:
        marker, length = struct.unpack_from(">HH", changed, position)
        if marker in (0xFF90, 0xFFD9) or marker < 0xFF00:
            return
        end = position + 2 + max(length, 2)
        if marker == 0xFF64:  # COM: the kind of comment stays, its text goes
            _zero(changed, position + 6, end)
        position = end


def _blank_boxes(changed: bytearray) -> None:
    position = 0
    while True:
        length, kind = struct.unpack_from(">L4s", changed, position)
        if kind == b"jp2c":
            _blank_j2k(changed, position + 10)
            return
        if length < 8:
            return
        if kind in _BLANKED_BOXES:
            _zero(changed, position + 8, position + length)
        position += length
