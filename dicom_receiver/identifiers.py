"""Data sets of DIMSE messages that we read and write ourselves: identifiers, attribute lists.

What comes is read within bounds and by its own Specific Character Set; text stays text, so
that wild cards and ranges survive where the VR would not allow them. What goes out is written
in a character set that can hold it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue

from dicom_receiver.contexts import IMPLICIT_VR_LITTLE_ENDIAN
from imaging.charset_writer import encode_text
from imaging.datasets import dataset_of
from imaging.dictionary import LONG_VRS
from imaging.elements import CHARSET_VRS, NUMBER_CODES, SINGLE_VRS, STRING_VRS, ElementView
from imaging.encoding import EXPLICIT_LITTLE, IMPLICIT_LITTLE
from imaging.errors import UnreadableError
from imaging.scan import scan_elements
from imaging.source import HeaderLimits, Source

SPECIFIC_CHARACTER_SET = 0x00080005
UTF_8, LATIN_1 = "ISO_IR 192", "ISO_IR 100"
IDENTIFIER_BYTES = 1024 * 1024
_DEPTH = 8
_ELEMENTS = 100_000
_HEAD = struct.Struct("<HHL")
_SHORT_HEAD = struct.Struct("<HH2sH")
_LONG_HEAD = struct.Struct("<HH2sHL")
_TAG = itemgetter(0)
_ITEM = 0xE000

Attribute = tuple[int, bytes, Any]
"""Tag, VR and value: one or a list of them; the items of a sequence are lists of attributes."""


# --- reading -----------------------------------------------------------------------------------
def decode_identifier(
    data: bytes, transfer_syntax: str, *, depth: int = _DEPTH, elements: int = _ELEMENTS
) -> Dataset:
    """Return the data set that `data` holds; values are text or numbers as they came.

    Text values are `str`, several of them a list, none an empty string; numbers `int` or
    `float` likewise. Nothing is checked against its VR.

    Raises
    ------
    UnreadableError
        It is malformed.
    LimitExceededError
        It nests deeper or has more elements than the bounds allow.
    """
    return dataset_of(view_of(data, transfer_syntax, depth=depth, elements=elements))


def view_of(data: bytes, transfer_syntax: str, *, depth: int, elements: int) -> ElementView:
    """Return the elements that `data` holds, to be read one by one; see `decode_identifier`."""
    encoding = IMPLICIT_LITTLE if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN else EXPLICIT_LITTLE
    limits = HeaderLimits(depth=depth, elements=elements, visits=8 * elements)
    source = Source.of_bytes(data, limits)
    found = scan_elements(source, 0, len(data), encoding)
    if found.pixel_tag is not None or "trailing_garbage" in found.flags:
        raise UnreadableError("The data set holds what does not belong there.")
    return ElementView(source, found.elements, encoding, found.flags)


# --- writing -----------------------------------------------------------------------------------
def encode_identifier(
    dataset: Dataset, transfer_syntax: str, character_sets: Sequence[str] = ()
) -> bytes:
    """Return the data set as bytes, see `encode_attributes`."""
    return encode_attributes(attributes_of(dataset), transfer_syntax, character_sets)


def attributes_of(dataset: Dataset) -> list[Attribute]:
    """Return what a data set holds."""
    return [
        (
            int(element.tag),
            element.VR.encode(),
            [attributes_of(item) for item in element.value]
            if element.VR == "SQ"
            else element.value,
        )
        for element in dataset
    ]


def encode_attributes(
    attributes: Sequence[Attribute], transfer_syntax: str, character_sets: Sequence[str] = ()
) -> bytes:
    """Return attributes as a data set, in the order of their tags.

    `character_sets` is the Specific Character Set that the other side used. It is used again
    when it holds all the text; else Latin-1 when the other side named none, else UTF-8. Plain
    ASCII needs none, and then the element is left out (PS3.4 C.4.1.1.3.2).
    """
    is_explicit = transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN
    try:
        return _encode_all(attributes, _Writer(is_explicit, ()))
    except UnicodeEncodeError:
        writer = _Writer(is_explicit, _choose_character_sets(attributes, character_sets))
    # Nothing of ours has a tag before it.
    terms = "\\".join(writer.character_sets).encode("ascii")
    return writer.element(SPECIFIC_CHARACTER_SET, b"CS", terms) + _encode_all(attributes, writer)


def _texts(attributes: Iterable[Attribute]) -> Iterable[str]:
    for _, vr, value in attributes:
        if vr == b"SQ":
            for item in value:
                yield from _texts(item)
        elif vr in CHARSET_VRS:
            yield from (str(one) for one in _as_list(value))


def _choose_character_sets(
    attributes: Sequence[Attribute], asked: Sequence[str]
) -> tuple[str, ...]:
    foreign = [text for text in _texts(attributes) if not text.isascii()]
    wish = tuple(asked) if any(asked) else (LATIN_1,)
    return wish if _can_hold(wish, foreign) else (UTF_8,)


def _can_hold(terms: tuple[str, ...], texts: list[str]) -> bool:
    try:
        for text in texts:
            encode_text(text, terms, delimiters="\\^=")
    except UnicodeEncodeError:
        return False
    return True


class _Writer:
    """How elements are written: with or without VR, and text in which character sets.

    Without any text has to be ASCII, or it raises UnicodeEncodeError.
    """

    def __init__(self, is_explicit: bool, character_sets: tuple[str, ...]) -> None:
        self.is_explicit = is_explicit
        self.character_sets = character_sets

    def element(self, tag: int, vr: bytes, value: bytes) -> bytes:
        """Return one element, its value padded to even length."""
        if len(value) % 2:
            value += b" " if vr in STRING_VRS and vr != b"UI" else b"\0"
        if not self.is_explicit:
            return _HEAD.pack(tag >> 16, tag & 0xFFFF, len(value)) + value
        if vr in LONG_VRS:
            return _LONG_HEAD.pack(tag >> 16, tag & 0xFFFF, vr, 0, len(value)) + value
        return _SHORT_HEAD.pack(tag >> 16, tag & 0xFFFF, vr, len(value)) + value

    def value(self, vr: bytes, value: Any) -> bytes:
        """Return a value as bytes."""
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and vr in STRING_VRS:
            return self._text(vr, value)
        values = [one for one in _as_list(value) if one is not None]
        if values and isinstance(values[0], bytes):
            return values[0]
        if vr in NUMBER_CODES:
            numbers = [one for one in values if one != ""]
            return struct.pack(f"<{len(numbers)}{NUMBER_CODES[vr]}", *numbers)
        if vr == b"AT":
            tags = [int(one) for one in values if one != ""]
            return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
        return self._text(vr, "\\".join(map(str, values)))

    def _text(self, vr: bytes, text: str) -> bytes:
        if vr not in CHARSET_VRS:
            return text.encode("latin-1", "replace")
        if not self.character_sets:
            return text.encode("ascii")
        delimiters = "" if vr in SINGLE_VRS else "\\^=" if vr == b"PN" else "\\"
        return encode_text(text, self.character_sets, delimiters=delimiters)


def _encode_all(attributes: Iterable[Attribute], writer: _Writer) -> bytes:
    parts = []
    for tag, vr, value in sorted(attributes, key=_TAG):
        if vr == b"SQ":
            parts.append(writer.element(tag, vr, _encode_items(value, writer)))
        elif tag != SPECIFIC_CHARACTER_SET:
            parts.append(writer.element(tag, vr, writer.value(vr, value)))
    return b"".join(parts)


def _encode_items(items: Iterable[Iterable[Attribute]], writer: _Writer) -> bytes:
    encoded = (_encode_all(item, writer) for item in items)
    return b"".join(_HEAD.pack(0xFFFE, _ITEM, len(content)) + content for content in encoded)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | MultiValue) else [value]
