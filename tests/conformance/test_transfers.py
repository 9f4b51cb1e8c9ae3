"""Transfers to a peer of another make: resumed, in order, patient, and ended with words."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone
from pydicom import Dataset
from pytest_django import Settings

from accounts.models import AuditRow, Facility, User
from archive import storage
from archive.models import Instance
from dicom_receiver.models import Peer
from dicom_receiver.outgoing import promises
from dicom_receiver.outgoing.asking import ask_to_send, cancel, pause, pause_line, retry
from dicom_receiver.outgoing.models import CommitmentRequest, Line, Transfer, TransferItem
from dicom_receiver.outgoing.running import Desk
from imaging.errors import ConflictError
from tests.conformance.outside_peer import OutsidePeer, outside_peer
from tests.conformance.port import wait_for
from tests.stored import reference, store_files

Status = Transfer.Status
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def there(north: Facility) -> Iterator[OutsidePeer]:
    with outside_peer() as peer:
        Peer.objects.create(
            ae_title="OUTSIDE", facility=north, host="127.0.0.1", port=peer.port, timeout_seconds=5
        )
        yield peer


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.close()


def ask(user: User, instances: list[Instance]) -> Transfer:
    keys = [one.pk for one in instances]
    (made,) = ask_to_send(user, Peer.objects.get(), Instance.objects.filter(pk__in=keys))
    return made


def work(desk: Desk, transfer: Transfer, *statuses: str, seconds: float = 20) -> Transfer:
    """Look as a worker does until the transfer has one of these statuses and nobody holds it."""

    def is_there() -> bool:
        desk.look()
        transfer.refresh_from_db()
        return transfer.status in statuses and transfer.claim is None

    wait_for(is_there, seconds)
    return transfer


def be_due() -> None:
    """Let what waits for a later time be due now."""
    Transfer.objects.filter(ended_at=None).update(due_at=timezone.now())
    Line.objects.update(retry_at=None)


def uids(instances: list[Instance]) -> list[str]:
    return [one.sop_instance_uid for one in instances]


def test_a_study_arrives_whole_and_the_trail_says_so(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    stored = store_files(north, 5)
    transfer = work(desk, ask(rada, stored), Status.DONE)

    assert there.got == uids(stored)
    assert (transfer.sent_count, transfer.failed_count) == (5, 0)
    assert transfer.sent_bytes == sum(one.size_bytes for one in stored)
    row = AuditRow.objects.get(action="transfer")
    assert (row.outcome, row.actor, row.detail["peer"]) == ("success", "rada", "OUTSIDE")


def test_what_was_sent_is_not_sent_again_after_the_peer_broke_off(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    stored = store_files(north, 6)
    there.breaks_at = stored[3].sop_instance_uid
    transfer = ask(rada, stored)
    wait_for(lambda: desk.look() or len(there.got) == 5)
    work(desk, transfer, Status.QUEUED)
    assert "aborted" in transfer.reason
    there.breaks_at = ""
    be_due()
    work(desk, transfer, Status.DONE)

    assert sorted(there.got) == sorted(uids(stored))
    assert transfer.attempts == 1


def test_a_peer_that_is_down_is_waited_for_longer_each_time(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    there.stop()
    stored = store_files(north, 2)
    transfer = ask(rada, stored)
    waits = []

    def failed(times: int) -> bool:
        desk.look()
        return Line.objects.get().failures == times

    for failures in (1, 2, 3):
        wait_for(partial(failed, failures))
        line = Line.objects.get()
        assert line.retry_at is not None
        waits.append(line.retry_at - timezone.now())
        assert "refused" in line.last_error
        desk.look()
        assert Line.objects.get().failures == failures
        Line.objects.update(retry_at=None)
    assert waits[0] < waits[1] < waits[2]
    there.start()
    be_due()
    work(desk, transfer, Status.DONE)
    assert there.got == uids(stored)
    assert Line.objects.get().failures == 0


def test_a_peer_that_stays_away_is_given_up_with_words(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    there.stop()
    transfer = ask(rada, store_files(north))
    Transfer.objects.update(give_up_at=timezone.now() - timedelta(seconds=1))
    work(desk, transfer, Status.FAILED)
    assert "72 hours" in transfer.reason
    assert AuditRow.objects.filter(action="transfer", outcome="failed").exists()


def test_one_image_that_is_refused_fails_after_so_many_tries_and_the_others_arrive(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility, settings: Settings
) -> None:
    settings.NOCTIS_TRANSFER_ATTEMPTS = 3
    stored = store_files(north, 3)
    bad = stored[1].sop_instance_uid
    offered: list[str] = []

    def answer(uid: str) -> int:
        offered.append(uid)
        return 0xA900 if uid == bad else 0

    there.answer = answer
    transfer = ask(rada, stored)
    for _ in range(2):
        work(desk, transfer, Status.QUEUED)
        be_due()
    work(desk, transfer, Status.FAILED)
    assert offered.count(bad) == 3
    assert sorted(there.got) == sorted({*uids(stored)} - {bad})
    assert "1 of 3" in transfer.reason
    assert "A900" in transfer.reason

    there.answer = lambda _uid: 0
    retry(rada, transfer)
    work(desk, transfer, Status.DONE)
    assert there.got[-1] == bad
    assert len(there.got) == 3


def test_a_peer_without_room_is_waited_for_and_nothing_fails(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    stored = store_files(north, 2)
    there.answer = lambda _uid: 0xA700
    transfer = ask(rada, stored)
    wait_for(lambda: desk.look() or Line.objects.get().failures == 1)
    assert "no room" in Line.objects.get().last_error
    work(desk, transfer, Status.QUEUED)
    there.answer = lambda _uid: 0
    be_due()
    work(desk, transfer, Status.DONE)
    assert there.got == uids(stored)


def test_a_damaged_file_is_said_and_does_not_hold_up_the_rest(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    stored = store_files(north, 3)
    storage.path_of(stored[0].storage_key).unlink()
    transfer = work(desk, ask(rada, stored), Status.FAILED)
    assert there.got == uids(stored[1:])
    assert "missing" in transfer.reason


def test_one_association_at_a_time_and_a_study_in_the_order_in_which_it_was_asked_for(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    first = store_files(north, 3)
    second = store_files(north, 2, StudyInstanceUID=first[0].study.study_instance_uid)
    other = store_files(north, 2)
    there.held.clear()
    made = [ask(rada, one) for one in (first, second, other)]
    Transfer.objects.filter(pk=made[2].pk).update(priority=Transfer.Priority.LOW)
    for _ in range(4):
        desk.look()
    assert Transfer.objects.filter(status=Status.RUNNING).count() == 1
    Line.objects.update(associations=3)
    desk.look()
    # The second of the same study still waits for the first.
    running = Transfer.objects.filter(status=Status.RUNNING).values_list("pk", flat=True)
    assert set(running) == {made[0].pk, made[2].pk}
    wait_for(lambda: there.most_at_once == 2)
    there.held.set()
    work(desk, made[1], Status.DONE)
    work(desk, made[2], Status.DONE)
    order = [uid for uid in there.got if uid not in uids(other)]
    assert order == uids(first) + uids(second)
    assert there.most_at_once == 2


def test_a_cancelled_transfer_ends_and_a_paused_one_goes_on_where_it_stood(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility, admin: User
) -> None:
    stored = store_files(north, 4)
    seen = threading.Event()

    def answer(uid: str) -> int:
        if uid == stored[1].sop_instance_uid and not seen.is_set():
            seen.set()
            time.sleep(0.3)
        return 0

    there.answer = answer
    transfer = ask(rada, stored)
    desk.look()
    assert seen.wait(10)
    pause(rada, transfer, is_paused=True)
    desk._renewed_at = 0
    work(desk, transfer, Status.QUEUED)
    got = len(there.got)
    assert got < 4
    desk.look()
    assert len(there.got) == got
    pause(rada, transfer, is_paused=False)
    pause_line(admin, Peer.objects.get(), is_paused=True)
    desk.look()
    assert Transfer.objects.get().status == Status.QUEUED
    pause_line(admin, Peer.objects.get(), is_paused=False)
    work(desk, transfer, Status.DONE)
    assert there.got == uids(stored)

    cancelled = ask(rada, store_files(north))
    cancel(rada, cancelled)
    desk.look()
    assert cancelled.status == Status.CANCELLED
    with pytest.raises(ConflictError):
        cancel(rada, transfer)


def test_a_transfer_whose_worker_died_is_taken_up_by_the_next(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility
) -> None:
    stored = store_files(north, 3)
    transfer = ask(rada, stored)
    first = TransferItem.objects.filter(instance=stored[0])
    first.update(state=TransferItem.State.SENT)
    Transfer.objects.update(
        status=Status.RUNNING,
        claim=uuid.uuid4(),
        lease_until=timezone.now() + timedelta(seconds=30),
        sent_count=1,
    )
    desk.look()
    assert there.got == []
    Transfer.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    work(desk, transfer, Status.DONE)
    assert there.got == uids(stored[1:])
    assert transfer.sent_count == 3


# --- promised ------------------------------------------------------------------
def report(transfer: Transfer, kept: list[Instance], failed: list[Instance]) -> Dataset:
    """Return what the standard has a peer say (PS3.4 Table J.3-2)."""
    said = Dataset()
    said.TransactionUID = CommitmentRequest.objects.filter(answered_at=None).get().transaction_uid
    said.ReferencedSOPSequence = [
        reference(one.sop_class_uid, one.sop_instance_uid) for one in kept
    ]
    said.FailedSOPSequence = [reference(one.sop_class_uid, one.sop_instance_uid) for one in failed]
    for item in said.FailedSOPSequence:
        item.FailureReason = 0x0112
    return said


def test_what_the_peer_does_not_keep_is_sent_again_until_it_promises(
    there: OutsidePeer, desk: Desk, rada: User, north: Facility, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promises, "LISTEN_SECONDS", 0.2)
    stored = store_files(north, 3)
    transfer = ask(rada, stored)
    Line.objects.update(asks_commitment=True)
    wait_for(lambda: desk.look() or len(there.asked) == 1)
    work(desk, transfer, Status.COMMITTING)
    asked = there.asked[0]
    assert [item.ReferencedSOPInstanceUID for item in asked.ReferencedSOPSequence] == uids(stored)
    assert asked.TransactionUID == CommitmentRequest.objects.get().transaction_uid

    answer = promises.read_report(report(transfer, stored[:2], stored[2:]))
    promises.note_report("OUTSIDE", answer)
    transfer.refresh_from_db()
    assert transfer.status == Status.QUEUED
    assert "0112" in transfer.reason
    be_due()
    wait_for(lambda: desk.look() or len(there.asked) == 2)
    work(desk, transfer, Status.COMMITTING)
    assert there.got == uids(stored) + uids(stored[2:])
    # What is promised already is not asked for again.
    assert [item.ReferencedSOPInstanceUID for item in there.asked[1].ReferencedSOPSequence] == uids(
        stored[2:]
    )
    promises.note_report("OUTSIDE", promises.read_report(report(transfer, stored[2:], [])))
    transfer.refresh_from_db()
    assert (transfer.status, transfer.commitment) == (Status.DONE, "promised")
    assert not transfer.items.exclude(is_committed=True).exists()


def test_a_peer_that_never_says_whether_it_keeps_it_is_given_up(
    there: OutsidePeer,
    desk: Desk,
    rada: User,
    north: Facility,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(promises, "LISTEN_SECONDS", 0.1)
    settings.NOCTIS_TRANSFER_ATTEMPTS = 2
    stored = store_files(north)
    transfer = ask(rada, stored)
    Line.objects.update(asks_commitment=True)
    for asked in (1, 2):
        wait_for(lambda asked=asked: desk.look() or len(there.asked) == asked)  # type: ignore[misc]
        work(desk, transfer, Status.COMMITTING)
        be_due()
    work(desk, transfer, Status.FAILED)

    assert "never said whether it keeps" in transfer.reason
    assert transfer.commitment == Transfer.Commitment.REFUSED
    # Each time it was asked anew: what it once was told may be lost there.
    assert len({one.TransactionUID for one in there.asked}) == 2
    assert there.got == uids(stored)
