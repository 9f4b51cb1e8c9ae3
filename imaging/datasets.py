"""Elements as pydicom data sets, their values as they came."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any

from pydicom import DataElement, Dataset
from pydicom import config as pydicom_config

from imaging.dictionary import vr_of
from imaging.elements import NUMBER_CODES, ElementView
from imaging.errors import UnreadableError

_BINARY_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"UN"})


def dataset_of(view: ElementView, tags: Iterable[int] | None = None) -> Dataset:
    """Return the elements of a view, or those of some tags that it has, as a data set.

    Text values are `str`, several of them a list, none an empty string; numbers `int` or
    `float` likewise. Nothing is checked against its VR.

    Raises UnreadableError when a sequence is broken.
    """
    dataset = Dataset()
    for tag in view.tags() if tags is None else [tag for tag in tags if tag in view]:
        vr = view.vr(tag)
        if vr == b"SQ" or (vr == b"UN" and vr_of(tag) == b"SQ"):
            items = [dataset_of(item) for item in view.iter_items(tag)]
            dataset.add(DataElement(tag, "SQ", items))
        else:
            add_element(dataset, tag, vr.decode("ascii"), _values(view, tag, vr))
    if "broken_sequence" in view.flags:
        raise UnreadableError("A sequence is broken.")
    return dataset


def _values(view: ElementView, tag: int, vr: bytes) -> list[Any]:
    if vr == b"AT":
        halves = struct.unpack(f"<{len(view.raw(tag) or b'') // 2}H", view.raw(tag) or b"")
        return [high << 16 | low for high, low in zip(halves[::2], halves[1::2], strict=False)]
    if vr in _BINARY_VRS:
        return [view.raw(tag) or b""]
    if vr in NUMBER_CODES:
        return view.floats(tag) if NUMBER_CODES[vr] in "fd" else view.ints(tag)
    return view.texts(tag)


def add_element(dataset: Dataset, tag: int, vr: str, values: Sequence[Any]) -> None:
    """Put values into a data set as they are: one alone, several as a list, none as empty."""
    value: Any = list(values) if len(values) > 1 else values[0] if values else ""
    dataset.add(
        DataElement(tag, vr, value, validation_mode=pydicom_config.IGNORE, already_converted=True)
    )
