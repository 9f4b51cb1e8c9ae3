"""C-ECHO and association control, as honest clients meet them (PS3.4 A, PS3.8 9)."""

from __future__ import annotations

import struct
import subprocess

import pytest
from pytest_django import Settings

from accounts.models import Facility
from archive.models import Heartbeat
from dicom_receiver.models import Peer, SenderStatistics
from tests.conformance.conftest import StartPort
from tests.conformance.dimse import (
    C_FIND,
    CT_IMAGE_STORAGE,
    DATA_SET_TYPE,
    EXPLICIT_LITTLE,
    FIELD,
    IMPLICIT_LITTLE,
    MESSAGE_ID,
    RESPONDED_TO,
    SOP_CLASS,
    STATUS,
    VERIFICATION,
    AbortedError,
    Elements,
    RefusedError,
    context,
    item,
)
from tests.conformance.inside import InsidePort
from tests.conformance.port import Port, wait_for

ECHO = context(1, VERIFICATION, IMPLICIT_LITTLE)
STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"


@pytest.mark.dcmtk
def test_echoscu_is_answered(shared_port: Port) -> None:
    subprocess.run(
        ["echoscu", "-aec", "NOCTIS_SCP", "localhost", str(shared_port.number)],
        check=True,
        timeout=20,
    )


def test_association_says_who_we_are_and_what_we_take(shared_port: Port) -> None:
    with shared_port.client() as client:
        client.associate(
            context(1, VERIFICATION, IMPLICIT_LITTLE),
            context(3, CT_IMAGE_STORAGE, JPEG_BASELINE, IMPLICIT_LITTLE),
            context(5, CT_IMAGE_STORAGE, IMPLICIT_LITTLE, EXPLICIT_LITTLE),
            context(7, STUDY_ROOT_FIND, IMPLICIT_LITTLE),
            context(9, "1.2.3.99", "1.2.3.4.5"),
            context(11, MR_IMAGE_STORAGE),
            context(13, b"1.2.840.10008.5.1.4.1.1.2/../x", IMPLICIT_LITTLE),
        )
        client.release()

    assert client.max_pdu == 131072
    assert b"NOCTIS_SCP      RAW             " in client.acceptance
    results = {context_id: result for context_id, (result, _) in client.accepted.items()}
    assert results == {1: 0, 3: 0, 5: 0, 7: 1, 9: 0, 11: 4, 13: 3}
    assert client.accepted[3][1] == JPEG_BASELINE
    assert client.accepted[5][1] == EXPLICIT_LITTLE
    assert client.accepted[9][1] == "1.2.3.4.5"


def test_identity_and_extended_negotiation_are_tolerated(shared_port: Port) -> None:
    user_identity = item(0x58, b"\x02\x01" + struct.pack(">H4sH6s", 4, b"user", 6, b"secret"))
    extended = item(0x56, struct.pack(">H25s", 25, CT_IMAGE_STORAGE.encode()) + bytes(6))
    window = item(0x53, struct.pack(">HH", 8, 8))
    unknown = item(0x5F, b"whatever")

    assert shared_port.echoes(user_items=user_identity + extended + window + unknown)
    assert "secret" not in shared_port.said()


def test_requestor_that_wants_to_be_provider_only_is_not_taken(shared_port: Port) -> None:
    def roles(uid: str, scu: int, scp: int) -> bytes:
        return item(0x54, struct.pack(">H", len(uid)) + uid.encode() + bytes([scu, scp]))

    with shared_port.client() as client:
        client.associate(
            context(1, CT_IMAGE_STORAGE, IMPLICIT_LITTLE),
            context(3, MR_IMAGE_STORAGE, IMPLICIT_LITTLE),
            user_items=roles(CT_IMAGE_STORAGE, 0, 1) + roles(MR_IMAGE_STORAGE, 1, 1),
        )

    assert (client.accepted[1][0], client.accepted[3][0]) == (1, 0)
    assert roles(MR_IMAGE_STORAGE, 1, 0) in client.acceptance
    assert roles(CT_IMAGE_STORAGE, 0, 1)[4:] not in client.acceptance


@pytest.mark.parametrize(
    ("request_of", "answer"),
    [
        ({"called": b"SOMEBODY_ELSE"}, (1, 1, 7)),
        ({"called": b""}, (1, 1, 7)),
        ({"calling": b""}, (1, 1, 3)),
        ({"calling": b"TWO\nLINES"}, (1, 1, 3)),
        ({"application": "1.2.840.10008.3.1.1.2"}, (1, 1, 2)),
        ({"version": 2}, (1, 2, 2)),
    ],
)
def test_impossible_requests_are_rejected_for_their_reason(
    shared_port: Port, request_of: dict[str, bytes], answer: tuple[int, int, int]
) -> None:
    with shared_port.client() as client, pytest.raises(RefusedError) as refusal:
        client.associate(ECHO, **request_of)

    assert refusal.value.args == answer


