"""One run of a transfer: what still waits is sent, what the peer says is written down at once.

What was sent is never sent again by itself: a run that is cut off, by a restart, a pause or a
peer that goes away, is taken up where it stood.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from archive import storage
from dicom_receiver.outgoing import turns
from dicom_receiver.outgoing.models import REASON_LENGTH, Line, Transfer, TransferItem
from dicom_receiver.routing.models import Holder
from dicom_receiver.sending import Kind, Sendable, Sender, Sent, split_kinds
from dicom_receiver.targets import target_of
from dicom_receiver.wire import Stop, StoppingError
from imaging.errors import PeerUnavailableError

logger = logging.getLogger("noctis.dimse")

FLUSH_SECONDS = 1.0
FLUSH_ITEMS = 100
ITEMS_A_PAGE = 500
# The peer is there, and says that it has no room (PS3.4 B.2.3: A7xx).
_NO_ROOM = 0xA7
# The association broke while an instance was on its way: the instance may be why.
_BROKEN = frozenset({"lost", "aborted", "timed out", "not dicom"})
# It is the peer that cannot be reached, whatever is sent.
_AWAY = frozenset({"unreachable", "rejected", "tls"})
State = TransferItem.State
Status = Transfer.Status


class _LostClaimError(Exception):
    """The transfer was cancelled or paused, or another worker has taken it."""


class Halt:
    """How a run is told to end: after the instance that is on its way, or now."""

    def __init__(self) -> None:
        self.soon = threading.Event()
        self.wire = Stop()


def send(transfer: Transfer, halt: Halt) -> None:
    """Send what waits, and write how that ended. Runs until done or until it is told to end."""
    _skip_what_it_brought(transfer)
    run = _Run(transfer, halt)
    try:
        run.send_all()
        run.flush()
    except (_LostClaimError, StoppingError):
        run.flush_quietly()
        turns.release(transfer)
    except PeerUnavailableError as error:
        run.flush_quietly()
        if run.has_answered:
            # It is there, and takes some: try again soon.
            turns.note_success(transfer)
        turns.note_silence(transfer, str(error))
    else:
        _conclude(transfer)


def _skip_what_it_brought(transfer: Transfer) -> None:
    """Leave out what came from this very peer: it must have it, and might send it back again."""
    if transfer.why != Transfer.Why.ROUTED:
        return
    brought = Holder.objects.filter(ae_title=transfer.peer.ae_title).values("instance")
    waiting = transfer.items.filter(state=State.WAITING, instance__in=brought)
    words = _("It came from there.")
    if skipped := waiting.update(state=State.SKIPPED, reason=words):
        turns.held(transfer).update(instance_count=F("instance_count") - skipped)


class _Run:
    """The instances on their way, and the outcomes that are not written yet."""

    def __init__(self, transfer: Transfer, halt: Halt) -> None:
        self._transfer = transfer
        self._halt = halt
        self._outcomes: list[tuple[TransferItem, Sent]] = []
        self._flushed_at = time.monotonic()
        self.has_answered = False

    def send_all(self) -> None:
        """Send item by item. Raises PeerUnavailableError when the peer is given up for now."""
        kinds = _kinds(self._waiting())
        if not kinds:
            return
        with Sender(target_of(self._transfer.peer), kinds, stop=self._halt.wire) as sender:
            for group in split_kinds(kinds):
                for item in self._items_of(group):
                    if self._halt.soon.is_set():
                        raise _LostClaimError
                    self._take(item, sender.send(_sendable(item)))
                    if sender.given_up is not None:
                        raise sender.given_up
        if self.has_answered:
            turns.note_success(self._transfer)

    def _waiting(self) -> QuerySet[TransferItem]:
        # What broke an association once goes last.
        waiting = self._transfer.items.filter(state=State.WAITING)
        return waiting.select_related("instance").order_by("attempts", "id")

    def _items_of(self, group: frozenset[Kind]) -> Iterator[TransferItem]:
        """Yield what waits now of these kinds; what is refused meanwhile does not come again."""
        classes = {sop_class_uid for sop_class_uid, _syntax in group}
        rows = self._waiting().filter(instance__sop_class_uid__in=classes)
        keys = list(rows.values_list("pk", flat=True))
        for begin in range(0, len(keys), ITEMS_A_PAGE):
            page = TransferItem.objects.filter(pk__in=keys[begin : begin + ITEMS_A_PAGE])
            page = page.select_related("instance").defer("instance__image", "instance__frame_table")
            found = {item.pk: item for item in page}
            yield from (found[key] for key in keys[begin : begin + ITEMS_A_PAGE] if key in found)

    def _take(self, item: TransferItem, sent: Sent) -> None:
        """Note what came of one instance."""
        if sent.trouble in _AWAY:
            raise PeerUnavailableError(sent.words, trouble=sent.trouble)
        if sent.status is not None:
            self.has_answered = True
        if sent.status is not None and sent.status >> 8 == _NO_ROOM:
            raise PeerUnavailableError(f"The peer has no room: {sent.words}")
        self._outcomes.append((item, sent))
        is_due = time.monotonic() - self._flushed_at > FLUSH_SECONDS
        if is_due or len(self._outcomes) >= FLUSH_ITEMS:
            self.flush()

    def flush_quietly(self) -> None:
        """Write what is known, whoever has the transfer now."""
        try:
            self.flush()
        except _LostClaimError:
            return

    def flush(self) -> None:
        """Write the outcomes so far. Raises _LostClaimError when the transfer is not ours."""
        outcomes, self._outcomes = self._outcomes, []
        self._flushed_at = time.monotonic()
        if not outcomes:
            return
        with transaction.atomic():
            stored = [item for item, sent in outcomes if sent.is_stored]
            failed = sum(self._write_failure(item, sent) for item, sent in outcomes
                         if not sent.is_stored)  # fmt: skip
            TransferItem.objects.filter(pk__in=[item.pk for item in stored]).update(
                state=State.SENT, sent_at=timezone.now(), reason="", dimse_status=0
            )
            for item, sent in outcomes:
                if sent.is_warning:
                    words = sent.words[:REASON_LENGTH]
                    TransferItem.objects.filter(pk=item.pk).update(
                        dimse_status=sent.status, reason=words
                    )
            counted = Transfer.objects.filter(pk=self._transfer.pk)
            counted.update(
                sent_count=F("sent_count") + len(stored),
                sent_bytes=F("sent_bytes") + sum(item.instance.size_bytes for item in stored),
                failed_count=F("failed_count") + failed,
            )
            is_ours = turns.held(self._transfer).filter(is_paused=False).exists()
            self._transfer.sent_count += len(stored)
            self._transfer.failed_count += failed
            turns.publish(self._transfer)
        if not is_ours:
            raise _LostClaimError

    def _write_failure(self, item: TransferItem, sent: Sent) -> bool:
        """Write why one was not stored; whether that is for good."""
        attempts = item.attempts + 1
        limit = int(settings.NOCTIS_TRANSFER_ATTEMPTS)
        if sent.status is not None:
            is_final = attempts >= limit
            number = f"{sent.status:04X}H"
            words = sent.words if number in sent.words else f"{sent.words} ({number})"
        elif sent.trouble in _BROKEN:
            # Only a peer that is alive can tell that it is the instance's fault.
            is_proved = self.has_answered or sent.trouble != "timed out"
            is_final, words = attempts >= limit and is_proved, sent.words
        else:
            # A file that is damaged, or a kind that the peer takes in no way.
            is_final, words = True, sent.words
        TransferItem.objects.filter(pk=item.pk).update(
            state=State.FAILED if is_final else State.WAITING, attempts=attempts,
            dimse_status=sent.status, reason=words[:REASON_LENGTH],
        )  # fmt: skip
        return is_final


def _kinds(waiting: QuerySet[TransferItem]) -> list[Kind]:
    pairs = waiting.order_by().values_list(
        "instance__sop_class_uid", "instance__transfer_syntax_uid"
    )
    return list(pairs.distinct())


def _sendable(item: TransferItem) -> Sendable:
    instance = item.instance
    return Sendable(
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
        transfer_syntax_uid=instance.transfer_syntax_uid,
        path=storage.path_of(instance.storage_key),
        dataset_offset=instance.dataset_offset,
        size_bytes=instance.size_bytes,
        key=item.pk,
    )


# --- the end -------------------------------------------------------------------
def _conclude(transfer: Transfer) -> None:
    """Write how the run ended: done, to be tried again, to be promised, or failed."""
    waiting = transfer.items.filter(state=State.WAITING)
    if refused := waiting.order_by("-attempts").first():
        attempts = transfer.attempts + 1
        until = timezone.now() + turns.pause_after(attempts)
        turns.wait(transfer, until, refused.reason, attempts=attempts)
        return
    failed = transfer.items.filter(state=State.FAILED)
    if failed.exists():
        turns.end(transfer, Status.FAILED, _words_for(transfer, failed))
    elif Line.objects.filter(pk=transfer.peer_id, asks_commitment=True).exists():
        turns.wait(
            transfer, timezone.now(), status=Status.COMMITTING,
            commitment=Transfer.Commitment.DUE, commitment_attempts=0,
        )  # fmt: skip
    else:
        turns.end(transfer, Status.DONE)


def _words_for(transfer: Transfer, failed: QuerySet[TransferItem]) -> str:
    """Return how many failed, and the most frequent reason."""
    reasons = failed.order_by().values("reason").annotate(count=Count("pk")).order_by("-count")
    most = reasons[0]
    total = sum(row["count"] for row in reasons)
    return _("%(failed)d of %(all)d images were not sent: %(reason)s") % {
        "failed": total, "all": transfer.instance_count, "reason": most["reason"],
    }  # fmt: skip
