"""Stored values to modality values to grey: rescale, lookup tables, windows.

PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT). The same formulas are in the viewer; both are
tested from `tests/golden/display.json`.
"""

import math
from dataclasses import dataclass
from itertools import islice

import numpy as np

from imaging.elements import ElementView

LINEAR = "LINEAR"
LINEAR_EXACT = "LINEAR_EXACT"
SIGMOID = "SIGMOID"
VOI_LUT_FUNCTIONS = frozenset({LINEAR, LINEAR_EXACT, SIGMOID})


@dataclass(frozen=True, slots=True, eq=False)
class LookupTable:
    """A modality or VOI lookup table.

    `values` are uint16, shape (entries,); the first belongs to the input `first_mapped`,
    inputs below and beyond take the first and last (C.11.1.1). `bits` is the depth of the
    output.
    """

    first_mapped: int
    values: np.ndarray
    bits: int

    @classmethod
    def from_item(cls, item: ElementView, *, signed_input: bool) -> "LookupTable | None":
        """Read an item of a LUT sequence; None, and flagged `bad_lut`, when unusable.

        The first mapped value is SS when the table's input is signed (C.11.1.1.1), whatever
        VR the file gave it.
        """
        table = cls._read(item, signed_input=signed_input)
        if table is None:
            item.flags.add("bad_lut")
        return table

    @classmethod
    def _read(cls, item: ElementView, *, signed_input: bool) -> "LookupTable | None":
        descriptor = item.ints("LUTDescriptor")
        raw = item.raw("LUTData")
        if len(descriptor) != 3 or not raw:
            return None
        entries, first, bits = (descriptor[0] & 0xFFFF) or 65536, descriptor[1], descriptor[2]
        first &= 0xFFFF
        if signed_input and first >= 0x8000:
            first -= 0x10000
        if len(raw) >= 2 * entries:
            order = "<u2" if item.is_little_endian else ">u2"
            values = np.frombuffer(raw, order, entries).astype(np.uint16)
        elif len(raw) >= entries and bits <= 8:
            if not item.is_little_endian and item.vr("LUTData") != b"OB":
                raw = np.frombuffer(raw[: len(raw) // 2 * 2], ">u2").astype("<u2").tobytes()
            if len(raw) < entries:
                return None
            values = np.frombuffer(raw, np.uint8, entries).astype(np.uint16)
        else:
            return None
        return cls(first, values, min(max(bits, 8), 16))

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return float64 outputs, same shape; inputs are rounded to integers first."""
        indices = np.rint(np.asarray(values, np.float64)) - self.first_mapped
        indices = np.clip(indices, 0, len(self.values) - 1).astype(np.int64)
        outputs: np.ndarray = self.values[indices].astype(np.float64)
        return outputs


def find_voi_items(header: ElementView, frame: int) -> list[ElementView]:
    """Return the items of the VOI LUT Sequence that is for a frame, counted from 0.

    The frame's own functional groups before those that all share (PS3.3 C.7.6.16.2.10)
    before the image itself.
    """
    own = islice(header.iter_items("PerFrameFunctionalGroupsSequence"), frame, frame + 1)
    for groups in (next(own, None), header.item("SharedFunctionalGroupsSequence")):
        if groups is not None and (items := voi_items_of(groups)):
            return items
    return header.items("VOILUTSequence")


def voi_items_of(groups: ElementView) -> list[ElementView]:
    """Return the items of the VOI LUT Sequence in one item of functional groups."""
    inner = groups.item("FrameVOILUTSequence")
    return [] if inner is None else inner.items("VOILUTSequence")


@dataclass(frozen=True, slots=True)
class Window:
    """A window in modality units and the function that applies it (C.11.2.1.2, C.11.2.1.3)."""

    center: float
    width: float
    function: str = LINEAR

    @property
    def is_usable(self) -> bool:
        """Whether the standard allows it: finite, width at least 1 (LINEAR) or above 0."""
        if not (math.isfinite(self.center) and math.isfinite(self.width)):
            return False
        return self.width >= 1 if self.function == LINEAR else self.width > 0

    def apply(self, values: np.ndarray, *, top: float = 255.0) -> np.ndarray:
        """Return float64 grey from 0 to `top`, same shape as `values`."""
        x = np.asarray(values, np.float64)
        if self.function == SIGMOID:
            exponent = np.clip(-4.0 * (x - self.center) / self.width, -700.0, 700.0)
            return top / (1.0 + np.exp(exponent))
        if self.function == LINEAR_EXACT:
            grey = ((x - self.center) / self.width + 0.5) * top
        elif self.width == 1:
            # LINEAR of width 1 is a threshold: its slope would divide by nothing.
            return np.where(x <= self.center - 0.5, 0.0, top)
        else:
            grey = ((x - (self.center - 0.5)) / (self.width - 1.0) + 0.5) * top
        return np.clip(grey, 0.0, top)


def rescale(values: np.ndarray, slope: float | None, intercept: float | None) -> np.ndarray:
    """Return float64 modality values, `slope * stored + intercept` (C.11.1.1.2).

    A slope of 0, or numbers that are not finite, would erase the image; they are taken as
    absent.
    """
    slope, intercept = usable_rescale(slope, intercept)
    return np.asarray(values, np.float64) * slope + intercept


def usable_rescale(slope: float | None, intercept: float | None) -> tuple[float, float]:
    """Return slope and intercept, (1, 0) when absent or absurd."""
    if slope is None or not math.isfinite(slope) or slope == 0:
        return 1.0, 0.0
    if intercept is None or not math.isfinite(intercept):
        return slope, 0.0
    return slope, intercept
