"""Elements written byte by byte (PS3.5 7): explicit VR, little endian, in the order of their tags.

What comes from another object keeps its bytes: text is copied as it stands, so that it reads the
same in whatever character set it was written.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable

from pydicom.valuerep import format_number_as_ds

from imaging.dictionary import LONG_VRS, tag_of, vr_of
from imaging.elements import (
    CHARSET_VRS,
    NUMBER_CODES,
    SPECIFIC_CHARACTER_SET,
    STRING_VRS,
    ElementView,
)

_ITEM = struct.Struct("<HHL")
_DEPTH = 4
# What a value must look like to be taken over; none of it depends on a character set.
_NUMBER = rb"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?\s*"
_SHAPES: dict[bytes, re.Pattern[bytes]] = {
    b"AS": re.compile(rb"\d{3}[DWMY]"),
    b"CS": re.compile(rb"[A-Z0-9_ ]{0,16}(\\[A-Z0-9_ ]{0,16})*"),
    b"DA": re.compile(rb"\d{4}(0[1-9]|1[0-2])([0-2]\d|3[01])"),
    b"DS": re.compile(_NUMBER + rb"(\\" + _NUMBER + rb")*"),
    b"DT": re.compile(rb"\d{4,14}(\.\d{1,6})?([+-]\d{4})?"),
    b"IS": re.compile(rb"\s*[-+]?\d{1,10}\s*(\\\s*[-+]?\d{1,10}\s*)*"),
    b"TM": re.compile(rb"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
    b"UI": re.compile(rb"[0-9]+(\.[0-9]+)*(\\[0-9]+(\.[0-9]+)*)*"),
}
_MOST_BYTES = {b"SH": 16, b"LO": 64}


class ElementWriter:
    """Elements of a data set or an item; each is encoded when it is set.

    With `is_utf8` text that is taken over is written anew in UTF-8, items and all, instead of
    with its own bytes: for an object whose character set cannot be the source's.
    """

    def __init__(self, elements: dict[int, bytes] | None = None, *, is_utf8: bool = False) -> None:
        self._elements = dict(elements or {})
        self.is_utf8 = is_utf8

    def copy(self) -> ElementWriter:
        """Return another with the same elements."""
        return ElementWriter(self._elements, is_utf8=self.is_utf8)

    def set(self, keyword: str, *values: object) -> None:
        """Set text (ASCII) or numbers, by the VR of the dictionary; nothing makes it empty."""
        tag = tag_of(keyword)
        vr = vr_of(tag)
        code = NUMBER_CODES.get(vr)
        if code is not None:
            value = struct.pack(f"<{len(values)}{code}", *values)
        elif vr == b"AT":
            value = b"".join(struct.pack("<HH", int(str(one), 16) >> 16, int(str(one), 16) & 0xFFFF)
                             for one in values)  # fmt: skip
        else:
            value = b"\\".join(_written(one, vr) for one in values)
        self._elements[tag] = encode_element(tag, vr, value)

    def set_bytes(self, keyword: str, value: bytes) -> None:
        """Set a value that is encoded already."""
        tag = tag_of(keyword)
        self._elements[tag] = encode_element(tag, vr_of(tag), value)

    def set_items(self, keyword: str, items: Iterable[ElementWriter | bytes]) -> None:
        """Set a sequence; items are given as elements, or as `encode_item` gave them."""
        parts = (one if isinstance(one, bytes) else encode_item(one) for one in items)
        tag = tag_of(keyword)
        self._elements[tag] = encode_element(tag, b"SQ", b"".join(parts))

    def set_code(self, keyword: str, *codes: tuple[str, str, str]) -> None:
        """Set a sequence of codes: value, scheme, meaning (PS3.3 8.8)."""
        items = []
        for value, scheme, meaning in codes:
            item = ElementWriter()
            item.set("CodeValue", value)
            item.set("CodingSchemeDesignator", scheme)
            item.set("CodeMeaning", meaning)
            items.append(item)
        self.set_items(keyword, items)

    def take(self, source: ElementView, *keywords: str) -> None:
        """Copy what is there and well-formed; an item of a sequence loses what is not."""
        for keyword in keywords:
            tag = tag_of(keyword)
            element = _copied(source, tag, 0, is_utf8=self.is_utf8)
            if element is not None:
                self._elements[tag] = element

    def take_or_empty(self, source: ElementView, *keywords: str) -> None:
        """Copy, or set empty what is not there or not well-formed (type 2)."""
        for keyword in keywords:
            tag = tag_of(keyword)
            element = _copied(source, tag, 0, is_utf8=self.is_utf8)
            self._elements[tag] = (
                encode_element(tag, vr_of(tag), b"") if element is None else element
            )

    def drop(self, keyword: str) -> None:
        """Leave an element out, if it is there."""
        self._elements.pop(tag_of(keyword), None)

    def has_value(self, keyword: str) -> bool:
        """Whether an element is there and not empty."""
        tag = tag_of(keyword)
        head = 12 if vr_of(tag) in LONG_VRS else 8
        return len(self._elements.get(tag, b"")) > head

    def encode(self) -> bytes:
        """Return all elements."""
        return b"".join(self._elements[tag] for tag in sorted(self._elements))


def encode_item(elements: ElementWriter) -> bytes:
    """Return an item of a sequence, of defined length."""
    content = elements.encode()
    return _ITEM.pack(0xFFFE, 0xE000, len(content)) + content


def encode_element(tag: int, vr: bytes, value: bytes) -> bytes:
    """Return one element, its value padded to even length."""
    return element_head(tag, vr, len(value) + len(value) % 2) + _even(value, vr)


def element_head(tag: int, vr: bytes, length: int) -> bytes:
    """Return what stands before a value of this (even) length."""
    if vr in LONG_VRS:
        return struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, length)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, length)


def _even(value: bytes, vr: bytes) -> bytes:
    if len(value) % 2 == 0:
        return value
    return value + (b" " if vr in STRING_VRS and vr != b"UI" else b"\0")


def _written(value: object, vr: bytes) -> bytes:
    if vr == b"DS" and isinstance(value, float):
        return format_number_as_ds(value + 0.0).encode("ascii")
    return str(value).encode("ascii")


# --- taken over -----------------------------------------------------------------------------
def _copied(source: ElementView, tag: int, depth: int, *, is_utf8: bool) -> bytes | None:
    # An item may name a character set of its own: not where all is written in one.
    if tag not in source or (is_utf8 and tag == SPECIFIC_CHARACTER_SET):
        return None
    vr = vr_of(tag)
    if vr == b"SQ":
        items = [_copied_item(item, depth + 1, is_utf8=is_utf8) for item in source.iter_items(tag)]
        return encode_element(tag, vr, b"".join(items)) if depth < _DEPTH else None
    code = NUMBER_CODES.get(vr)
    if code is not None:
        numbers = source.floats(tag) if code in "fd" else source.ints(tag)
        try:
            return encode_element(tag, vr, struct.pack(f"<{len(numbers)}{code}", *numbers))
        except struct.error:
            return None
    raw = (source.raw(tag) or b"").rstrip(b"\0 ")
    if is_utf8 and vr in CHARSET_VRS:
        raw = "\\".join(source.texts(tag)).encode("utf-8", "replace")
    return encode_element(tag, vr, raw) if _is_well_formed(raw, vr) else None


def _is_well_formed(raw: bytes, vr: bytes) -> bool:
    if not raw:
        return True
    if vr not in STRING_VRS:
        return False
    shape = _SHAPES.get(vr)
    if shape is not None:
        return shape.fullmatch(raw) is not None
    # In bytes a text of 64 characters may be four times as long.
    return len(raw) <= 4 * _MOST_BYTES.get(vr, 2560) if vr in CHARSET_VRS else len(raw) <= 64


def _copied_item(item: ElementView, depth: int, *, is_utf8: bool) -> bytes:
    kept = {
        tag: element
        for tag in item.tags()
        if tag >> 16 & 1 == 0
        and (element := _copied(item, tag, depth, is_utf8=is_utf8)) is not None
    }
    return encode_item(ElementWriter(kept))
