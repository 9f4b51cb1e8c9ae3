"""Who is admitted, and what happens when the database cannot say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DatabaseError, connections
from pytest_django import Settings

from accounts.models import Facility
from dicom_receiver import peers
from dicom_receiver.contexts import Service
from dicom_receiver.database import DatabaseThread
from dicom_receiver.models import Peer
from dicom_receiver.pdu import RejectedError
from dicom_receiver.peers import PeerDirectory, plain_address


@pytest.fixture
def directory() -> Iterator[PeerDirectory]:
    thread = DatabaseThread()
    thread.start()
    yield PeerDirectory(thread)
    thread.submit(connections.close_all).result(10)


def test_last_known_peers_count_while_the_database_is_away(
    transactional_db: None,
    north: Facility,
    directory: PeerDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Peer.objects.create(ae_title="CT1", facility=north, may_store=False)
    monkeypatch.setattr(peers, "FRESH_SECONDS", 0.0)
    first = directory.admit("CT1", "192.0.2.1")

    def fail() -> Any:
        raise DatabaseError

    monkeypatch.setattr(peers, "read_peers", fail)

    assert directory.admit("CT1", "192.0.2.1") == first
    assert first.facility_id == north.pk
    assert first.allowed == {Service.ECHO}


def test_nobody_is_admitted_while_nothing_is_known(
    directory: PeerDirectory, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.NOCTIS_UNKNOWN_AE = "quarantine"

    def fail() -> Any:
        raise DatabaseError

    monkeypatch.setattr(peers, "read_peers", fail)

    with pytest.raises(RejectedError) as rejection:
        directory.admit("CT1", "192.0.2.1")
    assert rejection.value.code == (2, 3, 1)


def test_peer_of_a_facility_that_is_closed_is_not_admitted(
    transactional_db: None, north: Facility, directory: PeerDirectory, settings: Settings
) -> None:
    settings.NOCTIS_UNKNOWN_AE = "quarantine"
    Facility.objects.update(is_active=False)
    Peer.objects.create(ae_title="CT1", facility=north)

    with pytest.raises(RejectedError) as rejection:
        directory.admit("CT1", "192.0.2.1")
    assert rejection.value.code == (1, 1, 3)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses_have_one_form(text: str, plain: str) -> None:
    assert plain_address(text) == plain
