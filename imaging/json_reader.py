"""Reading the DICOM JSON model (PS3.18 Annex F): what others say, within bounds.

Values become as `imaging.datasets` has them: text is `str`, several of them a list, none an empty
string; numbers `int` or `float`; nothing is checked against its VR beyond its kind.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.valuerep import format_number_as_ds

from imaging.datasets import add_element
from imaging.dicom_json import GROUPS
from imaging.dictionary import vr_of
from imaging.errors import LimitExceededError, UnreadableError

DEPTH_LIMIT = 32
ELEMENTS_LIMIT = 250_000
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_WHOLE = frozenset({"IS", "SL", "SS", "SV", "UL", "US", "UV"})
_REAL = frozenset({"DS", "FD", "FL"})
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_TEXT = frozenset(
    {"AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
)
_VRS = _WHOLE | _REAL | _BINARY | _TEXT | {"AT", "PN", "SQ"}
_RANGES = {
    "SS": (-(2**15), 2**15), "US": (0, 2**16), "SL": (-(2**31), 2**31), "UL": (0, 2**32),
    "SV": (-(2**63), 2**63), "UV": (0, 2**64), "IS": (-(2**31), 2**31),
}  # fmt: skip


@dataclass(frozen=True)
class Bulk:
    """An element whose value lies elsewhere: `home` is the data set or item that it belongs to."""

    home: Dataset
    tag: int
    vr: str
    uri: str


@dataclass
class Metadata:
    """One object as metadata tell it: elements, file meta information, and what lies elsewhere."""

    dataset: Dataset = field(default_factory=Dataset)
    meta: Dataset = field(default_factory=Dataset)
    bulk: list[Bulk] = field(default_factory=list)


def read_documents(text: bytes) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON document: an array of them, or one alone.

    Raises UnreadableError when it is neither.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError("The metadata are no JSON.") from None
    for document in found if isinstance(found, list) else [found]:
        if not isinstance(document, dict):
            raise UnreadableError("The metadata are no DICOM JSON model.")
        yield document


def read_metadata(document: dict[str, Any]) -> Metadata:
    """Return what one object of the JSON model says.

    Raises
    ------
    UnreadableError
        A tag, a VR or a value is none.
    LimitExceededError
        It nests deeper or has more elements than the bounds allow.
    """
    reader = _Reader()
    whole = Metadata(bulk=reader.bulk)
    for tag, vr, content in reader.elements(document):
        if tag >> 16 == 2:
            reader.add(whole.meta, tag, vr, content, depth=0)
        elif tag >> 16 > 7:
            reader.add(whole.dataset, tag, vr, content, depth=0)
        else:
            raise UnreadableError("A tag of the metadata belongs to no data set.")
    return whole


class _Reader:
    """Reads elements, counting them and noting what lies elsewhere."""

    def __init__(self) -> None:
        self.bulk: list[Bulk] = []
        self._count = 0

    def elements(self, document: dict[str, Any]) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Yield tag, VR and content of each element, in the order of their tags."""
        for name in sorted(document, key=str.upper):
            content = document[name]
            if not _TAG.fullmatch(name) or not isinstance(content, dict):
                raise UnreadableError("The metadata are no DICOM JSON model.")
            self._count += 1
            if self._count > ELEMENTS_LIMIT:
                raise LimitExceededError("The metadata have too many elements.")
            tag = int(name, 16)
            if tag & 0xFFFF:
                vr = content.get("vr") or vr_of(tag).decode("ascii")[:2]
                if vr not in _VRS:
                    raise UnreadableError("A VR of the metadata is none.")
                yield tag, vr, content

    def add(self, home: Dataset, tag: int, vr: str, content: dict[str, Any], *, depth: int) -> None:
        """Put one element into its data set or item."""
        if depth > DEPTH_LIMIT:
            raise LimitExceededError("The metadata nest too deep.")
        if "BulkDataURI" in content:
            uri = content["BulkDataURI"]
            if not isinstance(uri, str) or vr == "SQ":
                raise UnreadableError("A BulkDataURI of the metadata is none.")
            self.bulk.append(Bulk(home, tag, vr, uri))
        elif "InlineBinary" in content:
            add_element(home, tag, vr, [_binary(vr, content["InlineBinary"])])
        else:
            values = content.get("Value", [])
            if not isinstance(values, list):
                raise UnreadableError("A value of the metadata is no list.")
            if vr == "SQ":
                items = [self._item(one, depth + 1) for one in values]
                home.add(DataElement(tag, "SQ", items))
            elif vr in _BINARY and values:
                raise UnreadableError("A binary value of the metadata is written as text.")
            elif vr in _BINARY:
                add_element(home, tag, vr, [b""])
            else:
                add_element(home, tag, vr, [_value(vr, one) for one in values])

    def _item(self, document: Any, depth: int) -> Dataset:
        item = Dataset()
        if document is None:
            return item
        if not isinstance(document, dict):
            raise UnreadableError("An item of the metadata is none.")
        for tag, vr, content in self.elements(document):
            self.add(item, tag, vr, content, depth=depth)
        return item


def _binary(vr: str, text: Any) -> bytes:
    if not isinstance(text, str) or vr not in _BINARY:
        raise UnreadableError("An InlineBinary of the metadata is none.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UnreadableError("An InlineBinary of the metadata is no base64.") from None


def _value(vr: str, value: Any) -> Any:
    if value is None:
        return ""
    if vr == "PN":
        return _name(value)
    if vr == "AT":
        if not isinstance(value, str) or not _TAG.fullmatch(value):
            raise UnreadableError("A tag among the values is none.")
        return int(value, 16)
    if vr in _WHOLE:
        return _whole(vr, value)
    if vr in _REAL:
        return _real(vr, value)
    if not isinstance(value, str) or "\0" in value:
        raise UnreadableError("A text of the metadata is none.")
    return value


def _name(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise UnreadableError("A name of the metadata is none.")
    groups = [value.get(name, "") for name in GROUPS]
    return "=".join(groups).rstrip("=").replace("\0", "")


def _whole(vr: str, value: Any) -> Any:
    try:
        number = int(value)
        is_same = isinstance(value, str) or number == value
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError("A number of the metadata is none.") from None
    low, high = _RANGES[vr]
    if isinstance(value, bool) or not is_same or not low <= number < high:
        raise UnreadableError("A number of the metadata is out of its range.")
    return str(number) if vr == "IS" else number


def _real(vr: str, value: Any) -> Any:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableError("A number of the metadata is none.") from None
    if isinstance(value, bool) or (vr == "DS" and not math.isfinite(number)):
        raise UnreadableError("A number of the metadata is none.")
    if vr != "DS":
        return number
    text = value.strip() if isinstance(value, str) else repr(value)
    if len(text) <= 16:
        return text
    try:
        return format_number_as_ds(number)
    except ValueError:
        raise UnreadableError("A number of the metadata is none.") from None
