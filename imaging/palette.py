"""Palette colour lookup tables (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6, C.7.6.19, C.7.9.2)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from imaging.elements import ElementView
from imaging.errors import UndecodableError

MAX_ENTRIES = 65536
_COLORS = ("Red", "Green", "Blue")


@dataclass(frozen=True, slots=True, eq=False)
class Palette:
    """Three tables of uint8, shape (entries, 3), and the pixel value of the first entry."""

    table: np.ndarray
    first_mapped: int

    @classmethod
    def from_header(cls, header: ElementView) -> "Palette | None":
        """Read the palette of an image; None when there is none.

        Raises
        ------
        UndecodableError
            The tables are cut short or contradict each other.
        """
        if "RedPaletteColorLookupTableDescriptor" not in header:
            return None
        columns = []
        first_mapped = 0
        for color in _COLORS:
            descriptor = header.ints(f"{color}PaletteColorLookupTableDescriptor")
            if len(descriptor) != 3:
                raise UndecodableError("a palette has no usable descriptor")
            entries, first_mapped, bits = descriptor
            # US or SS: 0 stands for 65536, and a negative count is a large one read as SS.
            entries = (entries & 0xFFFF) or MAX_ENTRIES
            if not header.signed:
                first_mapped &= 0xFFFF
            columns.append(_column(header, color, entries, bits))
        if len({len(column) for column in columns}) != 1:
            raise UndecodableError("the three tables of a palette differ in length")
        table = _eight_bits(np.stack(columns, axis=1), header)
        return cls(table, first_mapped)

    @classmethod
    def supplemental(cls, header: ElementView) -> "Palette | None":
        """Return the palette that lies over a grey image; None, and flagged, when unusable."""
        try:
            return cls.from_header(header)
        except UndecodableError:
            header.flags.add("bad_lut")
            return None

    def apply(self, indices: np.ndarray) -> np.ndarray:
        """Return uint8 RGB of shape (…, 3) for indices of shape (…).

        Indices below and beyond the table take its first and last entry (C.7.6.3.1.5).
        """
        entries = indices.astype(np.int64) - self.first_mapped
        return self.table[np.clip(entries, 0, len(self.table) - 1)]


def is_colored(facts: dict[str, Any]) -> bool:
    """Whether a frame with these facts wants the colours of a supplemental palette.

    Pixel Presentation COLOR says so, of the image or, where that is MIXED, of the frame (PS3.3
    C.8.16.2.1.1.1).
    """
    presentation = str(facts.get("pixel_presentation", ""))
    return bool(facts.get("has_supplemental_palette")) and presentation.upper() == "COLOR"


def _eight_bits(table: np.ndarray, header: ElementView) -> np.ndarray:
    bits = header.ints("RedPaletteColorLookupTableDescriptor")[2]
    # Tables said to hold 16 bits but filled with 8 are common; nothing else fits in 255.
    if bits > 8 and int(table.max(initial=0)) > 255:
        return (table >> 8).astype(np.uint8)
    return table.astype(np.uint8)


def _column(header: ElementView, color: str, entries: int, bits: int) -> np.ndarray:
    raw = header.raw(f"{color}PaletteColorLookupTableData")
    if raw:
        return _plain(raw, entries, bits, header)
    segmented = header.raw(f"Segmented{color}PaletteColorLookupTableData")
    if segmented:
        return expand_segments(_words(segmented, bits, header), entries)
    raise UndecodableError("a palette has no table")


def _plain(raw: bytes, entries: int, bits: int, header: ElementView) -> np.ndarray:
    if bits <= 8 and len(raw) < 2 * entries:
        if not header.is_little_endian:
            raw = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype("<u2").tobytes()
        values = np.frombuffer(raw, np.uint8).astype(np.uint16)
    else:
        values = _words(raw, 16, header)
    if len(values) < entries:
        raise UndecodableError("a palette table is shorter than its descriptor says")
    return values[:entries]


def _words(raw: bytes, bits: int, header: ElementView) -> np.ndarray:
    if bits <= 8:
        return np.frombuffer(raw, np.uint8).astype(np.uint16)
    order = "<u2" if header.is_little_endian else ">u2"
    return np.frombuffer(raw[: len(raw) // 2 * 2], order).astype(np.uint16)


def expand_segments(words: np.ndarray, entries: int) -> np.ndarray:
    """Expand a segmented table: discrete, linear and indirect segments (C.7.9.2).

    Raises
    ------
    UndecodableError
        It is malformed, or expands to more or fewer than `entries`.
    """
    values: list[int] = []
    position = 0
    while position + 1 < len(words) and len(values) < entries:
        kind, length = int(words[position]), int(words[position + 1])
        if kind == 2:
            if position + 4 > len(words):
                raise UndecodableError("an indirect palette segment is cut short")
            target = int(words[position + 2]) | int(words[position + 3]) << 16
            _expand_indirect(words, target, length, values, entries)
            position += 4
        else:
            position = _expand_direct(words, position, values, entries)
    if len(values) != entries:
        raise UndecodableError("a segmented palette does not fill its table")
    return np.array(values, np.uint16)


def _expand_indirect(
    words: np.ndarray, target: int, count: int, values: list[int], entries: int
) -> None:
    """Copy `count` segments from `target`; they must not be indirect themselves."""
    for _ in range(count):
        if target + 1 >= len(words) or int(words[target]) == 2:
            raise UndecodableError("an indirect palette segment points nowhere")
        target = _expand_direct(words, target, values, entries)


def _expand_direct(words: np.ndarray, position: int, values: list[int], entries: int) -> int:
    kind, length = int(words[position]), int(words[position + 1])
    if len(values) + length > entries:
        raise UndecodableError("a segmented palette overflows its table")
    if kind == 0:
        if position + 2 + length > len(words):
            raise UndecodableError("a discrete palette segment is cut short")
        values.extend(int(word) for word in words[position + 2 : position + 2 + length])
        return position + 2 + length
    if kind == 1:
        if position + 3 > len(words) or not values:
            raise UndecodableError("a linear palette segment begins nowhere")
        first, last = values[-1], int(words[position + 2])
        steps = np.linspace(first, last, length + 1)[1:]
        values.extend(int(step) for step in np.rint(steps))
        return position + 3
    raise UndecodableError("a palette segment of unknown kind")
