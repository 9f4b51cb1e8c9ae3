"""Transfers over REST and on the pages of the administration."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditRow, Facility, User
from archive.models import Study
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.models import Line, Transfer
from dicom_receiver.outgoing.old import forget_old
from dicom_receiver.outgoing.turns import pause_after
from noctis.metrics import write_metrics
from tests import factories

ClientOf = Callable[[User], Client]


@pytest.fixture
def study(north: Facility) -> Study:
    return factories.make_whole_study(north, series=2, instances=3)


@pytest.fixture
def peer(north: Facility) -> Peer:
    return Peer.objects.create(ae_title="SECOND", facility=north, host="192.0.2.1", port=104)


def post(client: Client, **wish: Any) -> Any:
    return client.post(reverse("api:transfers"), json.dumps(wish), content_type="application/json")


def test_a_study_a_series_and_images_are_asked_for_by_id_or_uid(
    study: Study, peer: Peer, rada: User, client_of: ClientOf
) -> None:
    client = client_of(rada)
    first, second = study.series_set.order_by("id")
    image = second.instances.first()
    assert image is not None

    answer = post(client, peer="SECOND", series=first.series_instance_uid)
    assert answer.status_code == 202
    (made,) = answer.json()
    assert (made["instance_count"], made["status"], made["why"]) == (3, "queued", "by_hand")
    assert answer["Location"] == reverse("api:transfer", args=[made["id"]])
    # Of the rest of the study only what is not on its way.
    (rest,) = post(client, peer=str(peer.pk), study=str(study.pk)).json()
    assert rest["instance_count"] == 3
    assert post(client, peer="SECOND", instances=[image.sop_instance_uid]).status_code == 409
    listed = client.get(reverse("api:transfers"), {"peer": "SECOND"}).json()["results"]
    assert [one["id"] for one in listed] == [rest["id"], made["id"]]
    assert AuditRow.objects.filter(action="transfer_requested", actor="rada").count() == 2


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"peer": "SECOND"},
        {"peer": "SECOND", "study": "1.2", "series": "1.2"},
        {"peer": "SECOND", "study": "1.2", "host": "192.0.2.7"},
        {"peer": "SECOND", "instances": []},
    ],
)
def test_what_is_no_wish_is_said(
    peer: Peer, rada: User, client_of: ClientOf, wish: dict[str, Any]
) -> None:
    assert post(client_of(rada), **wish).status_code == 400


def test_others_studies_images_and_peers_are_missing(
    study: Study, peer: Peer, south: Facility, rada: User, client_of: ClientOf
) -> None:
    foreign = factories.make_whole_study(south)
    Peer.objects.create(ae_title="SOUTHERN", facility=south, host="192.0.2.2", port=104)
    client = client_of(rada)
    own = study.instances.first()
    other = foreign.instances.first()
    assert own is not None
    assert other is not None
    for wish in (
        {"peer": "SECOND", "study": foreign.study_instance_uid},
        {"peer": "SOUTHERN", "study": study.study_instance_uid},
        # One foreign image among own ones lets none of them go.
        {"peer": "SECOND", "instances": [own.sop_instance_uid, other.sop_instance_uid]},
    ):
        assert post(client, **wish).status_code == 404
    assert not Transfer.objects.exists()


def test_it_is_cancelled_tried_again_paused_and_let_go_on(
    study: Study, peer: Peer, tess: User, client_of: ClientOf
) -> None:
    client = client_of(tess)
    (made,) = post(client, peer="SECOND", study=str(study.pk)).json()

    def act(name: str) -> Any:
        return client.post(reverse(f"api:transfer-{name}", args=[made["id"]]))

    address = reverse("api:transfer", args=[made["id"]])
    assert act("pause").json()["is_paused"] is True
    assert act("resume").json()["is_paused"] is False
    assert act("retry").status_code == 409
    assert client.delete(address).status_code == 204
    assert client.get(address).json()["status"] == "cancelled"
    assert act("retry").json()["status"] == "queued"


def test_peers_tell_what_waits_and_only_administrators_pause_them(
    study: Study, peer: Peer, rada: User, admin: User, client_of: ClientOf
) -> None:
    post(client_of(rada), peer="SECOND", study=str(study.pk))
    pause = reverse("api:transfer-peer-pause", args=[peer.pk])
    assert client_of(rada).post(pause).status_code == 403
    assert client_of(admin).post(pause).status_code == 204
    (told,) = client_of(rada).get(reverse("api:transfer-peers")).json()
    assert (told["ae_title"], told["transfers"], told["instances"]) == ("SECOND", 1, 6)
    assert told["is_paused"] is True
    metrics = write_metrics().decode()
    assert 'noctis_transfers{peer="SECOND",status="queued"} 1.0' in metrics
    assert 'noctis_transfer_instances{peer="SECOND",status="queued"} 6.0' in metrics


def test_a_peer_goes_with_its_transfers_and_its_line_is_on_its_page(
    study: Study, peer: Peer, admin: User, client_of: ClientOf
) -> None:
    client = client_of(admin)
    post(client, peer="SECOND", study=str(study.pk))
    page = client.get(reverse("admin:dicom_receiver_peer_change", args=[peer.pk]))
    assert "associations at a time" in page.content.decode().lower()
    (transfer,) = Transfer.objects.all()
    client.post(
        reverse("admin:dicom_receiver_transfer_changelist"),
        {"action": "cancel", "_selected_action": str(transfer.pk)},
    )
    transfer.refresh_from_db()
    assert transfer.status == Transfer.Status.CANCELLED
    gone = client.post(reverse("admin:dicom_receiver_peer_delete", args=[peer.pk]), {"post": "yes"})
    assert gone.status_code == 302
    assert not Transfer.objects.exists()
    assert not Line.objects.exists()


def test_what_went_well_long_ago_is_forgotten_and_what_failed_is_not(
    study: Study, peer: Peer
) -> None:
    now = timezone.now()
    for status, days in (("done", 91), ("cancelled", 91), ("failed", 91), ("done", 89)):
        Transfer.objects.create(
            study=study, facility=study.facility, peer=peer, why="routed", status=status,
            created_at=now, due_at=now, give_up_at=now, ended_at=now - timedelta(days=days),
        )  # fmt: skip
    assert forget_old() == 2
    assert sorted(Transfer.objects.values_list("status", flat=True)) == ["done", "failed"]


def test_pauses_double_up_to_a_quarter_of_an_hour() -> None:
    seconds = [pause_after(number).total_seconds() for number in (1, 2, 3, 4, 20, 5000)]
    plain = [5, 10, 20, 40, 900, 900]
    assert all(least <= got <= 1.2 * least for got, least in zip(seconds, plain, strict=True))
    assert timezone.now() + pause_after(10**6) < timezone.now() + timedelta(minutes=19)
