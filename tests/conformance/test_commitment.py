"""Storage commitment as peers see it (PS3.4 Annex J), with dcmjs-dimse and pynetdicom as judges."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.utils import timezone
from pydicom.uid import generate_uid
from pynetdicom import AE, build_role, evt

from accounts.models import AuditRow, Facility
from archive import storage
from archive.models import Instance
from dicom_receiver.commitment.checking import check_next
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.commitment.reporting import report_next
from dicom_receiver.models import Peer
from tests.conformance import dcmjs
from tests.conformance.dimse import EXPLICIT_LITTLE, context
from tests.conformance.inside import InsidePort, inside_port
from tests.conformance.port import wait_for
from tests.services import find_free_port
from tests.stored import store_files

PUSH_MODEL, PUSH_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"

pytestmark = pytest.mark.dcmjs


@pytest.fixture
def port(transactional_db: None, north: Facility) -> Iterator[InsidePort]:
    Peer.objects.create(ae_title="DCMJS", facility=north, may_commit=True)
    with inside_port() as port:
        yield port


@contextmanager
def checker() -> Iterator[None]:
    """Check files as a worker does, beside the test."""
    stop = threading.Event()

    def work() -> None:
        from django.db import connections

        while not stop.is_set():
            if not check_next():
                stop.wait(0.05)
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def wish(transaction: str, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    items = [
        {"ReferencedSOPClassUID": class_uid, "ReferencedSOPInstanceUID": uid}
        for class_uid, uid in pairs
    ]
    return {
        "kind": "N-ACTION",
        "sop_class": PUSH_MODEL,
        "sop_instance": PUSH_INSTANCE,
        "action_type": 1,
        "dataset": {"TransactionUID": transaction, "ReferencedSOPSequence": items},
    }


def pair(instance: Instance) -> tuple[str, str]:
    return instance.sop_class_uid, instance.sop_instance_uid


def flip_a_byte(instance: Instance) -> None:
    path = storage.path_of(instance.storage_key)
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)


def failures(event: dict[str, Any]) -> dict[str, int]:
    items = event["dataset"].get("FailedSOPSequence", [])
    items = items if isinstance(items, list) else [items]
    return {item["ReferencedSOPInstanceUID"]: item["FailureReason"] for item in items}


def test_all_that_is_kept_is_promised_on_the_association_on_which_it_was_asked(
    port: InsidePort, north: Facility
) -> None:
    stored = store_files(north, 3)
    transaction = generate_uid()
    with checker():
        told = dcmjs.ask(
            port.number, wish(transaction, [pair(one) for one in stored]), linger_ms=800
        )

    assert [answer["status"] for answer in told.answers[0]] == [0x0000]
    (event,) = told.events
    assert event["event_type"] == 1
    assert event["dataset"]["TransactionUID"] == transaction
    named = {item["ReferencedSOPInstanceUID"] for item in event["dataset"]["ReferencedSOPSequence"]}
    assert named == {one.sop_instance_uid for one in stored}
    assert "FailedSOPSequence" not in event["dataset"]
    wait_for(lambda: Commitment.objects.get().status == Commitment.Status.REPORTED)
    actions = AuditRow.objects.filter(actor="DCMJS").values_list("action", flat=True)
    assert {"commitment_requested", "commitment_reported"} <= set(actions)


def test_each_failure_has_the_reason_of_the_standard(
    port: InsidePort, north: Facility, south: Facility
) -> None:
    whole, damaged, lost, other_class = store_files(north, 4)
    (foreign,) = store_files(south, 1)
    flip_a_byte(damaged)
    storage.path_of(lost.storage_key).unlink()
    unknown = generate_uid()
    pairs = [
        pair(whole),
        pair(damaged),
        pair(lost),
        (MR, other_class.sop_instance_uid),
        pair(foreign),
        (CT, unknown),
        ("1.2.840.10008.1.40", "2.25.7"),
    ]
    with checker():
        told = dcmjs.ask(port.number, wish(generate_uid(), pairs), linger_ms=800)

    (event,) = told.events
    assert event["event_type"] == 2
    # PS3.3 C.14.1.1: Failure Reason.
    assert failures(event) == {
        damaged.sop_instance_uid: 0x0110,
        lost.sop_instance_uid: 0x0112,
        other_class.sop_instance_uid: 0x0119,
        foreign.sop_instance_uid: 0x0112,
        unknown: 0x0112,
        "2.25.7": 0x0122,
    }
    kept = event["dataset"]["ReferencedSOPSequence"]
    kept = kept if isinstance(kept, list) else [kept]
    assert [item["ReferencedSOPInstanceUID"] for item in kept] == [whole.sop_instance_uid]


def test_a_transaction_uid_is_used_once(port: InsidePort, north: Facility) -> None:
    (stored,) = store_files(north)
    transaction = generate_uid()
    with checker():
        first = dcmjs.ask(port.number, wish(transaction, [pair(stored)]), linger_ms=800)
        again = dcmjs.ask(port.number, wish(transaction, [pair(stored)]), linger_ms=800)

    assert first.events[0]["event_type"] == 1
    assert again.answers[0][0]["status"] == 0x0000
    assert failures(again.events[0]) == {stored.sop_instance_uid: 0x0131}


def test_a_peer_that_hung_up_is_called_with_the_roles_reversed(
    port: InsidePort, north: Facility
) -> None:
    (stored,) = store_files(north)
    heard: list[Any] = []

    def hear(event: evt.Event) -> tuple[int, None]:
        heard.append((event.event_type, event.event_information, event.assoc.requestor))
        return 0x0000, None

    listener = AE(ae_title="DCMJS")
    listener.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
    number = find_free_port()
    Peer.objects.update(host="127.0.0.1", port=number)
    told = dcmjs.ask(port.number, wish("2.25.11", [pair(stored)]))
    assert told.answers[0][0]["status"] == 0x0000
    assert told.events == []
    wait_for(lambda: Commitment.objects.get().held_until is None)
    assert check_next()

    # It does not listen yet: tried again later, and not forgotten.
    assert report_next()
    row = Commitment.objects.get()
    assert (row.status, row.attempts) == (Commitment.Status.CHECKED, 1)
    assert row.due_at > timezone.now()
    assert "refused" in row.reason

    server = listener.start_server(
        ("127.0.0.1", number), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
    )
    assert server is not None
    try:
        Commitment.objects.update(due_at=timezone.now())
        assert report_next()
    finally:
        server.shutdown()
    ((event_type, information, requestor),) = heard
    assert event_type == 1
    assert information.TransactionUID == "2.25.11"
    assert [one.ReferencedSOPInstanceUID for one in information.ReferencedSOPSequence] == [
        stored.sop_instance_uid
    ]
    # PS3.4 J.3.3 and PS3.7 D.3.3.4: who reports proposes to be the SCP alone.
    assert requestor.role_selection[PUSH_MODEL] == build_role(PUSH_MODEL, scp_role=True)
    assert Commitment.objects.get().status == Commitment.Status.REPORTED


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"action_type": 2}, 0x0123),
        ({"sop_instance": "1.2.3"}, 0x0112),
        ({"dataset": {"TransactionUID": "2.25.1"}}, 0x0115),
        ({"dataset": {"ReferencedSOPSequence": [{"ReferencedSOPClassUID": CT}]}}, 0x0115),
    ],
)
def test_what_is_no_request_is_refused_in_its_own_words(
    port: InsidePort, change: dict[str, Any], status: int
) -> None:
    told = dcmjs.ask(port.number, {**wish("2.25.1", [(CT, "1.2.3")]), **change})

    assert told.answers[0][0]["status"] == status
    assert told.answers[0][0]["comment"]
    assert not Commitment.objects.exists()


def test_a_report_that_is_refused_is_tried_again_and_given_up_in_the_end(
    port: InsidePort, north: Facility
) -> None:
    stored = store_files(north, 1)
    told = dcmjs.ask(port.number, wish("2.25.12", [pair(stored[0])]))
    assert told.answers[0][0]["status"] == 0x0000
    wait_for(lambda: Commitment.objects.get().held_until is None)
    assert check_next()
    listener = AE(ae_title="DCMJS")
    listener.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
    number = find_free_port()
    Peer.objects.update(host="127.0.0.1", port=number)
    server = listener.start_server(
        ("127.0.0.1", number),
        block=False,
        evt_handlers=[(evt.EVT_N_EVENT_REPORT, lambda _event: (0x0213, None))],
    )
    assert server is not None
    try:
        assert report_next()
        row = Commitment.objects.get()
        assert (row.status, row.attempts) == (Commitment.Status.CHECKED, 1)
        assert "0x0213" in row.reason
        assert timezone.now() < row.due_at < row.give_up_at
        assert not report_next()

        now = timezone.now()
        Commitment.objects.update(due_at=now, give_up_at=now)
        assert report_next()
    finally:
        server.shutdown()
    row.refresh_from_db()
    assert row.status == Commitment.Status.GIVEN_UP
    assert not report_next()
    assert AuditRow.objects.filter(action="commitment_reported", outcome="given_up").exists()


def test_who_may_not_ask_gets_no_context(port: InsidePort, north: Facility) -> None:
    Peer.objects.create(ae_title="MUTE", facility=north)
    with port.client() as client:
        client.associate(context(1, PUSH_MODEL, EXPLICIT_LITTLE), calling=b"MUTE")
        # 1: rejected by the user (PS3.8 Table 9-18).
        assert client.accepted[1][0] == 1
