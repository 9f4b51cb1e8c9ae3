"""One run of one import: the peer sends, what comes is stored, the end is told."""

from __future__ import annotations

import logging
import threading
import uuid
from dataclasses import dataclass, field

from django.db import Error as DatabaseError
from django.db import connections
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.audit import record_for_user
from archive.arrival import Source
from archive.models import Instance
from dicom_receiver.models import RetrieveMethod
from dicom_receiver.remote import dimse_retrieve, exchange_turns, web_retrieve, web_send
from dicom_receiver.remote.models import REASON_LENGTH, Exchange
from dicom_receiver.remote.progress import Tally
from dicom_receiver.wire import Stop, StoppingError
from imaging.errors import NoctisError, PeerUnavailableError, PermanentError

logger = logging.getLogger("noctis.dimse")

DOOR = "import"
WATCH_SECONDS = 0.4
RENEW_EVERY = 10
# A peer that is asked in order to stop gets so long before it is left.
GRACE_SECONDS = 5.0
# Trying again cannot help: a person has to do something first.
_LASTING = frozenset({"destination", "no context", "no service", "login", "tls", "address", "gone"})
Status = Exchange.Status


@dataclass
class Hold:
    """Watches over the claim of a run: renews it, and ends the run when it is lost."""

    row: Exchange
    claim: uuid.UUID
    worker_stopped: threading.Event
    cancelled: threading.Event = field(default_factory=threading.Event)
    stop: Stop = field(default_factory=Stop)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Hold:
        self._thread = threading.Thread(target=self._watch, name="import-watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        looks = 0
        try:
            while not self._over.wait(WATCH_SECONDS):
                looks += 1
                if self.worker_stopped.is_set() or not self._is_ours(looks):
                    self.cancelled.set()
                    self._over.wait(0.0 if self.worker_stopped.is_set() else GRACE_SECONDS)
                    self.stop.now.set()
                    return
        finally:
            connections.close_all()

    def _is_ours(self, looks: int) -> bool:
        ask = exchange_turns.renew if looks % RENEW_EVERY == 0 else exchange_turns.is_held
        try:
            return ask(self.row.pk, self.claim)
        except DatabaseError:
            # The lease ends by itself when this lasts.
            return True


def run(row: Exchange, worker_stopped: threading.Event) -> None:
    """Run an import that was claimed, and write how it ended. Safe to repeat."""
    assert row.claim is not None
    claim = row.claim
    tally = Tally(lambda tally: exchange_turns.tell(row, claim, tally))
    tally.expected = row.expected
    try:
        with Hold(row, claim, worker_stopped) as hold:
            _fetch(row, tally, hold)
    except StoppingError:
        logger.info("import %s was stopped", row.pk)
    except NoctisError as error:
        if not worker_stopped.is_set():
            _end_badly(row, claim, tally, error)
    except DatabaseError as error:
        # The lease ends, and the import is taken up again.
        logger.warning("import %s lost the database: %s", row.pk, type(error).__name__)
    except Exception:
        logger.exception("import %s failed", row.pk)
        _end(row, claim, tally, Status.FAILED, _("An unexpected error was logged."))
    else:
        _end_well(row, claim, tally)
    if worker_stopped.is_set():
        exchange_turns.release(row, claim)


def _fetch(row: Exchange, tally: Tally, hold: Hold) -> None:
    peer = row.web_peer or row.peer
    if peer is None or not peer.is_active:
        words = _("The peer is not there any more.")
        raise PeerUnavailableError(words, trouble="gone")
    if row.web_peer is not None:
        # HTTP has no way to ask for an end but to leave.
        leave = Stop()
        leave.now = hold.cancelled
        if row.way == Exchange.Way.SEND:
            web_send.send(row, tally, leave)
        else:
            web_retrieve.fetch(row, _source_of(row, row.web_peer.name), tally, leave)
    elif row.peer is not None and row.peer.retrieve_method == RetrieveMethod.GET:
        source = _source_of(row, row.peer.ae_title)
        dimse_retrieve.get(row, source, tally, hold.cancelled, hold.stop)
    else:
        dimse_retrieve.move(row, tally, hold.cancelled, hold.stop)
        _compare(row, tally)


def _source_of(row: Exchange, sender: str) -> Source:
    return Source(
        door=DOOR, sender=sender, facility_id=row.facility_id, user_id=row.requested_by_id
    )


def count_here(row: Exchange) -> int:
    """Return how many instances of what was asked for are in the archive, at the peer's place."""
    there = Instance.objects.in_facilities([row.facility_id])
    found = there.filter(study__study_instance_uid=row.study_instance_uid)
    if row.series_instance_uid:
        found = found.filter(series__series_instance_uid=row.series_instance_uid)
    return found.count()


def _compare(row: Exchange, tally: Tally) -> None:
    """Compare what a peer says to have sent to our port with what is here."""
    here = count_here(row)
    if tally.done > here:
        words = _(
            "%(peer)s says that it sent %(sent)d, of which %(here)d are here. It may send in "
            "another name than its AE title, or to another address than ours."
        ) % {"peer": row.peer_name, "sent": tally.done, "here": here}
        tally.done = here
        raise PeerUnavailableError(words, trouble="destination")


def _end_well(row: Exchange, claim: uuid.UUID, tally: Tally) -> None:
    is_sent = row.way == Exchange.Way.SEND
    if tally.failed:
        words = ngettext(
            "%(count)d object was not stored: %(why)s",
            "%(count)d objects were not stored: %(why)s",
            tally.failed,
        ) % {"count": tally.failed, "why": tally.reason or _("the other side could not send it.")}
        _end(row, claim, tally, Status.FAILED, words)
    elif not tally.done:
        words = _("%(peer)s sent nothing: it may not have it any more.") % {"peer": row.peer_name}
        if is_sent:
            words = _("There is nothing to send any more.")
        _end(row, claim, tally, Status.FAILED, words)
    else:
        _end(row, claim, tally, Status.DONE, "")


def _end_badly(row: Exchange, claim: uuid.UUID, tally: Tally, error: NoctisError) -> None:
    is_lasting = isinstance(error, PermanentError) or getattr(error, "trouble", "") in _LASTING
    counts = {"done": tally.done, "failed": tally.failed}
    if is_lasting or not exchange_turns.put_back(row, claim, str(error), **counts):
        _end(row, claim, tally, Status.FAILED, str(error))


def _end(row: Exchange, claim: uuid.UUID, tally: Tally, status: str, words: str) -> None:
    """Write the end, and who had what brought in, into the trail."""
    is_ours = exchange_turns.end(
        row, claim, status, reason=words[:REASON_LENGTH], done=tally.done,
        failed=tally.failed, expected=tally.expected,
    )  # fmt: skip
    if is_ours:
        record_for_user(
            row.requested_by,
            "send_ended" if row.way == Exchange.Way.SEND else "import_ended",
            address=row.address,
            outcome="success" if status == Status.DONE else "failure",
            facility_id=row.facility_id,
            patient_id=row.patient_id,
            study_instance_uid=row.study_instance_uid,
            detail={
                "peer": row.peer_name,
                "series": row.series_instance_uid,
                "exchange": str(row.pk),
                "done": tally.done,
                "failed": tally.failed,
            },
        )
