"""A data set as a table for people: one row for each element, sequences unfolded (PS3.5 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
from pydicom.datadict import (
    dictionary_description,
    keyword_for_tag,
    private_dictionary_description,
)

from imaging.dictionary import TAG_OF_KEYWORD, vr_of
from imaging.elements import CHARSET_VRS, STRING_VRS, ElementView
from imaging.header import META_KEYWORDS, Header, PixelElement
from imaging.text import has_controls

# Longer text is cut and says how much is missing; of binary values the first bytes are shown.
SHOWN_CHARACTERS = 1024
SHOWN_NUMBERS = 64
SHOWN_BYTES = 32
FLOAT_VRS = frozenset({b"FL", b"FD"})
BULK_VRS = frozenset({b"OB", b"OW", b"OD", b"OF", b"OL", b"OV", b"UN"})


@dataclass(frozen=True, slots=True)
class TagRow:
    """One element.

    Attributes
    ----------
    path
        The tags that lead to it with the numbers of the items, counted from 1:
        `00081140[1].00081155`. The same element of two files has the same path.
    depth
        0 in the data set itself.
    tag
        `(0010,0010)`.
    vr
        As written, or by the dictionary.
    name
        By PS3.6, or by what is known of a private creator; empty when unknown.
    value
        What people can read: text, numbers, or how many bytes there are.
    length
        Of the value in bytes.
    is_private
        Whether the tag belongs to a manufacturer (PS3.5 7.8).
    """

    path: str
    depth: int
    tag: str
    vr: str
    keyword: str
    name: str
    value: str
    length: int
    is_private: bool

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain values."""
        return asdict(self)


def list_tags(header: Header, *, limit: int, search: str = "") -> tuple[list[TagRow], bool]:
    """Return at most `limit` rows, and whether there would be more.

    With `search`, only the rows whose tag, keyword, name or value holds it, whatever its case;
    brackets and commas of a tag may be left out. Nothing is decoded beyond what is returned.

    Raises
    ------
    LimitExceededError
        Nesting or number of elements exceeds the limits that the header was read with.
    """
    wanted = search.casefold().strip()
    everything = chain(_meta(header), _walk(header, "", 0))
    rows = (row for row in everything if not wanted or _holds(row, wanted))
    found = list(islice(rows, limit + 1))
    return found[:limit], len(found) > limit


def _holds(row: TagRow, wanted: str) -> bool:
    plain = wanted.strip("()").replace(",", "")
    return (
        wanted in row.keyword.casefold()
        or wanted in row.name.casefold()
        or wanted in row.value.casefold()
        or row.tag.strip("()").replace(",", "").startswith(plain)
    )


def _meta(header: Header) -> Iterator[TagRow]:
    for tag, field in sorted(META_KEYWORDS.items()):
        value = getattr(header.meta, field)
        if value:
            yield TagRow(
                path=f"{tag:08x}",
                depth=0,
                tag=_written(tag),
                vr=vr_of(tag).decode("ascii"),
                keyword=keyword_for_tag(tag),
                name=dictionary_description(tag),
                value=_cut(_tame(value, is_free=False)),
                length=len(value) + len(value) % 2,
                is_private=False,
            )


def _written(tag: int) -> str:
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def _walk(view: ElementView, before: str, depth: int) -> Iterator[TagRow]:
    creators: dict[int, str] = {}
    pixel = view.pixel if isinstance(view, Header) else None
    pixel_tag = TAG_OF_KEYWORD[pixel.keyword] if pixel else None
    for tag in sorted({*view.tags(), *([pixel_tag] if pixel_tag else [])}):
        if pixel is not None and tag == pixel_tag:
            yield _pixels(pixel, tag)
            continue
        is_creator = bool(tag >> 16 & 1) and 0x10 <= tag & 0xFFFF <= 0xFF
        if is_creator:
            creators[tag & 0xFFFF0000 | (tag & 0xFF) << 8] = view.text(tag)
        path = f"{before}{tag:08x}"
        if view.vr(tag) != b"SQ":
            yield _row(view, tag, path, depth, _value(view, tag), creators)
            continue
        items = view.items(tag)
        words = "1 item" if len(items) == 1 else f"{len(items)} items"
        yield _row(view, tag, path, depth, words, creators)
        for number, item in enumerate(items, start=1):
            yield from _walk(item, f"{path}[{number}].", depth + 1)


