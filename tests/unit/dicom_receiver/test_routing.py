"""Which instance goes where: conditions, once an instance, never back, and the trial in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Facility, User
from archive import jobs, reconcile
from archive.models import Instance, Job
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.models import Transfer, TransferItem
from dicom_receiver.outgoing.sends import _skip_what_it_brought
from dicom_receiver.routing.evaluate import KIND, note_holder, run_routing_job
from dicom_receiver.routing.matching import Arrivals, fits
from dicom_receiver.routing.models import RoutedInstance, RoutingRule
from tests.stored import store_files

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def arrivals(**also: Any) -> Arrivals:
    facts: dict[str, Any] = {
        "facility_id": None,
        "sender": "CT1",
        "modality": "CT",
        "descriptions": ("CT Thorax", "Lunge 1.0 (B60)", "THX"),
        "body_part": "CHEST",
        "received_at": NOON,
    }
    return Arrivals(**{**facts, **also})


@pytest.mark.parametrize(
    ("conditions", "is_wanted"),
    [
        ({}, True),
        ({"is_active": False}, False),
        ({"since": NOON + timedelta(seconds=1)}, False),
        ({"sender": "ct1"}, True),
        ({"sender": "CT?"}, True),
        ({"sender": "CT"}, False),
        ({"modality": "MR, ct"}, True),
        ({"modality": "MR"}, False),
        ({"description": "*lunge*"}, True),
        ({"description": "*(B60)"}, True),
        ({"description": "B60"}, False),
        ({"description": "THX"}, True),
        ({"body_part": "CH*"}, True),
        ({"body_part": "ABDOMEN"}, False),
        ({"time_from": time(8), "time_until": time(17)}, True),
        ({"time_from": time(12), "time_until": time(13)}, True),
        ({"time_from": time(11), "time_until": time(12)}, False),
        ({"time_from": time(17), "time_until": time(8)}, False),
        ({"time_from": time(11), "time_until": time(1)}, True),
        ({"time_until": time(13)}, True),
        ({"sender": "CT1", "modality": "MR"}, False),
    ],
)
def test_a_rule_fits_when_all_its_conditions_hold(
    conditions: dict[str, Any], is_wanted: bool
) -> None:
    rule = RoutingRule(**{"name": "r", "since": LONG_AGO, **conditions})

    assert fits(rule, arrivals(facility_id=uuid4())) is is_wanted


def test_what_lies_in_quarantine_fits_no_rule() -> None:
    assert not fits(RoutingRule(name="r", since=LONG_AGO), arrivals())


# --- applied -------------------------------------------------------------------
@pytest.fixture
def second(north: Facility) -> Peer:
    return Peer.objects.create(ae_title="SECOND", facility=north, host="192.0.2.1", port=104)


def make_rule(*peers: Peer, **also: Any) -> RoutingRule:
    rule = RoutingRule.objects.create(**{"name": "all", "since": timezone.now(), **also})
    rule.peers.set(peers)
    return rule


def decide() -> None:
    """Do what a worker does with the queued jobs."""
    for job in Job.objects.filter(kind=KIND):
        run_routing_job(job.key)


def sent_on() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for title, uid in TransferItem.objects.values_list(
        "transfer__peer__ae_title", "instance__sop_instance_uid"
    ):
        assert uid not in found.get(title, set()), "sent twice"
        found.setdefault(title, set()).add(uid)
    return found


@pytest.mark.django_db(transaction=True)
def test_an_instance_is_decided_on_once_and_a_peer_gets_it_once(
    north: Facility, second: Peer
) -> None:
    make_rule(second)
    make_rule(second, name="urgent", priority=Transfer.Priority.HIGH, modality="CT")
    stored = store_files(north, 3)
    assert Job.objects.filter(kind=KIND, key=str(stored[0].study_id)).count() == 1
    decide()
    decide()
    assert sent_on() == {"SECOND": {one.sop_instance_uid for one in stored}}
    transfer = Transfer.objects.get()
    assert (transfer.rule.name if transfer.rule else "", transfer.why) == ("urgent", "routed")
    assert transfer.priority == Transfer.Priority.HIGH

    # What joins the study later goes by itself; a new rule looks at nothing that was decided on.
    make_rule(second, name="later")
    more = store_files(north, 1, StudyInstanceUID=stored[0].study.study_instance_uid)
    decide()
    assert sent_on() == {"SECOND": {one.sop_instance_uid for one in [*stored, *more]}}
    # It joins the transfer that waits; what is on its way already is left alone.
    assert [one.instance_count for one in Transfer.objects.all()] == [4]
    Transfer.objects.update(status=Transfer.Status.RUNNING, claim=uuid4())
    store_files(north, 2, StudyInstanceUID=stored[0].study.study_instance_uid)
    decide()
    assert [one.instance_count for one in Transfer.objects.order_by("id")] == [4, 2]
    assert sum(one.size_bytes for one in Transfer.objects.all()) == sum(
        one.size_bytes for one in Instance.objects.all()
    )


@pytest.mark.django_db(transaction=True)
def test_nothing_goes_back_to_whom_it_came_from(north: Facility, second: Peer) -> None:
    third = Peer.objects.create(ae_title="THIRD", facility=north, host="192.0.2.2", port=104)
    make_rule(second, third)
    (own,) = store_files(north, sender="SECOND")
    decide()
    assert sent_on() == {"THIRD": {own.sop_instance_uid}}

    # Brought again by another before the rules looked: it has it, too.
    (other,) = store_files(north, sender="CT1")
    note_holder(other.pk, "THIRD")
    note_holder(other.pk, "THIRD")
    decide()
    assert sent_on() == {"THIRD": {own.sop_instance_uid}, "SECOND": {other.sop_instance_uid}}

    # Or while it waits to be sent.
    note_holder(own.pk, "THIRD")
    transfer = Transfer.objects.get(peer=third)
    _skip_what_it_brought(transfer)
    assert transfer.items.get().state == TransferItem.State.SKIPPED


@pytest.mark.django_db(transaction=True)
def test_what_came_before_the_rules_or_to_others_is_left_alone(
    north: Facility, south: Facility, second: Peer, admin: User
) -> None:
    before = store_files(north)
    assert not Job.objects.filter(kind=KIND).exists()
    make_rule(second, facility=north)
    store_files(south)
    (lost,) = store_files(None)
    decide()
    assert sent_on() == {}
    # Out of quarantine it is the facility's, and goes.
    reconcile.assign_to_facility(lost.study_id, north, admin)
    decide()
    assert sent_on() == {"SECOND": {lost.sop_instance_uid}}
    assert not RoutedInstance.objects.filter(instance=before[0]).exists()


@pytest.mark.django_db(transaction=True)
def test_storing_asks_for_no_decision_while_there_is_no_rule(north: Facility) -> None:
    RoutingRule.objects.create(name="asleep", since=timezone.now(), is_active=False)
    store_files(north)
    assert not Job.objects.filter(kind=KIND).exists()
    assert KIND in jobs._handlers


def test_the_trial_says_what_would_happen_and_sends_nothing(
    north: Facility, second: Peer, admin: User, client_of: Callable[[User], Client]
) -> None:
    make_rule(second, name="chest of CT1", sender="CT1", modality="CT")
    make_rule(second, name="all MR", modality="MR")
    (stored,) = store_files(north, sender="CT1")
    address = reverse("admin:dicom_receiver_routingrule_trial")
    client = client_of(admin)
    uid = stored.study.study_instance_uid

    page = client.get(address, {"study": uid}).content.decode()
    assert "✓ SECOND" in page
    assert "✗ modality" in page
    page = client.get(address, {"study": uid, "sender": "SECOND"}).content.decode()
    assert "✓ SECOND" not in page
    assert "no such study" in client.get(address, {"study": "1.2.3"}).content.decode()
    assert not Transfer.objects.exists()
    assert Instance.objects.count() == 1
