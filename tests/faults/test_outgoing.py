"""Workers that are killed: the report still arrives, and a transfer goes on where it stood."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from pydicom.uid import generate_uid
from pynetdicom import AE, evt

from accounts.models import Facility, User
from archive import storage
from archive.models import Instance
from dicom_receiver.commitment import asking
from dicom_receiver.commitment.models import Commitment
from dicom_receiver.models import Peer
from dicom_receiver.outgoing.asking import ask_to_send
from dicom_receiver.outgoing.models import Transfer
from dicom_receiver.outgoing.running import Run
from tests.conformance.outside_peer import outside_peer
from tests.conformance.port import wait_for
from tests.faults.worker import Worker
from tests.services import find_free_port
from tests.stored import store_files

PUSH_MODEL = "1.2.840.10008.1.20.1"
CT = "1.2.840.10008.5.1.4.1.1.2"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(home: Path) -> Iterator[Worker]:
    worker = Worker(home)
    yield worker
    worker.kill()


def test_a_worker_killed_in_the_middle_of_a_check_still_reports_after_its_restart(
    worker: Worker, north: Facility
) -> None:
    number = find_free_port()
    Peer.objects.create(
        ae_title="CT1", facility=north, host="127.0.0.1", port=number, may_commit=True
    )
    heard: list[Any] = []

    def hear(event: evt.Event) -> tuple[int, None]:
        heard.append(event.event_information)
        return 0x0000, None

    stored = store_files(north, 2)
    flipped = storage.path_of(stored[1].storage_key)
    flipped.chmod(0o640)
    data = bytearray(flipped.read_bytes())
    data[len(data) // 2] ^= 1
    flipped.write_bytes(data)
    # Nobody gets beyond a pipe into which nobody writes: the worker is in the middle until killed.
    aside = flipped.rename(flipped.with_name("aside"))
    os.mkfifo(flipped)
    pairs = [[CT, one.sop_instance_uid] for one in (stored[0], *stored)]
    asker = asking.Asker("CT1", "127.0.0.1", north.pk)
    wish = asking.Wish(generate_uid(), pairs)
    row = asking.take_down(wish, asker, held_for=timedelta(0))
    Commitment.objects.update(checked_count=1)
    worker.start()
    wait_for(lambda: Commitment.objects.get().claim is not None, 30)
    worker.kill()
    row.refresh_from_db()
    assert row.status == Commitment.Status.CHECKING
    assert row.checked_count < len(pairs)

    aside.rename(flipped)
    listener = AE(ae_title="CT1")
    listener.add_supported_context(PUSH_MODEL, scu_role=False, scp_role=True)
    server = listener.start_server(
        ("127.0.0.1", number), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, hear)]
    )
    assert server is not None
    try:
        worker.start()
        wait_for(lambda: heard, 30)
        wait_for(lambda: Commitment.objects.get().status == Commitment.Status.REPORTED, 10)
    finally:
        server.shutdown()
    failed = {item.ReferencedSOPInstanceUID for item in heard[0].FailedSOPSequence}
    assert failed == {stored[1].sop_instance_uid}
    assert heard[0].FailedSOPSequence[0].FailureReason == 0x0110
    assert heard[0].TransactionUID == wish.transaction_uid


def test_a_worker_killed_in_the_middle_of_a_transfer_goes_on_where_it_stood(
    worker: Worker, north: Facility, rada: User
) -> None:
    with outside_peer() as peer:
        there = Peer.objects.create(
            ae_title="OUTSIDE", facility=north, host="127.0.0.1", port=peer.port
        )
        stored = store_files(north, 6)
        uids = [one.sop_instance_uid for one in stored]
        reached: list[str] = []

        def answer(uid: str) -> int:
            reached.append(uid)
            if uid == uids[3] and reached.count(uid) == 1:
                peer.held.clear()
            return 0

        peer.answer = answer
        ask_to_send(rada, there, Instance.objects.all())
        worker.start()
        # It waits for the answer to the fifth; what was answered before is written down.
        wait_for(lambda: uids[3] in reached, 30)
        wait_for(lambda: Transfer.objects.get().claim is not None)
        worker.kill()
        peer.held.set()
        worker.start()
        wait_for(lambda: Transfer.objects.get().status == Transfer.Status.DONE, 30)
        assert sorted(set(peer.got)) == sorted(uids)
        transfer = Transfer.objects.get()
        assert (transfer.sent_count, transfer.failed_count) == (6, 0)


def test_a_disk_that_is_full_at_us_leaves_a_transfer_to_be_taken_up_again(
    north: Facility, rada: User
) -> None:
    with outside_peer() as peer:
        there = Peer.objects.create(
            ae_title="OUTSIDE", facility=north, host="127.0.0.1", port=peer.port
        )
        (stored,) = store_files(north)
        (transfer,) = ask_to_send(rada, there, Instance.objects.all())

        def claim() -> Transfer:
            from dicom_receiver.outgoing.turns import claim_next

            claimed = claim_next("here")
            assert claimed is not None
            return claimed

        run = Run(claim())
        refusing = _refuse_to_write()
        with refusing:
            # In this thread: the database's refusal is this connection's.
            with pytest.raises(DatabaseError):
                Transfer.objects.update(worker="x")
            run.run()
        transfer.refresh_from_db()
        assert transfer.status == Transfer.Status.RUNNING
        assert transfer.sent_count == 0
        Transfer.objects.update(lease_until=transfer.created_at)
        Run(claim()).run()
        transfer.refresh_from_db()
        assert transfer.status == Transfer.Status.DONE
        # The peer got it twice: the same bytes, which is success there and changes nothing.
        assert set(peer.got) == {stored.sop_instance_uid}


def _refuse_to_write() -> Any:
    """Have every change fail as a full disk makes it fail."""

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(("UPDATE", "INSERT")):
            raise DatabaseError("database or disk is full")
        return execute(sql, *rest)

    return connection.execute_wrapper(refuse)
