"""Data sets of performed steps as they are kept: Explicit VR Little Endian, UTF-8."""

from __future__ import annotations

import io

from pydicom import DataElement, Dataset, config
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

UTF_8 = "ISO_IR 192"


def encode_said(dataset: Dataset) -> bytes:
    """Return the data set as bytes to keep; values are as `decode_identifier` reads them."""
    buffer = DicomBytesIO()
    buffer.is_little_endian = True
    buffer.is_implicit_VR = False
    whole = _with_names(dataset)
    whole.SpecificCharacterSet = UTF_8
    write_dataset(buffer, whole, UTF_8)
    return buffer.getvalue()


def _with_names(dataset: Dataset) -> Dataset:
    """Return a copy whose person names are such to pydicom, and whose group lengths are gone."""
    copy = Dataset()
    for element in dataset:
        if element.VR == "SQ":
            items = [_with_names(item) for item in element.value]
            copy.add(DataElement(element.tag, "SQ", items))
        elif element.VR == "PN":
            copy.add(DataElement(element.tag, "PN", element.value, validation_mode=config.IGNORE))
        elif element.tag.element:
            copy.add(element)
    return copy


def decode_said(data: bytes) -> Dataset:
    """Return a kept data set; nothing kept is an empty one."""
    found = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)
    found.set_original_encoding(False, True, "utf8")
    found.decode()
    return found
