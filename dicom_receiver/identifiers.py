"""Data sets of DIMSE messages that we read and write ourselves: identifiers, attribute lists.

What comes is read within bounds and by its own Specific Character Set; text stays text, so
that wild cards and ranges survive where the VR would not allow them. What goes out is written
in a character set that can hold it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
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
_ITEM = 0xE000


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
    encoding = IMPLICIT_LITTLE if transfer_syntax == IMPLICIT_VR_LITTLE_ENDIAN else EXPLICIT_LITTLE
    limits = HeaderLimits(depth=depth, elements=elements, visits=8 * elements)
    source = Source.of_bytes(data, limits)
    found = scan_elements(source, 0, len(data), encoding)
    if found.pixel_tag is not None or "trailing_garbage" in found.flags:
        raise UnreadableError("The data set holds what does not belong there.")
    return dataset_of(ElementView(source, found.elements, encoding, found.flags))


# --- writing -----------------------------------------------------------------------------------
def encode_identifier(
    dataset: Dataset, transfer_syntax: str, character_sets: Sequence[str] = ()
) -> bytes:
    """Return the data set as bytes.

    `character_sets` is the Specific Character Set that the other side used. It is used again
    when it holds all the text; else Latin-1 when the other side named none, else UTF-8. Plain
    ASCII needs none, and then the element is left out (PS3.4 C.4.1.1.3.2).
    """
    is_explicit = transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN
    chosen = _choose_character_sets(list(_texts(dataset)), character_sets)
    return _encode_dataset(dataset, _Writer(is_explicit, chosen), is_top=True)


def _texts(dataset: Dataset) -> Iterable[str]:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _texts(item)
        elif element.VR.encode() in CHARSET_VRS:
            yield from (str(value) for value in _as_list(element.value))


def _choose_character_sets(texts: list[str], asked: Sequence[str]) -> tuple[str, ...]:
    foreign = [text for text in texts if not text.isascii()]
    if not foreign:
        return ()
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
    """How elements are written: with or without VR, and text in which character sets."""

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
            head = struct.pack("<HH2sHL", tag >> 16, tag & 0xFFFF, vr, 0, len(value))
        else:
            head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value))
        return head + value

    def value(self, vr: bytes, value: Any) -> bytes:
        """Return a value as bytes."""
        if isinstance(value, bytes):
            return value
        values = [one for one in _as_list(value) if one is not None]
        if vr in NUMBER_CODES and not (values and isinstance(values[0], bytes)):
            numbers = [one for one in values if one != ""]
            return struct.pack(f"<{len(numbers)}{NUMBER_CODES[vr]}", *numbers)
        if vr == b"AT":
            tags = [int(one) for one in values if one != ""]
            return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)
        text = "\\".join(str(one) for one in values)
        if vr not in CHARSET_VRS:
            return text.encode("latin-1", "replace")
        delimiters = "" if vr in SINGLE_VRS else "\\^=" if vr == b"PN" else "\\"
        return encode_text(text, self.character_sets, delimiters=delimiters)


def _encode_dataset(dataset: Dataset, writer: _Writer, *, is_top: bool) -> bytes:
    parts: dict[int, bytes] = {}
    for element in dataset:
        tag, vr = int(element.tag), element.VR.encode()
        if tag == SPECIFIC_CHARACTER_SET:
            continue
        if vr == b"SQ":
            parts[tag] = writer.element(tag, vr, _encode_items(element.value, writer))
        else:
            parts[tag] = writer.element(tag, vr, writer.value(vr, element.value))
    if is_top and writer.character_sets:
        terms = "\\".join(writer.character_sets).encode("ascii")
        parts[SPECIFIC_CHARACTER_SET] = writer.element(SPECIFIC_CHARACTER_SET, b"CS", terms)
    return b"".join(parts[tag] for tag in sorted(parts))


def _encode_items(items: Iterable[Dataset], writer: _Writer) -> bytes:
    encoded = (_encode_dataset(item, writer, is_top=False) for item in items)
    return b"".join(_HEAD.pack(0xFFFE, _ITEM, len(content)) + content for content in encoded)


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple | MultiValue) else [value]
