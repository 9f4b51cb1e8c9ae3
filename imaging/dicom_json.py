"""Data sets in the DICOM JSON model (PS3.18 Annex F)."""

from __future__ import annotations

import base64
import math
from typing import Any

from pydicom import Dataset
from pydicom.multival import MultiValue

GROUPS = ("Alphabetic", "Ideographic", "Phonetic")
_NUMBERS = frozenset({"DS", "FD", "FL", "IS", "SL", "SS", "SV", "UL", "US", "UV"})
_INLINE = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})


def to_json(dataset: Dataset) -> dict[str, Any]:
    """Return a data set as the JSON model has it; bulk values are given inline."""
    found = {}
    for element in dataset:
        if element.tag.element != 0:
            found[f"{int(element.tag):08X}"] = _element(element.VR, element.value)
    return found


def _element(vr: str, value: Any) -> dict[str, Any]:
    if vr == "SQ":
        items = [to_json(item) for item in value]
        return {"vr": vr, "Value": items} if items else {"vr": vr}
    if vr in _INLINE:
        raw = value if isinstance(value, bytes) else b""
        text = base64.b64encode(raw).decode("ascii")
        return {"vr": vr, "InlineBinary": text} if raw else {"vr": vr}
    values = [_value(vr, one) for one in listed(value)]
    while values and values[-1] is None:
        values.pop()
    return {"vr": vr, "Value": values} if values else {"vr": vr}


def _value(vr: str, value: Any) -> Any:
    """Return one value; an empty one among others is null."""
    if value is None or value == "":
        return None
    if vr == "PN":
        groups = str(value).split("=")
        return {name: text for name, text in zip(GROUPS, groups, strict=False) if text}
    if vr in _NUMBERS:
        return _number(vr, value)
    if vr == "AT":
        return f"{int(value):08X}"
    return str(value)


def _number(vr: str, value: Any) -> Any:
    """Return a number; text that is none stays text (F.2.3.1)."""
    if isinstance(value, str):
        try:
            value = int(value) if vr == "IS" else float(value)
        except ValueError:
            return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return int(value)


def listed(value: Any) -> list[Any]:
    """Return the values of an element as a list."""
    return list(value) if isinstance(value, list | tuple | MultiValue) else [value]
