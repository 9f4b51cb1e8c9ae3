"""A peer says on an association of its own, to our port, what it keeps (PS3.4 J.3.3, PS3.7 10.1.1).

pynetdicom speaks for the honest peer, a bare client for all others.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError
from django.db.backends.signals import connection_created
from django.utils import timezone
from pydicom import Dataset
from pynetdicom import AE, build_role

from accounts.models import AuditRow, Facility, User
from archive.models import Instance
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.asking import ask_to_send
from dicom_receiver.outgoing.models import CommitmentRequest, Line, Transfer, TransferItem
from tests.conformance.dimse import (
    COMMENT,
    DATA_SET_TYPE,
    FIELD,
    IMPLICIT_LITTLE,
    MESSAGE_ID,
    SOP_CLASS,
    SOP_INSTANCE,
    STATUS,
    Client,
    context,
    encode,
    item,
)
from tests.conformance.inside import InsidePort
from tests.stored import reference, store_files

PUSH_MODEL, PUSH_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
N_EVENT_REPORT, N_ACTION = 0x0100, 0x0130
REQUESTED_CLASS, REQUESTED_INSTANCE, EVENT, ACTION = 0x0003, 0x1001, 0x1002, 0x1008
ALL_KEPT, SOME_LOST = 1, 2


@pytest.fixture
def sent(transactional_db: None, north: Facility, rada: User) -> list[Instance]:
    """Return three images that were sent to KEEPER, which is to promise that it keeps them."""
    keeper = Peer.objects.create(ae_title="KEEPER", facility=north, host="127.0.0.1", port=9)
    stored = store_files(north, 3)
    ask_to_send(rada, keeper, Instance.objects.all())
    Line.objects.update(asks_commitment=True)
    send()
    return stored


def send() -> None:
    """Let all that waits have been sent, and the peer have been asked."""
    TransferItem.objects.update(state=TransferItem.State.SENT)
    Transfer.objects.update(status=Transfer.Status.COMMITTING, sent_count=3)
    number = CommitmentRequest.objects.count() + 1
    CommitmentRequest.objects.create(
        transaction_uid=f"2.25.{number}", transfer=Transfer.objects.get(), asked_at=timezone.now()
    )


def report(transaction: str, kept: list[Instance], lost: list[Instance] | None = None) -> Dataset:
    """Return what the standard has a peer say (PS3.4 Table J.3-2)."""
    said = Dataset()
    said.TransactionUID = transaction
    said.ReferencedSOPSequence = [
        reference(one.sop_class_uid, one.sop_instance_uid) for one in kept
    ]
    said.FailedSOPSequence = [
        reference(one.sop_class_uid, one.sop_instance_uid) for one in lost or []
    ]
    for failed in said.FailedSOPSequence:
        failed.FailureReason = 0x0112
    return said


def test_a_peer_reports_on_an_association_of_its_own(
    inside: InsidePort, sent: list[Instance]
) -> None:
    entity = AE(ae_title="KEEPER")
    entity.add_requested_context(PUSH_MODEL)
    peer = entity.associate(
        "127.0.0.1",
        inside.number,
        ae_title="NOCTIS_SCP",
        ext_neg=[build_role(PUSH_MODEL, scp_role=True)],
    )
    assert peer.is_established

    def tell(event: int, said: Dataset) -> Any:
        status, _ = peer.send_n_event_report(said, event, PUSH_MODEL, PUSH_INSTANCE)
        return status.Status

    assert tell(SOME_LOST, report("2.25.1", sent[:2], sent[2:])) == 0x0000
    transfer = Transfer.objects.get()
    assert (transfer.status, transfer.sent_count) == (Transfer.Status.QUEUED, 2)
    assert "0112" in transfer.reason
    send()
    assert tell(ALL_KEPT, report("2.25.2", sent[2:])) == 0x0000
    # Whoever says it twice is told that it is known.
    assert tell(ALL_KEPT, report("2.25.2", sent[2:])) == 0x0000
    peer.release()

    transfer.refresh_from_db()
    assert (transfer.status, transfer.commitment) == (Transfer.Status.DONE, "promised")
    assert not TransferItem.objects.exclude(is_committed=True).exists()
    assert AuditRow.objects.filter(action="transfer", outcome="success").exists()


# --- by a client that may say anything ----------------------------------------------------------
def role(scu: int, scp: int) -> bytes:
    uid = PUSH_MODEL.encode()
    return item(0x54, struct.pack(">H", len(uid)) + uid + bytes([scu, scp]))


def call_as(inside: InsidePort, title: bytes) -> Client:
    client = inside.client()
    client.sock.settimeout(60)
    context_wanted = context(1, PUSH_MODEL, IMPLICIT_LITTLE)
    return client.associate(context_wanted, calling=title, user_items=role(0, 1))


def tell(
    client: Client,
    data: bytes | Dataset | None,
    *,
    event: int = ALL_KEPT,
    sop_class: str = PUSH_MODEL,
    instance: str = PUSH_INSTANCE,
) -> dict[int, int | bytes]:
    client.send_command(
        1,
        {
            SOP_CLASS: sop_class,
            FIELD: N_EVENT_REPORT,
            MESSAGE_ID: 5,
            DATA_SET_TYPE: 0x0101 if data is None else 0,
            SOP_INSTANCE: instance,
            EVENT: event,
        },
    )
    if data is not None:
        client.send_data_set(1, data if isinstance(data, bytes) else encode(data, IMPLICIT_LITTLE))
    return client.read_response()


def nested(depth: int) -> bytes:
    inner = Dataset()
    for _ in range(depth):
        outer = Dataset()
        outer.ReferencedSOPSequence = [inner]
        inner = outer
    return encode(inner, IMPLICIT_LITTLE)


@contextmanager
def full_disk() -> Iterator[None]:
    """Have each new connection refuse to write, as a database on a full disk does."""

    is_full = threading.Event()
    is_full.set()

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if is_full.is_set() and sql.startswith(("UPDATE", "INSERT")):
            raise DatabaseError("database or disk is full")
        return execute(sql, *rest)

    def refuse_on(connection: Any, **_also: Any) -> None:
        connection.execute_wrappers.append(refuse)

    connection_created.connect(refuse_on)
    try:
        yield
    finally:
        is_full.clear()
        connection_created.disconnect(refuse_on)


def test_reports_that_do_not_fit_are_refused_in_their_words_and_change_nothing(
    inside: InsidePort, sent: list[Instance], north: Facility
) -> None:
    stranger = Peer.objects.create(ae_title="OTHER", facility=north)
    Line.objects.create(peer=stranger, asks_commitment=True)
    good = report("2.25.1", sent)
    whole = encode(good, IMPLICIT_LITTLE)
    too_long = whole + struct.pack("<HHI", 0x0009, 0x1001, 9 << 20) + bytes(9 << 20)
    with call_as(inside, b"OTHER") as client:
        # What another was asked for is not for it to promise.
        assert tell(client, good)[STATUS] == 0x0115
        client.release()
    with call_as(inside, b"KEEPER") as client:
        answers = [
            (tell(client, report("2.25.99", sent)), 0x0115),
            (tell(client, Dataset()), 0x0115),
            (tell(client, None), 0x0115),
            (tell(client, whole[:-7]), 0x0115),
            (tell(client, b"\xff" * 99), 0x0115),
            (tell(client, good, event=3), 0x0113),
            (tell(client, good, sop_class="1.2.3"), 0x0118),
            (tell(client, good, instance="1.2.3"), 0x0112),
            (tell(client, nested(40)), 0x0213),
            (tell(client, too_long), 0x0213),
        ]
        with full_disk():
            answers.append((tell(client, good), 0x0213))
        assert [hex(int(said[STATUS])) for said, _ in answers] == [hex(due) for _, due in answers]
        assert all(said[COMMENT] for said, _ in answers)
        # Who is asked to promise may not ask for promises.
        client.send_command(
            1,
            {
                REQUESTED_CLASS: PUSH_MODEL, FIELD: N_ACTION, MESSAGE_ID: 6, DATA_SET_TYPE: 0,
                REQUESTED_INSTANCE: PUSH_INSTANCE, ACTION: 1,
            },
        )  # fmt: skip
        client.send_data_set(1, whole)
        assert client.read_response()[STATUS] == 0x0124
        assert Transfer.objects.get().status == Transfer.Status.COMMITTING
        assert not TransferItem.objects.filter(is_committed=True).exists()

        # The association is none the worse for all that.
        assert tell(client, good)[STATUS] == 0x0000
        client.release()
    assert Transfer.objects.get().status == Transfer.Status.DONE
