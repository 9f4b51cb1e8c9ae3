"""Reading the values of elements that a scan has located, on demand and leniently."""

import math
import struct
from collections.abc import Callable, Iterator
from typing import TypeVar

from imaging.charset import decode_text
from imaging.dictionary import tag_of, vr_of
from imaging.encoding import (
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    ITEM,
    SEQUENCE_END,
    UNDEFINED,
    Encoding,
)
from imaging.errors import UnreadableError
from imaging.nesting import Nesting, skip_sequence
from imaging.scan import Entry, scan_elements
from imaging.source import Source
from imaging.text import has_controls, parse_decimal, parse_integer

# Text that Specific Character Set governs (PS3.5 6.1.2.3), and what has no several values.
CHARSET_VRS = frozenset({b"SH", b"LO", b"ST", b"LT", b"UC", b"UT", b"PN"})
SINGLE_VRS = frozenset({b"ST", b"LT", b"UT", b"UR"})
STRING_VRS = CHARSET_VRS | frozenset(
    {b"AE", b"AS", b"CS", b"DA", b"DS", b"DT", b"IS", b"TM", b"UI", b"UR"}
)
NUMBER_CODES = {
    b"US": "H", b"SS": "h", b"UL": "L", b"SL": "l", b"UV": "Q", b"SV": "q",
    b"FL": "f", b"FD": "d", b"OF": "f", b"OD": "d", b"OW": "H", b"OL": "L", b"OV": "Q", b"OB": "B",
}  # fmt: skip
Number = TypeVar("Number", int, float)

_STRUCTS: dict[tuple[str, int], struct.Struct] = {}

SPECIFIC_CHARACTER_SET = 0x00080005
PIXEL_REPRESENTATION = 0x00280103


