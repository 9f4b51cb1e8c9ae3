"""Administration of the port: peers are written down, counts are read."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from accounts.models import AuditRow, Facility, User
from dicom_receiver.models import Peer, SenderStatistics
from tests import factories

ClientOf = Callable[[User], Client]
PEERS = "/admin/dicom_receiver/peer/"
STATISTICS = "/admin/dicom_receiver/senderstatistics/"


def make_statistics(ae_title: str, **counts: int) -> SenderStatistics:
    now = factories.ARRIVAL
    return SenderStatistics.objects.create(
        day=now.date(), ae_title=ae_title, address="192.0.2.1", last_seen_at=now, **counts
    )


def test_administrator_writes_down_a_peer_and_the_trail_says_so(
    client_of: ClientOf, admin: User, north: Facility
) -> None:
    answer = client_of(admin).post(
        PEERS + "add/",
        {
            "ae_title": "CT 1",
            "facility": str(north.pk),
            "may_store": "on",
            "is_active": "on",
            "retrieve_method": "move",
            "retrieve_syntaxes": "any",
            "timeout_seconds": 30,
            "line-TOTAL_FORMS": 0,
            "line-INITIAL_FORMS": 0,
        },
    )

    assert answer.status_code == 302
    peer = Peer.objects.get()
    assert (peer.ae_title, peer.facility, peer.may_store, peer.may_find) == (
        "CT 1",
        north,
        True,
        False,
    )
    assert AuditRow.objects.filter(action="admin_add", detail__row=str(peer.pk)).exists()


def test_administrator_removes_a_peer_and_the_trail_says_so(
    client_of: ClientOf, admin: User, north: Facility
) -> None:
    peer = Peer.objects.create(ae_title="OLD", facility=north)

    client_of(admin).post(f"{PEERS}{peer.pk}/delete/", {"post": "yes"})

    assert not Peer.objects.exists()
    assert AuditRow.objects.filter(action="admin_delete", detail__ae_title="OLD").exists()


@pytest.mark.parametrize("title", ["", "SEVENTEEN_LETTERS", "BACK\\SLASH", "TAB\tTITLE"])
def test_peer_with_an_impossible_title_is_not_taken(
    client_of: ClientOf, admin: User, north: Facility, title: str
) -> None:
    answer = client_of(admin).post(PEERS + "add/", {"ae_title": title, "facility": str(north.pk)})

    assert answer.status_code == 200
    assert not Peer.objects.exists()


@pytest.mark.parametrize("page", [PEERS, STATISTICS])
def test_facility_administrator_does_not_come_in(
    client_of: ClientOf, nora: User, page: str
) -> None:
    assert client_of(nora).get(page).status_code == 403


def test_statistics_show_sums_of_what_the_search_leaves(client_of: ClientOf, admin: User) -> None:
    make_statistics("CT1", objects_stored=40, bytes_stored=123_456)
    make_statistics("CT2", objects_stored=2, bytes_stored=1)
    make_statistics("MR1", objects_stored=1000)

    page = client_of(admin).get(STATISTICS, {"q": "CT"})

    sums = {str(name): value for name, value in page.context["totals"]}
    assert (sums["objects"], sums["bytes"]) == (42, 123_457)
    assert "<td>42</td>" in page.content.decode()


def test_statistics_cannot_be_changed(client_of: ClientOf, admin: User) -> None:
    row = make_statistics("CT1", objects_stored=40)

    client_of(admin).post(f"{STATISTICS}{row.pk}/change/", {"objects_stored": "0"})

    row.refresh_from_db()
    assert row.objects_stored == 40


def test_title_of_a_hostile_caller_is_shown_as_text(client_of: ClientOf, admin: User) -> None:
    make_statistics("<b>'\"&")

    page = client_of(admin).get(STATISTICS).content.decode()

    assert "<b>'" not in page
    assert "&lt;b&gt;" in page
