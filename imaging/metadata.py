"""A stored header as the DICOM JSON model has it, long values as addresses (PS3.18 Annex F).

Made straight from the elements of a file, for every instance that comes in: `imaging.dicom_json`
does the same for data sets that a program made, a fifth as fast.
"""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from imaging.dicom_json import GROUPS
from imaging.dictionary import vr_of
from imaging.elements import CHARSET_VRS, NUMBER_CODES, SINGLE_VRS, STRING_VRS, ElementView
from imaging.encoding import FLOAT_PIXEL_DATA, PIXEL_DATA
from imaging.errors import MissingError
from imaging.header import Header

# Longer values are given by their address: what is binary, and what is not.
INLINE_BYTES = 1024
INLINE_TEXT_BYTES = 32 * 1024
_BINARY = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"})
_CHARACTER_SET, _AVAILABLE_SYNTAX = 0x00080005, 0x00083002
_DEEPEST = 16
_PIXEL_TAGS = {
    "PixelData": PIXEL_DATA,
    "FloatPixelData": FLOAT_PIXEL_DATA,
    "DoubleFloatPixelData": 0x7FE00009,
}


def metadata_of(header: Header, prefix: str) -> dict[str, Any]:
    """Return the data set as JSON; `prefix` and a path make the address of a long value.

    A path is tags and numbers of items, from 1, with dots between: `00880200.1.7FE00010`.
    Text is in Unicode whatever the file's character set, and the answer says so.
    """
    found = _attributes(header, prefix, 0)
    found["00080005"] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    found["00083002"] = {"vr": "UI", "Value": [header.transfer_syntax_uid]}
    pixel = header.pixel
    if pixel is not None:
        tag = f"{_PIXEL_TAGS[pixel.keyword]:08X}"
        vr = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}.get(pixel.keyword)
        found[tag] = {"vr": vr or pixel.vr or "OW", "BulkDataURI": prefix + tag}
    return dict(sorted(found.items()))


def find_value(header: Header, path: str) -> tuple[ElementView, int]:
    """Return the view in which a path of `metadata_of` ends, and the tag of its value there.

    Raises MissingError when the path leads nowhere.
    """
    names = path.split(".")
    view: ElementView = header
    if len(names) % 2 == 0 or len(names) > 2 * _DEEPEST:
        raise MissingError("There is no such value.")
    for name, number in zip(names[:-1:2], names[1::2], strict=True):
        items = view.items(_tag(name))
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 8 else 0
        if not 0 < place <= len(items):
            raise MissingError("There is no such value.")
        view = items[place - 1]
    tag = _tag(names[-1])
    if tag not in view or is_sequence(view, tag):
        raise MissingError("There is no such value.")
    return view, tag


def is_sequence(view: ElementView, tag: int) -> bool:
    """Whether an element holds items."""
    vr = view.vr(tag)
    return vr == b"SQ" or (vr == b"UN" and vr_of(tag) == b"SQ")


def _tag(name: str) -> int:
    try:
        return int(name, 16) if len(name) == 8 else -1
    except ValueError:
        return -1


def _attributes(view: ElementView, prefix: str, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tag in view.tags():
        if tag & 0xFFFF:
            name = f"{tag:08X}"
            found[name] = _element(view, tag, prefix + name, depth)
    return found


def _element(view: ElementView, tag: int, address: str, depth: int) -> dict[str, Any]:
    vr = view.vr(tag)
    if vr == b"SQ" or (vr == b"UN" and vr_of(tag) == b"SQ"):
        items = [] if depth >= _DEEPEST else _items(view, tag, address, depth)
        return {"vr": "SQ", "Value": items} if items else {"vr": "SQ"}
    vr = _single(vr, view)
    name = vr.decode("ascii")
    span = view.span(tag)
    length = span[1] if span else 0
    if not length:
        return {"vr": name}
    if length > (INLINE_BYTES if vr in _BINARY else INLINE_TEXT_BYTES):
        return {"vr": name, "BulkDataURI": address}
    if vr in _BINARY:
        raw = little_endian(view.raw(tag) or b"", vr, is_little=view.is_little_endian)
        return {"vr": name, "InlineBinary": base64.b64encode(raw).decode("ascii")}
    values = _values(view, tag, vr)
    while values and values[-1] is None:
        values.pop()
    return {"vr": name, "Value": values} if values else {"vr": name}


def _items(view: ElementView, tag: int, address: str, depth: int) -> list[dict[str, Any]]:
    return [
        _attributes(item, f"{address}.{number}.", depth + 1)
        for number, item in enumerate(view.iter_items(tag), start=1)
    ]


def _single(vr: bytes, view: ElementView) -> bytes:
    """Return one VR where the dictionary names several (PS3.5 A.1)."""
    if len(vr) == 2:
        return vr
    if vr.startswith(b"US"):
        return b"OW" if vr.endswith(b"OW") and b"SS" not in vr else b"SS" if view.signed else b"US"
    return b"OW"


def _values(view: ElementView, tag: int, vr: bytes) -> list[Any]:
    if vr == b"PN":
        return [_name(text) for text in view.texts(tag)]
    if vr in (b"DS", b"IS"):
        return [_number(text, is_whole=vr == b"IS") for text in view.texts(tag)]
    if vr == b"AT":
        return _tags(view, tag)
    if vr in (b"FL", b"FD"):
        return _floats(view, tag, "f" if vr == b"FL" else "d")
    if vr in NUMBER_CODES:
        return view.ints(tag)
    if vr in STRING_VRS or vr in CHARSET_VRS or vr in SINGLE_VRS:
        return [text or None for text in view.texts(tag)]
    return []


def _name(text: str) -> dict[str, str] | None:
    if not text:
        return None
    return {group: part for group, part in zip(GROUPS, text.split("="), strict=False) if part}


def _number(text: str, *, is_whole: bool) -> Any:
    """Return a number; text that is none stays text (F.2.3.1)."""
    if not text:
        return None
    try:
        value = int(text) if is_whole else float(text)
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def _floats(view: ElementView, tag: int, code: str) -> list[Any]:
    """Return the numbers; what JSON cannot write as one is a word."""
    raw = view.raw(tag) or b""
    count = len(raw) // struct.calcsize(code)
    numbers = struct.unpack_from(f"{'<' if view.is_little_endian else '>'}{count}{code}", raw)
    return [number if math.isfinite(number) else _WORDS[str(number)] for number in numbers]


def _tags(view: ElementView, tag: int) -> list[str]:
    raw = view.raw(tag) or b""
    count = len(raw) // 4
    halves = struct.unpack_from(f"{'<' if view.is_little_endian else '>'}{2 * count}H", raw)
    pairs = zip(halves[::2], halves[1::2], strict=True)
    return [f"{group:04X}{element:04X}" for group, element in pairs]


_WORDS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_WORD_BYTES = {b"OW": 2, b"OF": 4, b"OL": 4, b"OD": 8, b"OV": 8}


def little_endian(raw: bytes, vr: bytes, *, is_little: bool) -> bytes:
    """Return binary values as the web has them, the low byte of each word first."""
    width = _WORD_BYTES.get(vr, 1)
    if is_little or width == 1:
        return raw
    whole = len(raw) - len(raw) % width
    swapped = bytearray(raw)
    for place in range(width):
        swapped[place:whole:width] = raw[width - 1 - place : whole : width]
    return bytes(swapped)
