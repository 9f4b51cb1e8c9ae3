"""Disk full, storage read-only, database away: refused openly, read on, resumed without a hand."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from pynetdicom import AE

from noctis.env import read_database
from tests.dimse_client import CT_IMAGE_STORAGE, Answer, PeerError, StoreMessage
from tests.faults.conftest import MakeDatabase
from tests.faults.receiver import Receiver
from tests.faults.senders import encode, find_wrong_counts, instance_uid

OUT_OF_RESOURCES = 0xA700
VERIFICATION = "1.2.840.10008.1.1"
SMALL, LARGE = 64, 1024

pytestmark = pytest.mark.slow


@contextmanager
def running(receiver: Receiver) -> Iterator[Receiver]:
    receiver.migrate()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


def store(receiver: Receiver, number: int, pixels: int = SMALL) -> Answer:
    """Send one instance over an association of its own."""
    uid = instance_uid(1, number)
    association = receiver.associate()
    try:
        return association.store(
            StoreMessage(
                CT_IMAGE_STORAGE, uid, encode(1, uid, pixels), association.max_pdu_bytes
            ).data
        )
    finally:
        association.close()


def echoes(receiver: Receiver) -> bool:
    entity = AE(ae_title="ECHO")
    entity.add_requested_context(VERIFICATION)
    association = entity.associate("127.0.0.1", receiver.port, ae_title="NOCTIS_SCP")
    try:
        return association.is_established and association.send_c_echo().Status == 0
    finally:
        association.abort()


def numbers_stored(receiver: Receiver) -> list[int]:
    rows = receiver.query("SELECT sop_instance_uid FROM archive_instance")
    return sorted(int(uid.rsplit(".1", 1)[1]) for (uid,) in rows)


def is_clean(receiver: Receiver) -> bool:
    files = {str(path) for path in (receiver.media / "studies").rglob("*.dcm")}
    rows = receiver.query("SELECT storage_key FROM archive_instance")
    named = {str(receiver.media / key) for (key,) in rows}
    return files == named and not receiver.temporary_files() and not find_wrong_counts(receiver)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a small file system of its own, which can be filled and made read-only."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a file system can be mounted by root alone")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_disk_that_is_full_or_read_only_refuses_and_takes_again_when_it_can(
    tmp_path: Path, disk: Path
):
    receiver = Receiver(tmp_path / "full")
    receiver.media = disk / "media"
    receiver.environment["NOCTIS_STORAGE"] = f"file:{receiver.media}"
    with running(receiver):
        assert store(receiver, 1).status == 0
        filler = disk / "filler"
        free_bytes = shutil.disk_usage(disk).free
        filler.write_bytes(bytes(free_bytes - 512 * 1024))
        assert store(receiver, 2, LARGE).status == OUT_OF_RESOURCES
        assert receiver.temporary_files() == []
        assert store(receiver, 3).status == 0
        assert echoes(receiver)
        filler.unlink()
        assert store(receiver, 2, LARGE).status == 0
        assert numbers_stored(receiver) == [1, 2, 3]
        assert is_clean(receiver)

        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        assert store(receiver, 4).status == OUT_OF_RESOURCES
        assert echoes(receiver)
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert store(receiver, 4).status == 0
        assert numbers_stored(receiver) == [1, 2, 3, 4]
        assert is_clean(receiver)


def test_a_write_that_fails_half_way_leaves_nothing(tmp_path: Path):
    receiver = Receiver(tmp_path / "limit")
    with running(receiver):
        assert store(receiver, 1).status == 0
        # Far above the database's files, below the large object.
        receiver.limit_files_to(3 << 20)
        assert store(receiver, 2, 2 * LARGE).status == OUT_OF_RESOURCES
        assert receiver.temporary_files() == []
        assert store(receiver, 3).status == 0
        receiver.limit_files_to(-1)
        assert store(receiver, 2, 2 * LARGE).status == 0
        assert numbers_stored(receiver) == [1, 2, 3]
        assert is_clean(receiver)


def test_the_reserve_is_kept_free(tmp_path: Path):
    receiver = Receiver(tmp_path / "reserve")
    receiver.environment["NOCTIS_DISK_RESERVE_MB"] = str(1 << 40)
    with running(receiver):
        assert store(receiver, 1).status == OUT_OF_RESOURCES
        assert echoes(receiver)
        assert not list((receiver.media / "studies").rglob("*.dcm"))


def test_a_database_that_another_writer_holds_delays_and_loses_nothing(tmp_path: Path):
    receiver = Receiver(tmp_path / "locked")
    with running(receiver):
        assert store(receiver, 1).status == 0
        answers: list[int] = []
        path = receiver.home / "db.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            sender = threading.Thread(target=lambda: answers.append(store(receiver, 2).status))
            sender.start()
            time.sleep(1.5)
            assert answers == []
            assert numbers_stored(receiver) == [1]
            other.execute("ROLLBACK")
        sender.join(30)
        assert answers == [0]
        assert is_clean(receiver)


def test_a_database_that_stays_locked_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    # Senders often wait for 30 seconds, not longer; this receiver is in more of a hurry.
    assert read_database(tmp_path)["OPTIONS"]["timeout"] <= 20
    receiver = Receiver(tmp_path / "stuck", settings="tests.hasty.settings")
    with running(receiver):
        assert store(receiver, 1).status == 0
        path = receiver.home / "db.sqlite3"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            association = receiver.associate()
            association.wait_longer(60)
            uid = instance_uid(1, 2)
            message = StoreMessage(CT_IMAGE_STORAGE, uid, encode(1, uid, SMALL), 65_536)
            began = time.monotonic()
            assert association.store(message.data).status == OUT_OF_RESOURCES
            assert time.monotonic() - began < 15
            other.execute("ROLLBACK")
        assert association.store(message.data).status == 0
        association.release()
        assert is_clean(receiver)


@pytest.mark.service
def test_a_database_that_is_down_refuses_and_heals(tmp_path: Path, make_database: MakeDatabase):
    with make_database() as database:
        receiver = Receiver(tmp_path / "down", database_url=database.url)
        # The process that stored is the one that is asked again: it knows its peers.
        receiver.environment["NOCTIS_RECEIVER_PROCESSES"] = "1"
        with running(receiver):
            assert store(receiver, 1).status == 0
            database.take_down()
            began = time.monotonic()
            assert store(receiver, 2).status == OUT_OF_RESOURCES
            assert time.monotonic() - began < 20
            assert echoes(receiver)
            assert receiver.temporary_files() == []
            database.bring_back()
            assert _store_until_taken(receiver, 2) == 0
            assert numbers_stored(receiver) == [1, 2]
            assert find_wrong_counts(receiver) == []


@pytest.mark.service
def test_a_receiver_that_starts_without_its_database_serves_once_it_is_there(
    tmp_path: Path, make_database: MakeDatabase
):
    with make_database() as database:
        receiver = Receiver(tmp_path / "late", database_url=database.url)
        database.take_down()
        back = threading.Timer(3, database.bring_back)
        back.start()
        try:
            receiver.start()
            assert _store_until_taken(receiver, 1) == 0
        finally:
            back.join()
            receiver.stop()


def _store_until_taken(receiver: Receiver, number: int) -> int:
    """Try again as a modality would, for at most 30 seconds; return the last status."""
    deadline = time.monotonic() + 30
    status = -1
    while status != 0 and time.monotonic() < deadline:
        try:
            status = store(receiver, number).status
        except (OSError, PeerError):
            time.sleep(0.5)
    return status
