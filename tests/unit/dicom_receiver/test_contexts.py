"""What is accepted, and with which syntax (PS3.8 9.3.3.2, PS3.4 B.5)."""

from __future__ import annotations

import pytest
from pynetdicom.presentation import AllStoragePresentationContexts

from dicom_receiver.associate import Proposal, Roles
from dicom_receiver.contexts import (
    Agreement,
    Service,
    Wishes,
    choose_transfer_syntax,
    find_service,
    negotiate,
)

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
JPEG_LOSSLESS = "1.2.840.10008.1.2.4.70"


def test_every_storage_class_of_the_standard_is_taken_whatever_the_policy() -> None:
    for known in AllStoragePresentationContexts:
        assert find_service(str(known.abstract_syntax), accept_private=False) is Service.STORE


@pytest.mark.parametrize(
    ("uid", "by_default", "by_strict_policy"),
    [
        ("1.2.840.10008.1.1", Service.ECHO, Service.ECHO),
        ("1.2.840.10008.5.1.4.1.1.6", Service.STORE, Service.STORE),  # US, retired
        ("1.2.840.10008.5.1.4.1.1.3", Service.STORE, Service.STORE),  # US multi-frame, retired
        ("1.3.12.2.1107.5.9.1", Service.STORE, None),  # CSA non-image, private
        ("1.2.840.10008.5.1.4.1.1.9999", Service.STORE, None),  # younger than our tables
        ("1.2.840.10008.5.1.4.1.2.1.1", Service.FIND, Service.FIND),  # Patient Root
        ("1.2.840.10008.5.1.4.1.2.2.1", Service.FIND, Service.FIND),  # Study Root
        ("1.2.840.10008.5.1.4.1.2.3.1", None, None),  # Patient/Study Only FIND, retired
        ("1.2.840.10008.5.1.4.1.2.2.2", Service.MOVE, Service.MOVE),
        ("1.2.840.10008.5.1.4.1.2.1.3", Service.GET, Service.GET),
        ("1.2.840.10008.1.20.1", Service.COMMIT, Service.COMMIT),
        ("1.2.840.10008.5.1.4.31", Service.MWL, Service.MWL),
        ("1.2.840.10008.3.1.2.3.3", Service.MPPS, Service.MPPS),
        ("1.2.840.10008.3.1.2.3.4", Service.MPPS, Service.MPPS),  # to read them
        ("1.2.840.10008.3.1.2.3.5", None, None),  # MPPS Notification
        ("1.2.840.10008.1.3.10", None, None),  # DICOMDIR
        ("1.2.840.10008.5.1.4.39.1", None, None),  # Color Palette Storage: has no study
        ("1.2.840.10008.5.1.4.38.1", None, None),  # Hanging Protocol Storage: has no study
        ("1.2.840.10008.9.9.9", None, None),  # of the standard, not a storage class
    ],
)
def test_service_of_an_abstract_syntax(
    uid: str, by_default: Service | None, by_strict_policy: Service | None
) -> None:
    assert find_service(uid, accept_private=True) is by_default
    assert find_service(uid, accept_private=False) is by_strict_policy


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        ((JPEG_LOSSLESS, EXPLICIT, IMPLICIT), JPEG_LOSSLESS),
        ((EXPLICIT, JPEG_LOSSLESS), EXPLICIT),
        ((IMPLICIT, BIG, EXPLICIT), EXPLICIT),
        ((IMPLICIT, JPEG_LOSSLESS), IMPLICIT),
        ((BIG, EXPLICIT), BIG),
        (("1.2.3.4",), "1.2.3.4"),
    ],
)
def test_sender_keeps_what_it_has(proposed: tuple[str, ...], chosen: str) -> None:
    assert choose_transfer_syntax(proposed) == chosen


CT, STUDY_ROOT, COMMITMENT = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.2.2.1",
    "1.2.840.10008.1.20.1",
)


def _negotiate(uid: str, allowed: set[Service], *syntaxes: str, **wishes: object) -> Agreement:
    by_class = {name: {uid: wish} for name, wish in wishes.items()}
    proposal = Proposal(1, uid, syntaxes or (IMPLICIT,))
    wished = Wishes(**by_class)  # type: ignore[arg-type]
    return negotiate([proposal], wished, frozenset(allowed), accept_private=False)


@pytest.mark.parametrize(
    ("uid", "allowed", "proposed", "accepted"),
    [
        (CT, {Service.STORE}, Roles(scu=True, scp=True), Roles(scu=True, scp=False)),
        (CT, {Service.STORE, Service.GET}, Roles(scu=True, scp=True), Roles(scu=True, scp=True)),
        (CT, {Service.GET}, Roles(scu=False, scp=True), Roles(scu=False, scp=True)),
        (CT, {Service.STORE}, Roles(scu=False, scp=True), None),
        (STUDY_ROOT, {Service.FIND}, Roles(scu=False, scp=True), None),
        (COMMITMENT, {Service.PROMISE}, Roles(scu=False, scp=True), Roles(scu=False, scp=True)),
        (COMMITMENT, {Service.COMMIT}, Roles(scu=False, scp=True), None),
    ],
)
def test_who_may_get_objects_may_take_them_on_the_same_association(
    uid: str, allowed: set[Service], proposed: Roles, accepted: Roles | None
) -> None:
    agreed = _negotiate(uid, allowed, roles=proposed)

    assert agreed.roles.get(uid) == accepted
    assert agreed.answers[0].result == (0 if accepted else 1)


@pytest.mark.parametrize(
    ("proposed", "accepted"),
    [
        (b"", None),
        (b"\1", b"\1"),
        (b"\0\1\1", b"\0\1\1"),
        # Time zones and multi-frame conversion are not ours; what is unknown is not answered.
        (b"\1\1\1\1\1\1\1\1", b"\1\1\1\0\0\1\1"),
        (b"\2", b"\0"),
    ],
)
def test_extended_negotiation_is_answered_byte_by_byte(
    proposed: bytes, accepted: bytes | None
) -> None:
    agreed = _negotiate(STUDY_ROOT, {Service.FIND}, extended=proposed)

    assert agreed.extended.get(STUDY_ROOT) == accepted


@pytest.mark.parametrize(
    ("proposed", "result", "chosen"),
    [
        ((BIG, IMPLICIT), 0, IMPLICIT),
        ((IMPLICIT, BIG, EXPLICIT), 0, EXPLICIT),
        ((BIG,), 4, BIG),
        ((JPEG_LOSSLESS, EXPLICIT), 0, EXPLICIT),
    ],
)
def test_identifiers_come_in_a_syntax_that_everybody_knows(
    proposed: tuple[str, ...], result: int, chosen: str
) -> None:
    agreed = _negotiate(STUDY_ROOT, {Service.FIND}, *proposed)

    assert (agreed.answers[0].result, agreed.answers[0].transfer_syntax) == (result, chosen)


def test_a_context_to_be_sent_in_takes_what_everything_can_be_sent_in() -> None:
    ct = "1.2.840.10008.5.1.4.1.1.2"
    proposals = [Proposal(1, ct, (JPEG_LOSSLESS, IMPLICIT, EXPLICIT)), Proposal(3, ct, (BIG,))]
    wishes = Wishes({ct: Roles(scu=False, scp=True)})
    agreed = negotiate(proposals, wishes, frozenset({Service.GET}), accept_private=False)
    assert [one.transfer_syntax for one in agreed.contexts.values()] == [EXPLICIT, BIG]
    assert all(one.peer_takes for one in agreed.contexts.values())
