"""kill -9 of the receiver in the middle of four associations loses nothing acknowledged."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dimse_client import CT_IMAGE_STORAGE, StoreMessage
from tests.faults.receiver import Receiver
from tests.faults.senders import (
    Promise,
    Sender,
    encode,
    find_broken,
    find_wrong_counts,
    instance_uid,
)

ROUNDS = int(os.environ.get("NOCTIS_TEST_KILL_ROUNDS") or 12)
ASSOCIATIONS = 4
# So many instances are acknowledged before each kill, however slow the machine.
FEWEST = 6

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + 30 * ROUNDS)]


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)],
)
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sqlite":
        yield ""
        return
    with request.getfixturevalue("make_database")() as database:
        yield database.url


def kill_in_the_middle(receiver: Receiver, number: int) -> list[Promise]:
    """Send over four associations (two to a study), kill, start again; return the ledger."""
    senders = [
        Sender(receiver, 10 * number + place, 10 * number + place // 2)
        for place in range(ASSOCIATIONS)
    ]
    for sender in senders:
        sender.start()
    time.sleep(random.uniform(0.05, 0.4))
    deadline = time.monotonic() + 60
    while sum(len(sender.promises) for sender in senders) < FEWEST:
        assert time.monotonic() < deadline, "nothing is acknowledged"
        time.sleep(0.01)
    receiver.kill()
    for sender in senders:
        sender.join(30)
    return [promise for sender in senders for promise in sender.promises]


def test_every_acknowledged_instance_is_there_and_whole_after_a_restart(
    tmp_path: Path, database_url: str
):
    receiver = Receiver(tmp_path / "killed", database_url=database_url)
    receiver.migrate()
    receiver.start()
    ledger: list[Promise] = []
    try:
        for number in range(ROUNDS):
            promises = kill_in_the_middle(receiver, number)
            assert receiver.start() < 60
            assert find_broken(receiver, promises) == []
            assert find_wrong_counts(receiver) == []
            assert receiver.temporary_files() == []
            ledger += promises
        assert find_broken(receiver, ledger) == []
    finally:
        receiver.stop()
    assert len(ledger) >= FEWEST * ROUNDS


def test_half_an_object_is_cleared_away_at_the_next_start(tmp_path: Path):
    receiver = Receiver(tmp_path / "half")
    receiver.migrate()
    receiver.start()
    try:
        association = receiver.associate()
        uid = instance_uid(1, 1)
        message = StoreMessage(CT_IMAGE_STORAGE, uid, encode(1, uid, 512), 65_536)
        association.send(message.data[: len(message.data) // 2])
        deadline = time.monotonic() + 10
        while not any(path.stat().st_size for path in receiver.temporary_files()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        receiver.kill()
        assert receiver.temporary_files()
        receiver.start()
        assert receiver.temporary_files() == []
        assert receiver.query("SELECT count(*) FROM archive_instance") == [(0,)]
    finally:
        receiver.stop()


def test_a_build_that_answers_too_early_is_found_out(tmp_path: Path):
    receiver = Receiver(tmp_path / "early", settings="tests.faults.early_settings")
    receiver.migrate()
    receiver.start()
    lost: list[str] = []
    try:
        for number in range(5):
            promises = kill_in_the_middle(receiver, number)
            receiver.start()
            lost = find_broken(receiver, promises)
            if lost:
                break
    finally:
        receiver.stop()
    assert lost
    assert all("is not in the index" in one for one in lost)
