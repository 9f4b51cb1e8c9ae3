"""Data sets as bytes: explicit VR, little endian, UTF-8; in parts around a large value."""

from __future__ import annotations

from pydicom import DataElement, Dataset, config
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from imaging.errors import UnreadableError

UTF_8 = "ISO_IR 192"
_CHARACTER_SET = 0x00080005
_SHORT_VRS = frozenset(
    {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS",
     "ST", "TM", "UI", "UL", "US"}
)  # fmt: skip


def encode_dataset(dataset: Dataset, first: int = 0, last: int = 0xFFFFFFFF) -> bytes:
    """Return the elements from tag `first` to tag `last`, of values as `imaging.datasets` has them.

    Specific Character Set is UTF-8, whatever was there. Raises UnreadableError when a value
    cannot be written by its VR.
    """
    whole = _prepared(dataset)
    if first <= _CHARACTER_SET <= last:
        whole.add(DataElement(_CHARACTER_SET, "CS", UTF_8))
    part = Dataset()
    part.update({element.tag: element for element in whole if first <= int(element.tag) <= last})
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    try:
        write_dataset(buffer, part, UTF_8)
    except (ValueError, TypeError, AttributeError, OverflowError, UnicodeError, KeyError) as error:
        raise UnreadableError("A value cannot be written as its VR wants it.") from error
    except Exception as error:
        # struct.error has no class of its own worth naming; pydicom wraps it as it likes.
        raise UnreadableError("A value cannot be written as its VR wants it.") from error
    return buffer.getvalue()


def _prepared(dataset: Dataset) -> Dataset:
    """Return a copy whose person names are such to pydicom, without group lengths."""
    copy = Dataset()
    for element in dataset:
        if element.VR == "SQ":
            copy.add(DataElement(element.tag, "SQ", [_prepared(item) for item in element.value]))
        elif element.VR == "PN":
            copy.add(DataElement(element.tag, "PN", element.value, validation_mode=config.IGNORE))
        elif int(element.tag) == _CHARACTER_SET:
            continue
        elif element.tag.element:
            _check_length(element)
            copy.add(element)
    return copy


def _check_length(element: DataElement) -> None:
    """Refuse what the length of a short VR cannot say: pydicom would call it another VR."""
    value = element.value
    if element.VR in _SHORT_VRS and isinstance(value, str) and len(value) > 65_534:
        raise UnreadableError("A value is longer than its VR allows.")