def test_command_that_nobody_handles_is_answered_so(shared_port: Port) -> None:
    with shared_port.client() as client:
        client.associate(ECHO)
        command: Elements = {
            SOP_CLASS: VERIFICATION,
            FIELD: C_FIND,
            MESSAGE_ID: 5,
            DATA_SET_TYPE: 0x101,
        }
        client.send_command(1, command)
        answer = client.read_response()
        assert client.echo() == 0

    assert (answer[STATUS], answer[FIELD], answer[RESPONDED_TO]) == (0x0211, 0x8020, 5)


def test_answer_respects_the_peers_longest_pdu(shared_port: Port) -> None:
    with shared_port.client() as client:
        client.associate(ECHO, max_pdu=64)
        client.send_command(
            1, {SOP_CLASS: VERIFICATION, FIELD: 0x30, MESSAGE_ID: 1, DATA_SET_TYPE: 0x101}
        )
        kind, body = client.read_pdu()

    assert kind == 4
    assert len(body) <= 64


def test_several_processes_serve_one_port(shared_port: Port) -> None:
    children = set(shared_port.children())
    clients = [shared_port.client().associate(ECHO, calling=b"SPREAD") for _ in range(4)]

    assert all(client.echo() == 0 for client in clients)
    said = shared_port.said()
    serving = {pid for pid in children if f"[{pid}] association opened: SPREAD" in said}
    for client in clients:
        client.release()
    assert len(children) == 2
    assert serving == children


def test_more_associations_than_there_are_places_are_sent_away(start_port: StartPort) -> None:
    port = start_port(NOCTIS_MAX_ASSOCIATIONS="3", NOCTIS_MAX_ASSOCIATIONS_PER_ADDRESS="3")
    wait_for(lambda: port.said().count("association closed: STARTER") >= 1)
    clients = [port.client().associate(ECHO) for _ in range(3)]

    with port.client() as late, pytest.raises(RefusedError) as refusal:
        late.associate(ECHO)
    assert refusal.value.args == (2, 3, 2)
    clients[0].release()
    clients[0].sock.close()
    wait_for(port.echoes)


def test_receiver_shows_that_it_lives_and_counts_who_called(port: Port) -> None:
    assert port.echoes()
    with port.client() as client, pytest.raises(RefusedError):
        client.associate(ECHO, called=b"WRONG")

    rows = SenderStatistics.objects.filter(ae_title="RAW", address="127.0.0.1")
    wait_for(lambda: rows.filter(associations=1, refused=1).exists())
    wait_for(lambda: Heartbeat.objects.filter(role="receiver", pid=port.pid).exists())
    beat = Heartbeat.objects.get(role="receiver")
    assert beat.detail["address"] == f"127.0.0.1:{port.number}"


def test_strangers_are_sent_away_where_policy_says_so(
    inside: InsidePort, settings: Settings
) -> None:
    north = Facility.objects.create(code="north", name="North")
    Peer.objects.create(ae_title="KNOWN", facility=north, may_store=False)
    Peer.objects.create(ae_title="ASLEEP", facility=north, is_active=False)
    Peer.objects.create(ae_title="MOVED", facility=north, host="192.0.2.7", check_address=True)
    Peer.objects.create(ae_title="AT_HOME", facility=north, host="localhost", check_address=True)
    settings.NOCTIS_UNKNOWN_AE = "reject"

    assert inside.echoes(calling=b"KNOWN")
    assert inside.echoes(calling=b"AT_HOME")
    for title in (b"STRANGER", b"ASLEEP", b"MOVED"):
        with inside.client() as client, pytest.raises(RefusedError) as refusal:
            client.associate(ECHO, calling=title)
        assert refusal.value.args == (1, 1, 3)
    with inside.client() as client:
        client.associate(ECHO, context(3, CT_IMAGE_STORAGE, IMPLICIT_LITTLE), calling=b"KNOWN")
    assert (client.accepted[1][0], client.accepted[3][0]) == (0, 1)


def test_peer_written_down_now_may_call_a_moment_later(
    inside: InsidePort, settings: Settings
) -> None:
    north = Facility.objects.create(code="north", name="North")
    settings.NOCTIS_UNKNOWN_AE = "reject"
    assert not inside.echoes(calling=b"NEW")

    Peer.objects.create(ae_title="NEW", facility=north)

    wait_for(lambda: inside.echoes(calling=b"NEW"), 3)


def test_release_in_the_middle_of_a_message_is_an_error(shared_port: Port) -> None:
    with shared_port.client() as client:
        client.associate(context(1, CT_IMAGE_STORAGE, IMPLICIT_LITTLE))
        client.send_command(
            1,
            {
                SOP_CLASS: CT_IMAGE_STORAGE,
                FIELD: 1,
                MESSAGE_ID: 1,
                DATA_SET_TYPE: 0,
                0x1000: "1.2.3",
            },
        )
        with pytest.raises(AbortedError):
            client.release()
