"""Reading the Native DICOM Model (PS3.19 A.1) into the JSON model, for one reader of values.

A document type is refused, and with it every entity that could grow or fetch something.
"""

from __future__ import annotations

from typing import Any
from xml.parsers import expat

from imaging.dicom_json import GROUPS
from imaging.errors import LimitExceededError, UnreadableError

DEPTH_LIMIT = 160
_ROOT, _ATTRIBUTE, _ITEM = "NativeDicomModel", "DicomAttribute", "Item"
_COMPONENTS = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")
_MOST_VALUES = 100_000


def read_native_model(text: bytes) -> dict[str, Any]:
    """Return a Native DICOM Model document as an object of the JSON model.

    Raises UnreadableError when it is none, LimitExceededError when it nests too deep.
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(text, True)
    except expat.ExpatError:
        raise UnreadableError("The metadata are no XML.") from None
    return builder.found


def _refuse_doctype(*_: Any) -> None:
    raise UnreadableError("XML with a document type is not taken.")


class _Builder:
    """Builds the JSON model while elements open and close."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        # What is open: (name, what is gathered there).
        self._open: list[tuple[str, Any]] = []
        self._text: list[str] = []

    def start(self, name: str, about: dict[str, str]) -> None:
        """An element opens."""
        name = name.rpartition(" ")[2]
        if len(self._open) >= DEPTH_LIMIT:
            raise LimitExceededError("The metadata nest too deep.")
        if bool(self._open) == (name == _ROOT):
            raise UnreadableError("The metadata are no Native DICOM Model.")
        self._text.clear()
        self._open.append((name, self._begin(name, about)))

    def _begin(self, name: str, about: dict[str, str]) -> Any:
        parent = self._open[-1][1] if self._open else None
        if name == _ROOT:
            return self.found
        if name == _ATTRIBUTE and isinstance(parent, dict):
            content: dict[str, Any] = {"vr": about.get("vr", "")}
            parent[about.get("tag", "")] = content
            return content
        if name in (_ITEM, "Value", "PersonName") and isinstance(parent, dict):
            return self._place(parent, about, None if name == "Value" else {})
        if name == "BulkData" and isinstance(parent, dict):
            parent["BulkDataURI"] = about.get("uri") or about.get("uuid", "")
        if name in GROUPS and isinstance(parent, dict):
            components: dict[str, str] = {}
            parent[name] = components
            return components
        return parent

    def _place(self, content: dict[str, Any], about: dict[str, str], value: Any) -> Any:
        """Put a value where its number says; returns what is gathered into it."""
        values = content.setdefault("Value", [])
        number = about.get("number", "")
        place = int(number) - 1 if number.isascii() and number.isdigit() else len(values)
        if not 0 <= place < min(_MOST_VALUES, len(values) + 1000):
            raise UnreadableError("A value of the metadata has a number that is none.")
        values.extend([None] * (place + 1 - len(values)))
        values[place] = value
        return (values, place) if value is None else value

    def end(self, name: str) -> None:
        """An element closes."""
        name, gathered = self._open.pop()
        text = "".join(self._text)
        self._text.clear()
        if name == "Value":
            values, place = gathered
            values[place] = text
        elif name == "InlineBinary" and isinstance(gathered, dict):
            gathered["InlineBinary"] = "".join(text.split())
        elif name in _COMPONENTS and isinstance(gathered, dict):
            gathered[name] = text
        elif name in GROUPS:
            parts = [gathered.get(one, "") for one in _COMPONENTS]
            self._open[-1][1][name] = "^".join(parts).rstrip("^")

    def text(self, data: str) -> None:
        """Text comes."""
        self._text.append(data)
