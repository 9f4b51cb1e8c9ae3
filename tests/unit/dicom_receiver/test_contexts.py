"""What is accepted, and with which syntax (PS3.8 9.3.3.2, PS3.4 B.5)."""

from __future__ import annotations

import pytest
from pynetdicom.presentation import AllStoragePresentationContexts

from dicom_receiver.contexts import Service, choose_transfer_syntax, find_service

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
        ("1.2.840.10008.5.1.4.1.2.2.1", None, None),  # Study Root FIND
        ("1.2.840.10008.1.20.1", None, None),  # Storage Commitment
        ("1.2.840.10008.5.1.4.31", None, None),  # Modality Worklist
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
