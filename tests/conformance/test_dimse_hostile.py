"""What else threatens the port: wrong encodings, silence, a database that was never there."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from archive.models import Instance
from tests import migrated
from tests.conformance.conftest import StartPort
from tests.conformance.dimse import (
    COMMENT,
    CT_IMAGE_STORAGE,
    EXPLICIT_LITTLE,
    IMPLICIT_LITTLE,
    STATUS,
    VERIFICATION,
    AbortedError,
    Client,
    RefusedError,
    associate_rq,
    command_set,
    context,
    encode,
    p_data,
    pdv,
    store_command,
)
from tests.conformance.inside import InsidePort
from tests.conformance.port import Port, wait_for
from tests.conformance.test_dimse_store import make_ct

DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
ECHO = context(1, VERIFICATION, EXPLICIT_LITTLE)


def test_data_set_in_another_syntax_than_agreed_is_never_a_silent_success(
    inside: InsidePort,
) -> None:
    dataset = make_ct()
    agreed = {1: EXPLICIT_LITTLE, 3: IMPLICIT_LITTLE, 5: DEFLATED, 7: BIG_ENDIAN}
    sent = [(1, IMPLICIT_LITTLE), (3, EXPLICIT_LITTLE), (5, EXPLICIT_LITTLE), (7, EXPLICIT_LITTLE)]
    with inside.client() as client:
        client.associate(*(context(key, CT_IMAGE_STORAGE, uid) for key, uid in agreed.items()))
        answers = [
            client.store(
                CT_IMAGE_STORAGE,
                str(dataset.SOPInstanceUID),
                encode(dataset, syntax),
                context_id=key,
            )
            for key, syntax in sent
        ]
        client.release()
    assert [hex(int(answer[STATUS])) for answer in answers] == ["0xc000"] * 4
    assert all(bytes(answer[COMMENT]) for answer in answers)
    assert not Instance.objects.exists()
    assert not inside.media_files()


def test_patience_of_the_port_is_what_the_settings_say(start_port: StartPort) -> None:
    """Who is silent, stops inside a PDU, drips a data set, or never ends its request."""
    port = start_port(
        NOCTIS_REQUEST_SECONDS="1",
        NOCTIS_IDLE_SECONDS="1",
        NOCTIS_PDU_SECONDS="2",
    )
    store = p_data(pdv(1, 3, command_set(store_command(CT_IMAGE_STORAGE, "1.2.3"))))
    began = time.monotonic()
    with ExitStack() as opened:
        mute = opened.enter_context(port.client())
        mute.send(b"\x01\0")
        clients = [opened.enter_context(port.client()) for _ in range(3)]
        for client in clients:
            client.associate(context(1, CT_IMAGE_STORAGE, EXPLICIT_LITTLE))
        for client, words in zip(
            clients, (b"", store[:20], store + p_data(pdv(1, 0, b"x" * 100))[:50]), strict=True
        ):
            client.send(words)
        ends = []
        for client in clients:
            with pytest.raises(AbortedError) as abort:
                client.read_pdu()
            ends.append(abort.value.args)
        with suppress(ConnectionError):
            assert mute.sock.recv(100)[:1] == b"\x07"
    assert ends == [(2, 0)] * 3
    assert 2 < time.monotonic() - began < 60
    assert "idle too long" in port.said()
    assert "PDU came too slowly" in port.said()

    began = time.monotonic()
    with port.client() as dripping, suppress(ConnectionError):
        for byte in associate_rq([ECHO]):
            dripping.send(bytes([byte]))
            time.sleep(0.1)
            assert time.monotonic() - began < 10
    assert 0.9 < time.monotonic() - began
    assert port.echoes()
    assert not port.media_files()


def test_receiver_that_never_knew_its_peers_asks_callers_to_try_later(
    tmp_path: Path, home: Path
) -> None:
    """Nobody is sent away for good, nobody let in unseen; it heals by itself."""
    database = tmp_path / "away" / "db.sqlite3"
    port = Port(home, DATABASE_URL=f"sqlite:///{database}")
    process = port.launch()
    try:
        wait_for(lambda: port.said().count(" serves") >= 2, 60)
        with Client(port.number) as client, pytest.raises(RefusedError) as refusal:
            client.associate(ECHO)
        assert refusal.value.args == (2, 3, 1)
        migrated.copy_to(database.parent)
        wait_for(port.echoes, 30)
        assert "Traceback" not in port.said()
    finally:
        process.terminate()
        process.wait(40)
