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
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Context:
    """One accepted presentation context."""

    context_id: int
    service: Service
    abstract_syntax: str
    transfer_syntax: str


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
    if abstract_syntax == VERIFICATION:
        return Service.ECHO
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


def negotiate(
    proposals: list[Proposal],
    proposed_roles: dict[str, Roles],
    allowed: frozenset[Service],
    *,
    accept_private: bool,
) -> tuple[list[Answer], dict[str, Roles], dict[int, Context]]:
    """Answer every proposal: the answers, the accepted roles, the accepted contexts by id.

    A service that this peer may not use is rejected by the user (result 1),
    one that nobody may use as not supported (3).
    """
    answers: list[Answer] = []
    accepted: dict[int, Context] = {}
    for proposal in proposals:
        result, context = _answer(proposal, proposed_roles, allowed, accept_private=accept_private)
        first = (proposal.transfer_syntaxes or (IMPLICIT_VR_LITTLE_ENDIAN,))[0]
        syntax = context.transfer_syntax if context else first
        answers.append(Answer(proposal.context_id, result, syntax))
        if context:
            accepted[proposal.context_id] = context
    classes = {context.abstract_syntax for context in accepted.values()}
    # We take requests on these contexts and send none: the requestor stays the SCU.
    roles = {uid: Roles(scu=True, scp=False) for uid in proposed_roles if uid in classes}
    return answers, roles, accepted


def _answer(
    proposal: Proposal,
    proposed_roles: dict[str, Roles],
    allowed: frozenset[Service],
    *,
    accept_private: bool,
) -> tuple[int, Context | None]:
    """Return the result for one proposal and, when it is 0, the context."""
    uid = proposal.abstract_syntax
    service = find_service(uid, accept_private=accept_private) if uid else None
    if uid is None or service is None:
        return ABSTRACT_SYNTAX_NOT_SUPPORTED, None
    if not proposal.transfer_syntaxes:
        return TRANSFER_SYNTAXES_NOT_SUPPORTED, None
    if service not in allowed or not proposed_roles.get(uid, Roles(scu=True, scp=False)).scu:
        return USER_REJECTION, None
    syntax = choose_transfer_syntax(proposal.transfer_syntaxes)
    return ACCEPTED, Context(proposal.context_id, service, uid, syntax)
