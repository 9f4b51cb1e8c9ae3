"""A-ASSOCIATE: read a request or an acceptance within bounds, write either (PS3.8 9.3.2, 9.3.3).

The request is the first thing that a stranger sends, and the acceptance the
first that comes from a host that may not be who we think, so both are read by a
parser that never trusts a length, counts what it keeps, and passes over what
it does not know, as PS3.8 9.3.1 asks.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archive.part10 import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_receiver import limits, pdu
from dicom_receiver.uids import parse_uid

APPLICATION_CONTEXT_NAME = "1.2.840.10008.3.1.1.1"
AE_TITLE_BYTES = 16
FIXED_BYTES = 68

_ITEM = struct.Struct(">BxH")
_APPLICATION_CONTEXT = 0x10
_CONTEXT_RQ = 0x20
_CONTEXT_AC = 0x21
_ABSTRACT_SYNTAX = 0x30
_TRANSFER_SYNTAX = 0x40
_USER_INFORMATION = 0x50
_MAXIMUM_LENGTH = 0x51
_IMPLEMENTATION_CLASS = 0x52
_ROLE_SELECTION = 0x54
_IMPLEMENTATION_VERSION = 0x55
_EXTENDED_NEGOTIATION = 0x56


class MalformedRequestError(Exception):
    """The A-ASSOCIATE-RQ (or -AC) is not one; nothing in it is believed."""


@dataclass(frozen=True)
class Proposal:
    """One proposed presentation context; `abstract_syntax` is None when it is no UID."""

    context_id: int
    abstract_syntax: str | None
    transfer_syntaxes: tuple[str, ...]


@dataclass(frozen=True)
class Roles:
    """Which roles a requestor proposes for itself, or we accept, for one SOP class."""

    scu: bool
    scp: bool


@dataclass
class AssociateRequest:
    """What an A-ASSOCIATE-RQ says. AE titles are stripped, printable text or None."""

    protocol_version: int
    called_ae_title: str | None
    calling_ae_title: str | None
    raw_ae_titles: bytes
    application_context: str | None = None
    max_pdu_bytes: int = 0
    implementation: str = ""
    proposals: list[Proposal] = field(default_factory=list)
    roles: dict[str, Roles] = field(default_factory=dict)
    extended: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What we say to one proposal: `result` 0 accepts `transfer_syntax` (PS3.8 9.3.3.2)."""

    context_id: int
    result: int
    transfer_syntax: str


@dataclass
class Acceptance:
    """What an A-ASSOCIATE-AC says; `max_pdu_bytes` 0 means without limit."""

    max_pdu_bytes: int = 0
    implementation: str = ""
    answers: dict[int, Answer] = field(default_factory=dict)
    roles: dict[str, Roles] = field(default_factory=dict)
    extended: dict[str, bytes] = field(default_factory=dict)


def parse_ae_title(raw: bytes) -> str | None:
    """Return the AE title without padding, or None when it is empty or not printable."""
    value = raw.strip(b" \0")
    if not value or any(byte < 0x20 or byte > 0x7E or byte == 0x5C for byte in value):
        return None
    return value.decode("ascii")


def parse_request(body: bytes) -> AssociateRequest:
    """Read an A-ASSOCIATE-RQ, given what follows its six bytes of type and length.

    Raises MalformedRequestError when its structure is broken or it contains
    more than any honest request does.
    """
    if len(body) < FIXED_BYTES:
        raise MalformedRequestError("request is too short")
    titles = body[4 : 4 + 2 * AE_TITLE_BYTES]
    request = AssociateRequest(
        protocol_version=int.from_bytes(body[:2], "big"),
        called_ae_title=parse_ae_title(titles[:AE_TITLE_BYTES]),
        calling_ae_title=parse_ae_title(titles[AE_TITLE_BYTES:]),
        raw_ae_titles=titles,
    )
    counter = _Counter()
    for kind, value in _items(memoryview(body)[FIXED_BYTES:], counter):
        if kind == _APPLICATION_CONTEXT:
            request.application_context = parse_uid(bytes(value))
        elif kind == _CONTEXT_RQ:
            request.proposals.append(_parse_proposal(value, counter))
        elif kind == _USER_INFORMATION:
            _parse_user_information(value, counter, request)
    _check_proposals(request.proposals)
    return request


