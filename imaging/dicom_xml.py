"""Data sets in the Native DICOM Model, as XML (PS3.19 A.1)."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from pydicom import Dataset
from pydicom.datadict import keyword_for_tag

from imaging.dicom_json import GROUPS, to_json

NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
# What XML 1.0 does not allow in text.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def to_xml(dataset: Dataset) -> bytes:
    """Return a data set as an XML document in UTF-8."""
    return xml_of_json(to_json(dataset))


def xml_of_json(attributes: dict[str, Any]) -> bytes:
    """Return what the JSON model holds as an XML document in UTF-8."""
    root = Element("NativeDicomModel", {"xmlns": NAMESPACE, "xml:space": "preserve"})
    _add_attributes(root, attributes)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def _add_attributes(parent: Element, attributes: dict[str, Any]) -> None:
    for tag, content in attributes.items():
        about = {"tag": tag, "vr": content["vr"]}
        if keyword := keyword_for_tag(int(tag, 16)):
            about["keyword"] = keyword
        node = SubElement(parent, "DicomAttribute", about)
        if "InlineBinary" in content:
            SubElement(node, "InlineBinary").text = content["InlineBinary"]
        if "BulkDataURI" in content:
            SubElement(node, "BulkData", {"uri": content["BulkDataURI"]})
        for number, value in enumerate(content.get("Value", ()), start=1):
            _add_value(node, content["vr"], str(number), value)


def _add_value(node: Element, vr: str, number: str, value: Any) -> None:
    if value is None:
        return
    if vr == "SQ":
        _add_attributes(SubElement(node, "Item", {"number": number}), value)
    elif vr == "PN":
        name = SubElement(node, "PersonName", {"number": number})
        for group in GROUPS:
            if group in value:
                _add_group(SubElement(name, group), value[group])
    else:
        SubElement(node, "Value", {"number": number}).text = _allowed(str(value))


def _add_group(node: Element, text: str) -> None:
    for component, part in zip(_COMPONENTS, text.split("^"), strict=False):
        if part:
            SubElement(node, component).text = _allowed(part)


def _allowed(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
