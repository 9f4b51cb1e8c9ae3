"""Which presentation contexts we accept, and with which transfer syntax.

Bytes are stored as received, so every transfer syntax is welcome, retired and
private ones too. Of several in one context the first is taken: the order is
the only hint that a sender gives of what it has or likes best, and to choose
a compressed one that stands further down could make it compress. One
exception: Implicit VR Little Endian usually stands first by habit; when
Explicit VR Little Endian is in the same list that is taken instead, because
it keeps the VR of private elements and costs the sender nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydicom._uid_dict import UID_dictionary
from pynetdicom.presentation import (
    AllStoragePresentationContexts,
    NonPatientObjectPresentationContexts,
)

from dicom_receiver.associate import Answer, Proposal, Roles

VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"

ACCEPTED = 0
USER_REJECTION = 1
ABSTRACT_SYNTAX_NOT_SUPPORTED = 3
TRANSFER_SYNTAXES_NOT_SUPPORTED = 4

_DICOM_ROOT = "1.2.840.10008."
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
# Palettes, hanging protocols, templates: they belong to no study, so there is no place for them.
_WITHOUT_STUDY = {str(context.abstract_syntax) for context in NonPatientObjectPresentationContexts}


class Service(enum.Enum):
    """A DIMSE service; the value names the peer's right to it."""

    ECHO = "echo"
    STORE = "store"
    FIND = "find"
    MOVE = "move"
    GET = "get"
    MWL = "mwl"
    MPPS = "mpps"
    COMMIT = "commit"
    # A peer that we asked for a commitment says what it keeps.
    PROMISE = "promise"


PATIENT_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
PATIENT_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.1.2"
PATIENT_ROOT_GET = "1.2.840.10008.5.1.4.1.2.1.3"
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
STUDY_ROOT_MOVE = "1.2.840.10008.5.1.4.1.2.2.2"
STUDY_ROOT_GET = "1.2.840.10008.5.1.4.1.2.2.3"
MODALITY_WORKLIST = "1.2.840.10008.5.1.4.31"
MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
PERFORMED_PROCEDURE_STEP_RETRIEVE = "1.2.840.10008.3.1.2.3.4"
STORAGE_COMMITMENT = "1.2.840.10008.1.20.1"

# What is not a storage class. The retired Patient/Study Only model is not offered.
SERVICES = {
    VERIFICATION: Service.ECHO,
    PATIENT_ROOT_FIND: Service.FIND,
    STUDY_ROOT_FIND: Service.FIND,
    PATIENT_ROOT_MOVE: Service.MOVE,
    STUDY_ROOT_MOVE: Service.MOVE,
    PATIENT_ROOT_GET: Service.GET,
    STUDY_ROOT_GET: Service.GET,
    MODALITY_WORKLIST: Service.MWL,
    MODALITY_PERFORMED_PROCEDURE_STEP: Service.MPPS,
    PERFORMED_PROCEDURE_STEP_RETRIEVE: Service.MPPS,
    STORAGE_COMMITMENT: Service.COMMIT,
}
PATIENT_ROOTS = frozenset({PATIENT_ROOT_FIND, PATIENT_ROOT_MOVE, PATIENT_ROOT_GET})
# Data sets that we read and write ourselves: in a syntax that everybody has to know (PS3.5 10.1).
IDENTIFIER_SYNTAXES = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)

# Which item bytes of the extended negotiation we grant (PS3.4 C.5.1.1, C.5.2.1, C.5.3.1):
# relational queries, combined date and time, fuzzy names, time zone, multi-frame conversion,
# empty value, multiple values; for retrieval relational and multi-frame conversion.
_EXTENDED = {
    Service.FIND: b"\1\1\1\0\0\1\1",
    Service.MWL: b"\0\1\1\0\0\0\0",
    Service.MOVE: b"\1\0",
    Service.GET: b"\1\0",
}
RELATIONAL, DATE_TIME, FUZZY, EMPTY_VALUE, MULTIPLE_VALUES = 0, 1, 2, 5, 6


@dataclass(frozen=True)
class Context:
    """One accepted presentation context.

    `peer_sends` and `peer_takes` are the roles agreed on: the peer asks (SCU), the peer answers
    (SCP). `extended` is what was agreed beyond the baseline, byte by byte.
    """

    context_id: int
    service: Service
    abstract_syntax: str
    transfer_syntax: str
    peer_sends: bool = True
    peer_takes: bool = False
    extended: bytes = b""

    def has_agreed(self, byte: int) -> bool:
        """Whether one byte of the extended negotiation was agreed on."""
        return self.extended[byte : byte + 1] == b"\1"


def _is_standard_storage(uid: str) -> bool:
    """Whether the standard, today's or an older one, calls this class a storage class."""
    name, kind, *_ = UID_dictionary.get(uid, ("", ""))
    words = name.replace("-", " ").split()
    return (
        kind == "SOP Class"
        and "Storage" in words
        and "Commitment" not in words
        and uid != _MEDIA_DIRECTORY
        and uid not in _WITHOUT_STUDY
    )


STORAGE_CLASSES = frozenset(
    {str(context.abstract_syntax) for context in AllStoragePresentationContexts}
    | {uid for uid in UID_dictionary if _is_standard_storage(uid)}
)