class _Counter:
    """Counts the items of a request, however deep they lie."""

    def __init__(self) -> None:
        self._left = limits.REQUEST_ITEMS

    def count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise MalformedRequestError("request has too many items")


def _items(data: memoryview, counter: _Counter) -> Iterator[tuple[int, memoryview]]:
    """Yield type and value of each item; every value lies inside `data`."""
    offset = 0
    while offset < len(data):
        counter.count()
        if len(data) - offset < _ITEM.size:
            raise MalformedRequestError("item header is cut short")
        kind, length = _ITEM.unpack_from(data, offset)
        offset += _ITEM.size
        if length > len(data) - offset:
            raise MalformedRequestError("item is longer than the request")
        yield kind, data[offset : offset + length]
        offset += length


def _parse_proposal(value: memoryview, counter: _Counter) -> Proposal:
    if len(value) < 4:
        raise MalformedRequestError("presentation context is cut short")
    abstract_syntax: str | None = None
    syntaxes: dict[str, None] = {}
    for kind, raw in _items(value[4:], counter):
        uid = parse_uid(bytes(raw[:80]))
        if kind == _ABSTRACT_SYNTAX:
            abstract_syntax = uid
        elif kind == _TRANSFER_SYNTAX and uid:
            syntaxes[uid] = None
    return Proposal(value[0], abstract_syntax, tuple(syntaxes))


def _parse_user_information(
    value: memoryview, counter: _Counter, request: AssociateRequest | Acceptance
) -> None:
    """Take maximum length, implementation, roles and extended negotiation; pass over the rest.

    User identity and asynchronous operations are tolerated: without an answer
    of ours they do not hold (PS3.7 D.3.3).
    """
    for kind, raw in _items(value, counter):
        if kind == _MAXIMUM_LENGTH and len(raw) == 4:
            request.max_pdu_bytes = int.from_bytes(raw, "big")
        elif kind == _IMPLEMENTATION_VERSION:
            request.implementation = parse_ae_title(bytes(raw[:AE_TITLE_BYTES])) or ""
        elif kind == _ROLE_SELECTION:
            _parse_roles(bytes(raw), request.roles)
        elif kind == _EXTENDED_NEGOTIATION:
            _parse_extended(bytes(raw), request.extended)


def _parse_roles(raw: bytes, roles: dict[str, Roles]) -> None:
    length = int.from_bytes(raw[:2], "big")
    uid = parse_uid(raw[2 : 2 + length])
    if len(raw) != length + 4 or uid is None:
        raise MalformedRequestError("role selection is broken")
    roles[uid] = Roles(scu=raw[-2] == 1, scp=raw[-1] == 1)


def _parse_extended(raw: bytes, extended: dict[str, bytes]) -> None:
    """Read a SOP Class Extended Negotiation item (PS3.7 D.3.3.5); a broken one says nothing."""
    length = int.from_bytes(raw[:2], "big")
    uid = parse_uid(raw[2 : 2 + length])
    if uid is not None:
        extended[uid] = raw[2 + length :]


def _check_proposals(proposals: list[Proposal]) -> None:
    """Refuse what breaks PS3.8 9.3.2.2: ids are odd and unique, at most 128 of them."""
    if len(proposals) > limits.PRESENTATION_CONTEXTS:
        raise MalformedRequestError("more than 128 presentation contexts")
    ids = {proposal.context_id for proposal in proposals}
    if len(ids) != len(proposals) or any(not context_id % 2 for context_id in ids):
        raise MalformedRequestError("presentation context ids are not odd and unique")