class ElementView:
    """The elements of a data set or of one item.

    Keys are keywords (`"PatientName"`) or tags (`0x00100010`). Reading never raises for a bad
    value: what had to be replaced or left out is told in `flags`, a set of short codes that
    an item shares with the header it belongs to. It raises LimitExceededError when text and
    numbers of the whole header take more bytes than `HeaderLimits.parsed_bytes`.
    """

    __slots__ = ("_depth", "_elements", "_encoding", "_source", "charset", "flags", "signed")

    def __init__(
        self,
        source: Source,
        elements: dict[int, Entry],
        encoding: Encoding,
        flags: set[str],
        *,
        parent: "ElementView | None" = None,
    ) -> None:
        self._source = source
        self._elements = elements
        self._encoding = encoding
        self.flags = flags
        self._depth: int = parent._depth + 1 if parent else 0
        self.charset: bytes = parent.charset if parent else b""
        self.signed: bool = parent.signed if parent else False
        if SPECIFIC_CHARACTER_SET in elements:
            self.charset = self.raw(SPECIFIC_CHARACTER_SET) or b""
        if PIXEL_REPRESENTATION in elements:
            self.signed = self.integer(PIXEL_REPRESENTATION) == 1

    def __contains__(self, key: str | int) -> bool:
        return tag_of(key) in self._elements

    @property
    def is_little_endian(self) -> bool:
        """Whether binary values are little endian."""
        return self._encoding.little

    @property
    def is_implicit(self) -> bool:
        """Whether elements come without their VR."""
        return self._encoding.implicit

    def tags(self) -> list[int]:
        """Return the tags that are here, as they come in the file (without the pixel data)."""
        return list(self._elements)

    def vr(self, key: str | int) -> bytes:
        """Return the VR as written, or by the dictionary in implicit VR; `UN` if absent."""
        tag = tag_of(key)
        entry = self._elements.get(tag)
        if entry is None:
            return b"UN"
        written = entry[0]
        return vr_of(tag) if written is None or written == b"UN" else written

    def span(self, key: str | int) -> tuple[int, int] | None:
        """Return offset and length of a value, in the file (inflated data set if deflated)."""
        entry = self._elements.get(tag_of(key))
        return None if entry is None else (entry[1], entry[2])

    def raw(self, key: str | int) -> bytes | None:
        """Return the bytes of a value; None when absent or too long to have been kept."""
        entry = self._elements.get(tag_of(key))
        return None if entry is None else self._source.slice(entry[1], entry[2])

    def _short(self, key: str | int) -> bytes | None:
        """Return the bytes of a value that may be parsed: a longer one would take minutes.

        They are jumped over in files, but an inflated data set is in memory whole.
        """
        entry = self._elements.get(tag_of(key))
        if entry is None:
            return None
        raw = self._source.slice(entry[1], entry[2])
        if raw is not None and len(raw) > self._source.limits.value_bytes:
            self.flags.add("long_value")
            return None
        self._source.count_parsed(len(raw or b""))
        return raw

    def texts(self, key: str | int) -> list[str]:
        """Return the values as text; numbers are written out. Empty when absent or empty."""
        raw = self._short(key)
        if not raw:
            return []
        vr = self.vr(key)
        if vr in NUMBER_CODES and vr not in (b"OB", b"OW"):
            return [str(number) for number in self.floats(key)]
        if vr in CHARSET_VRS:
            text, flags = decode_text(
                raw, self.charset, person_name=vr == b"PN", single_value=vr in SINGLE_VRS
            )
            self.flags |= flags
            if has_controls(text):
                self.flags.add("text_controls")
        else:
            text = raw.decode("latin-1")
        if vr in SINGLE_VRS:
            return [text.rstrip(" \0")]
        if vr == b"UI":
            return [part.strip(" \0") for part in text.rstrip(" \0").split("\\")]
        return [part.strip(" \0") for part in text.split("\\")]

    def text(self, key: str | int, default: str = "") -> str:
        """Return the first value as text, or `default` when absent or empty."""
        values = self.texts(key)
        return values[0] or default if values else default

    def ints(self, key: str | int) -> list[int]:
        """Return the values as integers, leaving out (and flagging) what is none."""
        raw = self._short(key)
        if not raw:
            return []
        vr = self.vr(key)
        if vr in STRING_VRS or vr == b"UN":
            return self._parsed(raw, parse_integer)
        return [int(number) for number in self._numbers(raw, vr) if math.isfinite(number)]

    def integer(self, key: str | int) -> int | None:
        """Return the first value as integer, None when absent or no number."""
        values = self.ints(key)
        return values[0] if values else None

    def floats(self, key: str | int) -> list[float]:
        """Return the values as finite floats, leaving out (and flagging) what is none."""
        raw = self._short(key)
        if not raw:
            return []
        vr = self.vr(key)
        if vr in STRING_VRS or vr == b"UN":
            return self._parsed(raw, parse_decimal)
        numbers = [float(number) for number in self._numbers(raw, vr)]
        finite = [number for number in numbers if math.isfinite(number)]
        if len(finite) != len(numbers):
            self.flags.add("bad_number")
        return finite

    def number(self, key: str | int) -> float | None:
        """Return the first value as float, None when absent or no number."""
        values = self.floats(key)
        return values[0] if values else None

    def is_conforming(self, key: str | int) -> bool:
        """Whether a number in text is written as the standard wants it; true when absent."""
        raw = self._short(key)
        if not raw or self.vr(key) not in STRING_VRS | {b"UN"}:
            return True
        return all(parse_decimal(part)[1] for part in raw.decode("latin-1").split("\\"))

    def items(self, key: str | int) -> "list[ElementView]":
        """Return the items of a sequence; empty when absent or no sequence.

        Broken items end the list and are flagged `broken_sequence`.

        Raises
        ------
        LimitExceededError
            Nesting or number of elements exceeds the limits.
        """
        return list(self.iter_items(key))

    def item(self, key: str | int) -> "ElementView | None":
        """Return the first item of a sequence, or None."""
        return next(self.iter_items(key), None)

    def iter_items(self, key: str | int) -> "Iterator[ElementView]":
        """Yield the items of a sequence one by one, see `items`."""
        tag = tag_of(key)
        entry = self._elements.get(tag)
        if entry is None or entry[2] < 8:
            return
        written, start, length = entry
        if written not in (b"SQ", b"UN", None):
            return
        encodings = [IMPLICIT_LITTLE, EXPLICIT_LITTLE] if written == b"UN" else [self._encoding]
        for attempt, encoding in enumerate(encodings):
            produced = 0
            try:
                for view in self._walk(start, start + length, encoding):
                    produced += 1
                    yield view
                return
            except (UnreadableError, struct.error) as error:
                if type(error) not in (UnreadableError, struct.error):
                    raise
                if produced or attempt == len(encodings) - 1:
                    self.flags.add("broken_sequence")
                    return

    def _walk(self, position: int, end: int, encoding: Encoding) -> "Iterator[ElementView]":
        source = self._source
        while position + 8 <= end:
            source.ensure(position, 8)
            group, element, length = encoding.head.unpack_from(
                source.buffer, position - source.base
            )
            tag = group << 16 | element
            if tag == SEQUENCE_END:
                return
            if tag != ITEM:
                raise UnreadableError("no item where a sequence should hold one")
            position += 8
            if length == UNDEFINED:
                stop = self._item_end(position, encoding)
                content_end = stop - 8
            else:
                stop = content_end = position + length
            if stop > end:
                raise UnreadableError("an item reaches beyond its sequence")
            found = scan_elements(source, position, content_end, encoding, depth=self._depth + 1)
            self.flags |= found.flags
            yield ElementView(source, found.elements, encoding, self.flags, parent=self)
            position = stop

    def _item_end(self, position: int, encoding: Encoding) -> int:
        """Return the offset after an item of undefined length, its delimiter included."""
        return skip_sequence(
            self._source,
            position,
            None,
            Nesting(encoding, self._depth + 1, in_item=True),
            self.flags,
        )

    def _numbers(self, raw: bytes, vr: bytes) -> tuple[int | float, ...]:
        code = NUMBER_CODES.get(vr)
        if code is None:
            code = "H" if vr.startswith((b"US", b"OB or")) else "B"
        if vr.startswith(b"US ") and self.signed:
            code = "h"
        order = "<" if self._encoding.little else ">"
        if vr == b"AT":
            code = "H"
        width = struct.Struct(order + code).size
        count = len(raw) // width
        key = (order + code, count)
        layout = _STRUCTS.get(key)
        if layout is None:
            layout = struct.Struct(f"{order}{count}{code}")
            if len(_STRUCTS) < 256:
                _STRUCTS[key] = layout
        return layout.unpack_from(raw)

    def _parsed(
        self, raw: bytes, parse: "Callable[[str], tuple[Number | None, bool]]"
    ) -> "list[Number]":
        values: list[Number] = []
        for part in raw.decode("latin-1").split("\\"):
            value, conforming = parse(part)
            if not conforming:
                self.flags.add("bad_number")
            if value is not None:
                values.append(value)
        return values