def find_service(abstract_syntax: str, *, accept_private: bool) -> Service | None:
    """Return the service of an abstract syntax, or None when we do not offer it.

    With `accept_private`, whatever is not a known class of another service is
    taken for a storage class: private ones, and standard ones younger than
    our tables.
    """
    if abstract_syntax in SERVICES:
        return SERVICES[abstract_syntax]
    if abstract_syntax in STORAGE_CLASSES:
        return Service.STORE
    if not accept_private or abstract_syntax in UID_dictionary:
        return None
    if abstract_syntax.startswith(_DICOM_ROOT) and not abstract_syntax.startswith(_STORAGE_ROOT):
        return None
    return Service.STORE


def choose_transfer_syntax(proposed: tuple[str, ...]) -> str:
    """Return the one of several transfer syntaxes that we accept."""
    if proposed[0] == IMPLICIT_VR_LITTLE_ENDIAN and EXPLICIT_VR_LITTLE_ENDIAN in proposed:
        return EXPLICIT_VR_LITTLE_ENDIAN
    return proposed[0]


def choose_syntax_to_send_in(proposed: tuple[str, ...]) -> str:
    """Return the transfer syntax of a context in which we send (C-GET).

    What will be asked for is not known yet. Everything can be sent plain; who wants something
    as it is stored proposes that in a context of its own.
    """
    plain = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
    return next((uid for uid in plain if uid in proposed), proposed[0])


@dataclass(frozen=True)
class Wishes:
    """What a request proposes by SOP class beside its contexts."""

    roles: Mapping[str, Roles] = field(default_factory=dict)
    extended: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Agreement:
    """What is answered, and the accepted contexts by id."""

    answers: list[Answer]
    roles: dict[str, Roles]
    extended: dict[str, bytes]
    contexts: dict[int, Context]


def negotiate(
    proposals: list[Proposal],
    wishes: Wishes,
    allowed: frozenset[Service],
    *,
    accept_private: bool,
) -> Agreement:
    """Answer every proposal.

    A service that this peer may not use is rejected by the user (result 1),
    one that nobody may use as not supported (3).
    """
    answers: list[Answer] = []
    accepted: dict[int, Context] = {}
    for proposal in proposals:
        result, context = _answer(proposal, wishes, allowed, accept_private=accept_private)
        first = (proposal.transfer_syntaxes or (IMPLICIT_VR_LITTLE_ENDIAN,))[0]
        syntax = context.transfer_syntax if context else first
        answers.append(Answer(proposal.context_id, result, syntax))
        if context:
            accepted[proposal.context_id] = context
    by_class = {context.abstract_syntax: context for context in accepted.values()}
    roles = {
        uid: Roles(scu=by_class[uid].peer_sends, scp=by_class[uid].peer_takes)
        for uid in wishes.roles
        if uid in by_class
    }
    extended = {uid: by_class[uid].extended for uid in wishes.extended if uid in by_class}
    return Agreement(
        answers, roles, {uid: agreed for uid, agreed in extended.items() if agreed}, accepted
    )


def _answer(
    proposal: Proposal,
    wishes: Wishes,
    allowed: frozenset[Service],
    *,
    accept_private: bool,
) -> tuple[int, Context | None]:
    """Return the result for one proposal and, when it is 0, the context."""
    uid = proposal.abstract_syntax
    service = find_service(uid, accept_private=accept_private) if uid else None
    if uid is None or service is None:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, None
    syntaxes = _known_syntaxes(service, proposal.transfer_syntaxes)
    if not syntaxes:
        return TRANSFER_SYNTAXES_NOT_SUPPORTED, None
    roles = _agree_on_roles(service, wishes.roles.get(uid), allowed)
    if not roles.scu and not roles.scp:
        return USER_REJECTION, None
    sends_there = service is Service.STORE and roles.scp
    choose = choose_syntax_to_send_in if sends_there else choose_transfer_syntax
    return ACCEPTED, Context(
        proposal.context_id,
        service,
        uid,
        choose(syntaxes),
        peer_sends=roles.scu,
        peer_takes=roles.scp,
        extended=_agree_beyond_baseline(service, wishes.extended.get(uid, b"")),
    )


def _known_syntaxes(service: Service, proposed: tuple[str, ...]) -> tuple[str, ...]:
    if service in (Service.ECHO, Service.STORE):
        return proposed
    return tuple(uid for uid in proposed if uid in IDENTIFIER_SYNTAXES)


def _agree_on_roles(service: Service, proposed: Roles | None, allowed: frozenset[Service]) -> Roles:
    """Return the roles that the peer gets; without a proposal it asks and we answer.

    Who may get objects takes them on the same association (PS3.4 C.5.3), and who is asked to
    commit what we sent may call to say so (PS3.4 J.3.3).
    """
    wished = proposed or Roles(scu=True, scp=False)
    if proposed is None and service is Service.COMMIT and Service.PROMISE in allowed:
        # Old archives report without a word of their role.
        return Roles(scu=True, scp=False)
    answers = {Service.STORE: Service.GET, Service.COMMIT: Service.PROMISE}.get(service)
    return Roles(scu=wished.scu and service in allowed, scp=wished.scp and answers in allowed)


def _agree_beyond_baseline(service: Service, proposed: bytes) -> bytes:
    """Return which of the proposed bytes hold; as many bytes as were proposed and are known."""
    granted = _EXTENDED.get(service, b"")
    return bytes(int(wish == grant == 1) for wish, grant in zip(proposed, granted, strict=False))