def _row(
    view: ElementView, tag: int, path: str, depth: int, value: str, creators: dict[int, str]
) -> TagRow:
    span = view.span(tag)
    return TagRow(
        path=path,
        depth=depth,
        tag=_written(tag),
        vr=view.vr(tag)[:2].decode("ascii", "replace"),
        keyword=keyword_for_tag(tag),
        name=_name(tag, creators),
        value=value,
        length=span[1] if span else 0,
        is_private=bool(tag >> 16 & 1),
    )


def _pixels(pixel: PixelElement, tag: int) -> TagRow:
    length = pixel.length or 0
    words = "encapsulated" if pixel.encapsulated else f"{length} bytes"
    return TagRow(
        path=f"{tag:08x}",
        depth=0,
        tag=_written(tag),
        vr=pixel.vr[:2],
        keyword=pixel.keyword,
        name=dictionary_description(tag),
        value=words,
        length=length,
        is_private=False,
    )


def _name(tag: int, creators: dict[int, str]) -> str:
    if tag >> 16 & 1:
        if 0x10 <= tag & 0xFFFF <= 0xFF:
            return "Private Creator"
        try:
            return private_dictionary_description(tag, creators.get(tag & 0xFFFFFF00, ""))
        except KeyError:
            return ""
    try:
        return dictionary_description(tag)
    except KeyError:
        return "Group Length" if tag & 0xFFFF == 0 else ""


def _value(view: ElementView, tag: int) -> str:
    vr, span = view.vr(tag), view.span(tag)
    if span is None or span[1] == 0:
        return ""
    raw = view.raw(tag)
    if raw is None:
        return f"{span[1]} bytes"
    if vr in BULK_VRS:
        return _bytes_in_words(raw)
    if vr == b"AT":
        halves = view.ints(tag)[: 2 * SHOWN_NUMBERS]
        pairs = zip(halves[::2], halves[1::2], strict=False)
        return "\\".join(f"({group:04x},{element:04x})" for group, element in pairs)
    if vr not in STRING_VRS:
        numbers = view.floats(tag) if vr in FLOAT_VRS else view.ints(tag)
        shown = "\\".join(_number(number, vr) for number in numbers[:SHOWN_NUMBERS])
        return f"{shown}\\… {len(numbers)}" if len(numbers) > SHOWN_NUMBERS else shown
    return _cut(_tame("\\".join(view.texts(tag)), is_free=vr in CHARSET_VRS))


def _number(number: float, vr: bytes) -> str:
    """Write a number with as many digits as its type holds."""
    text = str(np.float32(number)) if vr == b"FL" else str(number)
    return text.removesuffix(".0")


def _bytes_in_words(raw: bytes) -> str:
    """Return text where bytes are plainly text, else the first of them in hexadecimal."""
    plain = raw.rstrip(b" \0")
    if plain and all(32 <= byte < 127 for byte in plain):
        return _cut(plain.decode("ascii"))
    shown = raw[:SHOWN_BYTES].hex(" ")
    return f"{shown} … {len(raw)} bytes" if len(raw) > SHOWN_BYTES else shown


def _tame(text: str, *, is_free: bool) -> str:
    """Replace control characters visibly; free text keeps its line breaks."""
    if not has_controls(text) and "\x1b" not in text:
        return text
    kept = "\n\t" if is_free else ""
    text = text.replace("\r\n", "\n").replace("\r", "\n") if is_free else text
    return "".join(c if (c >= " " and c != "\x7f") or c in kept else "\ufffd" for c in text)


def _cut(text: str) -> str:
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return f"{text[:SHOWN_CHARACTERS]}… {len(text)}"
