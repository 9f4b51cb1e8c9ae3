"""DIMSE command sets: group 0000, always Implicit VR Little Endian (PS3.7 6.3, 9.3, Annex E)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from dicom_receiver.uids import parse_uid

AFFECTED_SOP_CLASS_UID = 0x0002
REQUESTED_SOP_CLASS_UID = 0x0003
COMMAND_FIELD = 0x0100
MESSAGE_ID = 0x0110
MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
MOVE_DESTINATION = 0x0600
PRIORITY = 0x0700
COMMAND_DATA_SET_TYPE = 0x0800
STATUS = 0x0900
OFFENDING_ELEMENT = 0x0901
ERROR_COMMENT = 0x0902
ERROR_ID = 0x0903
AFFECTED_SOP_INSTANCE_UID = 0x1000
REQUESTED_SOP_INSTANCE_UID = 0x1001
EVENT_TYPE_ID = 0x1002
ATTRIBUTE_IDENTIFIER_LIST = 0x1005
ACTION_TYPE_ID = 0x1008
NUMBER_OF_REMAINING_SUBOPERATIONS = 0x1020
NUMBER_OF_COMPLETED_SUBOPERATIONS = 0x1021
NUMBER_OF_FAILED_SUBOPERATIONS = 0x1022
NUMBER_OF_WARNING_SUBOPERATIONS = 0x1023
MOVE_ORIGINATOR_AE_TITLE = 0x1030
MOVE_ORIGINATOR_MESSAGE_ID = 0x1031

C_STORE_RQ = 0x0001
C_GET_RQ = 0x0010
C_FIND_RQ = 0x0020
C_MOVE_RQ = 0x0021
C_ECHO_RQ = 0x0030
N_EVENT_REPORT_RQ = 0x0100
N_GET_RQ = 0x0110
N_SET_RQ = 0x0120
N_ACTION_RQ = 0x0130
N_CREATE_RQ = 0x0140
N_DELETE_RQ = 0x0150
C_CANCEL_RQ = 0x0FFF
RESPONSE = 0x8000

NO_DATA_SET = 0x0101
HAS_DATA_SET = 0x0000

ERROR_COMMENT_LENGTH = 64

# A response names as affected what an N- request named as requested (PS3.7 10.3).
AFFECTED = {
    AFFECTED_SOP_CLASS_UID: REQUESTED_SOP_CLASS_UID,
    AFFECTED_SOP_INSTANCE_UID: REQUESTED_SOP_INSTANCE_UID,
}

# What is not a UID (PS3.5 6.2).
_PADDED_WITH_BLANKS = frozenset({ERROR_COMMENT, MOVE_DESTINATION, MOVE_ORIGINATOR_AE_TITLE})

_ELEMENT = struct.Struct("<HHI")
_NUMBER = struct.Struct("<HHIH")
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

    def has(self, element: int) -> bool:
        """Whether an element is there and not empty."""
        return bool(self._elements.get(element, b"").strip(b" \0"))

    def tags(self, element: int) -> list[int]:
        """Return an element of VR AT; what is left over of a broken one is passed over."""
        raw = self._elements.get(element, b"")
        pairs = struct.iter_unpack("<HH", raw[: len(raw) // 4 * 4])
        return [group << 16 | number for group, number in pairs]

    def text(self, element: int) -> str:
        """Return an element of VR AE or LO without padding; empty when missing or not ASCII."""
        raw = self._elements.get(element, b"").strip(b" \0")
        return raw.decode("ascii") if raw.isascii() else ""

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
    offset, end = 0, len(data)
    while offset < end:
        if end - offset < _ELEMENT.size:
            raise MalformedCommandError("element header is cut short")
        group, element, length = _ELEMENT.unpack_from(data, offset)
        offset += _ELEMENT.size
        if group != 0 or element in elements or length > end - offset:
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


def encode_command(elements: Mapping[int, int | str | bytes]) -> bytes:
    """Return a command set: numbers as US, text with even length, group length in front.

    Bytes go as they are: lists of tags (VR AT), which `encode_tags` makes.
    """
    body = b"".join([_encode(number, elements[number]) for number in sorted(elements)])
    return _ELEMENT.pack(0, 0, _UL.size) + _UL.pack(len(body)) + body


def encode_tags(tags: Iterable[int]) -> bytes:
    """Return tags as a value of VR AT: Offending Element, Attribute Identifier List."""
    return b"".join(struct.pack("<HH", tag >> 16, tag & 0xFFFF) for tag in tags)


def _encode(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return _NUMBER.pack(0, number, _US.size, value)
    raw = value if isinstance(value, bytes) else value.encode("ascii", "replace")
    if len(raw) % 2:
        raw += b" " if number in _PADDED_WITH_BLANKS else b"\0"
    return _ELEMENT.pack(0, number, len(raw)) + raw
