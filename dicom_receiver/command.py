"""DIMSE command sets: group 0000, always Implicit VR Little Endian (PS3.7 6.3, 9.3, Annex E)."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from dicom_receiver.uids import parse_uid

AFFECTED_SOP_CLASS_UID = 0x0002
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
ERROR_COMMENT = 0x0902
AFFECTED_SOP_INSTANCE_UID = 0x1000

C_STORE_RQ = 0x0001
C_ECHO_RQ = 0x0030
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000

NO_DATA_SET = 0x0101
HAS_DATA_SET = 0x0000

ERROR_COMMENT_LENGTH = 64

_ELEMENT = struct.Struct("<HHI")
_US = struct.Struct("<H")
_UL = struct.Struct("<I")


class MalformedCommandError(Exception):
    """The command set is not one."""


class Command:
    """A received command set: element number to raw value."""

    def __init__(self, elements: Mapping[int, bytes]) -> None:
        self._elements = elements

    def number(self, element: int) -> int | None:
        """Return an element of VR US, or None when it is missing or not two bytes long."""
        raw = self._elements.get(element)
        return _US.unpack(raw)[0] if raw is not None and len(raw) == _US.size else None

    def uid(self, element: int) -> str | None:
        """Return an element of VR UI, or None when it is missing or not a UID."""
        raw = self._elements.get(element)
        return None if raw is None else parse_uid(raw)

    @property
    def field(self) -> int:
        """Command Field: which message this is."""
        return self.number(COMMAND_FIELD) or 0

    @property
    def message_id(self) -> int:
        """Message ID, which a request must have."""
        return self.number(MESSAGE_ID) or 0

    @property
    def has_data_set(self) -> bool:
        """Whether a data set follows."""
        return self.number(COMMAND_DATA_SET_TYPE) != NO_DATA_SET


def parse_command(data: bytes) -> Command:
    """Read a command set.

    Raises MalformedCommandError when its structure is broken, an element is
    not of group 0000 or comes twice, or what every message has is missing.
    """
    elements: dict[int, bytes] = {}
    offset = 0
    while offset < len(data):
        if len(data) - offset < _ELEMENT.size:
            raise MalformedCommandError("element header is cut short")
        group, element, length = _ELEMENT.unpack_from(data, offset)
        offset += _ELEMENT.size
        if group != 0 or element in elements or length > len(data) - offset:
            raise MalformedCommandError("element is broken")
        elements[element] = data[offset : offset + length]
        offset += length
    command = Command(elements)
    if command.number(COMMAND_FIELD) is None or command.number(COMMAND_DATA_SET_TYPE) is None:
        raise MalformedCommandError("command field or data set type is missing")
    is_request = not command.field & RESPONSE and command.field != C_CANCEL_RQ
    if is_request and command.number(MESSAGE_ID) is None:
        raise MalformedCommandError("message id is missing")
    return command


def encode_command(elements: Mapping[int, int | str]) -> bytes:
    """Return a command set: numbers as US, text with even length, group length in front."""
    body = b"".join(_encode(number, elements[number]) for number in sorted(elements))
    return _ELEMENT.pack(0, 0, _UL.size) + _UL.pack(len(body)) + body


def _encode(number: int, value: int | str) -> bytes:
    raw = _US.pack(value) if isinstance(value, int) else value.encode("ascii", "replace")
    if len(raw) % 2:
        raw += b" " if number == ERROR_COMMENT else b"\0"
    return _ELEMENT.pack(0, number, len(raw)) + raw