def parse_acceptance(body: bytes) -> Acceptance:
    """Read an A-ASSOCIATE-AC, given what follows its six bytes of type and length.

    Raises MalformedRequestError as `parse_request`.
    """
    if len(body) < FIXED_BYTES:
        raise MalformedRequestError("acceptance is too short")
    acceptance = Acceptance()
    counter = _Counter()
    for kind, value in _items(memoryview(body)[FIXED_BYTES:], counter):
        if kind == _CONTEXT_AC:
            answer = _parse_answer(value, counter)
            acceptance.answers[answer.context_id] = answer
        elif kind == _USER_INFORMATION:
            _parse_user_information(value, counter, acceptance)
    return acceptance


def _parse_answer(value: memoryview, counter: _Counter) -> Answer:
    if len(value) < 4:
        raise MalformedRequestError("presentation context is cut short")
    syntax = ""
    for kind, raw in _items(value[4:], counter):
        if kind == _TRANSFER_SYNTAX:
            syntax = parse_uid(bytes(raw[:80])) or ""
    return Answer(value[0], value[2], syntax)


def encode_request(
    called_ae_title: str,
    calling_ae_title: str,
    proposals: Sequence[Proposal],
    *,
    roles: Mapping[str, Roles],
    extended: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return an A-ASSOCIATE-RQ; AE titles are padded to 16 bytes (PS3.8 9.3.2)."""
    titles = b"".join(
        title.encode("ascii", "replace")[:AE_TITLE_BYTES].ljust(AE_TITLE_BYTES)
        for title in (called_ae_title, calling_ae_title)
    )
    contexts = (_item(_CONTEXT_RQ, _encode_proposal(proposal)) for proposal in proposals)
    return _encode(pdu.ASSOCIATE_RQ, titles + bytes(32), contexts, roles, extended or {})


def _encode_proposal(proposal: Proposal) -> bytes:
    return (
        bytes([proposal.context_id, 0, 0, 0])
        + _item(_ABSTRACT_SYNTAX, (proposal.abstract_syntax or "").encode())
        + b"".join(_item(_TRANSFER_SYNTAX, uid.encode()) for uid in proposal.transfer_syntaxes)
    )


def encode_acceptance(
    request: AssociateRequest,
    answers: list[Answer],
    roles: Mapping[str, Roles],
    extended: Mapping[str, bytes],
) -> bytes:
    """Return the A-ASSOCIATE-AC; AE titles go back as they came (PS3.8 9.3.3)."""
    contexts = (_item(_CONTEXT_AC, _encode_answer(answer)) for answer in answers)
    titles = request.raw_ae_titles + bytes(32)
    return _encode(pdu.ASSOCIATE_AC, titles, contexts, roles, extended)


def _encode(
    kind: int,
    titles: bytes,
    contexts: Iterable[bytes],
    roles: Mapping[str, Roles],
    extended: Mapping[str, bytes],
) -> bytes:
    """Return the PDU around contexts and roles: request and acceptance have one form."""
    user_information = [
        _item(_MAXIMUM_LENGTH, limits.max_pdu_bytes().to_bytes(4, "big")),
        _item(_IMPLEMENTATION_CLASS, IMPLEMENTATION_CLASS_UID.encode()),
        *(_item(_ROLE_SELECTION, _encode_roles(uid, accepted)) for uid, accepted in roles.items()),
        _item(_IMPLEMENTATION_VERSION, IMPLEMENTATION_VERSION_NAME.encode()),
        *(_item(_EXTENDED_NEGOTIATION, _encode_uid(uid) + said) for uid, said in extended.items()),
    ]
    body = b"".join(
        [
            b"\0\1\0\0",
            titles,
            _item(_APPLICATION_CONTEXT, APPLICATION_CONTEXT_NAME.encode()),
            *contexts,
            _item(_USER_INFORMATION, b"".join(user_information)),
        ]
    )
    return pdu.HEADER.pack(kind, len(body)) + body


def _encode_answer(answer: Answer) -> bytes:
    head = bytes([answer.context_id, 0, answer.result, 0])
    return head + _item(_TRANSFER_SYNTAX, answer.transfer_syntax.encode())


def _encode_roles(uid: str, roles: Roles) -> bytes:
    return _encode_uid(uid) + bytes([roles.scu, roles.scp])


def _encode_uid(uid: str) -> bytes:
    return struct.pack(">H", len(uid)) + uid.encode()


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value
