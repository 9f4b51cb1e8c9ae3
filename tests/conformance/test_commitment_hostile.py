"""Requests for commitment that are huge, nested, broken or cut off: refused, bounded, survived."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from accounts.models import Facility
from dicom_receiver.commitment.asking import INSTANCES_LIMIT
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.models import Peer
from tests.conformance.dimse import (
    COMMENT,
    DATA_SET_TYPE,
    FIELD,
    IMPLICIT_LITTLE,
    MESSAGE_ID,
    STATUS,
    Client,
    context,
)
from tests.conformance.inside import InsidePort, inside_port
from tests.conformance.port import wait_for

PUSH_MODEL, PUSH_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CT = b"1.2.840.10008.5.1.4.1.1.2\0"
N_ACTION, REQUESTED_CLASS, REQUESTED_INSTANCE, ACTION = 0x0130, 0x0003, 0x1001, 0x1008


@pytest.fixture
def port(transactional_db: None, north: Facility) -> Iterator[InsidePort]:
    Peer.objects.create(ae_title="CT1", facility=north, may_commit=True)
    with inside_port() as port:
        yield port


def element(tag: int, value: bytes) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value)) + value


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def references(count: int) -> bytes:
    items = (
        item(element(0x00081150, CT) + element(0x00081155, f"2.25.{10**9 + n}\0".encode()))
        for n in range(count)
    )
    return element(0x00081195, b"2.25.1") + element(0x00081199, b"".join(items))


def nested(depth: int) -> bytes:
    inside = b""
    for _ in range(depth):
        inside = element(0x00081199, item(inside))
    return element(0x00081195, b"2.25.1") + inside


def ask(client: Client, data: bytes | None) -> dict[int, int | bytes]:
    client.send_command(
        1,
        {
            REQUESTED_CLASS: PUSH_MODEL,
            FIELD: N_ACTION,
            MESSAGE_ID: 1,
            DATA_SET_TYPE: 0x0101 if data is None else 0,
            REQUESTED_INSTANCE: PUSH_INSTANCE,
            ACTION: 1,
        },
    )
    if data is not None:
        client.send_data_set(1, data)
    return client.read_response()


def open_to(port: InsidePort) -> Client:
    client = port.client()
    client.sock.settimeout(60)
    client.associate(context(1, PUSH_MODEL, IMPLICIT_LITTLE), calling=b"CT1")
    return client


def test_what_is_too_much_broken_or_missing_is_refused_and_the_association_goes_on(
    port: InsidePort,
) -> None:
    wishes = [
        (references(INSTANCES_LIMIT + 1), 0x0213),
        (references(2) + element(0x00091001, bytes(9 * 1024 * 1024)), 0x0213),
        (nested(60), 0x0213),
        (b"\xff" * 999, 0x0115),
        (references(3)[:-7], 0x0115),
        (references(0), 0x0115),
        (None, 0x0115),
    ]
    with open_to(port) as client:
        for number, (data, status) in enumerate(wishes):
            answer = ask(client, data)
            assert (number, answer[STATUS]) == (number, status)
            assert answer[COMMENT]
        client.release()
    assert not Commitment.objects.exists()


def test_who_hangs_up_without_hearing_the_answer_is_not_forgotten(port: InsidePort) -> None:
    with open_to(port) as client:
        client.send_command(
            1,
            {
                REQUESTED_CLASS: PUSH_MODEL,
                FIELD: N_ACTION,
                MESSAGE_ID: 1,
                DATA_SET_TYPE: 0,
                REQUESTED_INSTANCE: PUSH_INSTANCE,
                ACTION: 1,
            },
        )
        client.send_data_set(1, references(2))
    wait_for(lambda: Commitment.objects.filter(held_until=None).exists())
    assert Commitment.objects.get().instance_count == 2


def test_a_request_that_comes_while_the_report_is_waited_for_is_served(port: InsidePort) -> None:
    with open_to(port) as client:
        assert ask(client, references(1))[STATUS] == 0
        # The same again, at once: the same transaction, so the same row.
        assert ask(client, references(1))[STATUS] == 0
        client.release()
    assert Commitment.objects.count() == 1
