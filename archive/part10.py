"""DICOM Part 10 preamble and file meta information (PS3.10 7.1)."""

from __future__ import annotations

import struct

from imaging.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

__all__ = ["IMPLEMENTATION_CLASS_UID", "IMPLEMENTATION_VERSION_NAME", "file_meta"]


def file_meta(
    *,
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    source_ae_title: str = "",
) -> bytes:
    """Return preamble, prefix and file meta information for a data set to follow.

    The preamble is zeroed. UIDs are padded with NUL to even length, the AE
    title with a space (PS3.5 6.2).
    """
    elements = [
        b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",
        _short_element(0x0002, b"UI", _even(sop_class_uid, b"\0")),
        _short_element(0x0003, b"UI", _even(sop_instance_uid, b"\0")),
        _short_element(0x0010, b"UI", _even(transfer_syntax_uid, b"\0")),
        _short_element(0x0012, b"UI", _even(IMPLEMENTATION_CLASS_UID, b"\0")),
        _short_element(0x0013, b"SH", _even(IMPLEMENTATION_VERSION_NAME, b" ")),
    ]
    if source_ae_title:
        elements.append(_short_element(0x0016, b"AE", _even(source_ae_title, b" ")))
    body = b"".join(elements)
    length = _short_element(0x0000, b"UL", struct.pack("<I", len(body)))
    return bytes(128) + b"DICM" + length + body


def _short_element(element: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", 0x0002, element, vr, len(value)) + value


def _even(text: str, padding: bytes) -> bytes:
    value = text.encode("ascii")
    return value + padding if len(value) % 2 else value
