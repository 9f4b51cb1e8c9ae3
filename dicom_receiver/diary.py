"""The diary of the port: who called, what was agreed on, what was answered, how it ended.

Kept in memory and written in groups, so that an answer never waits for it: a
status that is sent costs one count in a dictionary. Calls that are alike and
come soon after each other share one entry, so that a monitor which echoes
every ten seconds does not push the others out. Nothing of a patient is in it:
no identifier, no data set, no instance's UID.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.keys import new_key
from dicom_receiver.associate import Answer, AssociateRequest
from dicom_receiver.causes import Cause
from dicom_receiver.doctor.models import Call
from dicom_receiver.peers import Caller
from dicom_receiver.statuses import CANCELLED, PENDING, SUCCESS

logger = logging.getLogger("noctis.dimse")

KEPT_CALLS = 5_000
KEPT_FOR = timedelta(days=14)
ALIKE_SECONDS = 900.0
ALIKE_CALLS = 256
CALLS_A_FLUSH = 200
LIVE_SECONDS = 6.0
KINDS_OF_ANSWERS = 64
KINDS_OF_CONTEXTS = 40
SYNTAXES_SHOWN = 24

_UPDATED = ["seen_at", "times", "outcome", "cause", "detail", "answers", "has_trouble"]


@dataclass(eq=False)
class Entry:
    """One call as it goes on. One thread writes to it; what another reads may be a moment old."""

    address: str
    is_tls: bool = False
    key: uuid.UUID = field(default_factory=new_key)
    started_at: datetime = field(default_factory=timezone.now)
    seen_at: datetime = field(default_factory=timezone.now)
    times: int = 1
    ae_title: str = ""
    called_ae_title: str = ""
    implementation: str = ""
    max_pdu_bytes: int = 0
    facility_id: uuid.UUID | None = None
    outcome: str = Call.Outcome.LIVE
    cause: str = ""
    detail: str = ""
    contexts: list[dict[str, Any]] = field(default_factory=list)
    answers: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    is_written: bool = False
    is_changed: bool = True
    written_at: float = 0.0
    monotonic: float = field(default_factory=time.monotonic)

    def note_request(self, request: AssociateRequest) -> None:
        """Keep who called, and whom."""
        self.ae_title = request.calling_ae_title or ""
        self.called_ae_title = request.called_ae_title or ""
        self.implementation = request.implementation
        self.max_pdu_bytes = request.max_pdu_bytes

    def note_agreement(
        self, caller: Caller, request: AssociateRequest, answers: Iterable[Answer]
    ) -> None:
        """Keep what was proposed and what we said to it."""
        self.facility_id = caller.facility_id
        if caller.why_stranger is not None and caller.why_stranger is not Cause.CALLING_UNKNOWN:
            self.cause = caller.why_stranger.code
        self.contexts = _group(request, answers)

    def note_answer(self, command_field: int, status: int, comment: str) -> None:
        """Count a status that was sent."""
        kind = (command_field, status, comment)
        if kind in self.answers or len(self.answers) < KINDS_OF_ANSWERS:
            self.answers[kind] += 1
        self.is_changed = True

    def is_due(self) -> bool:
        """Whether a live call has to be written: at once when new, else now and then."""
        is_early = self.is_written and time.monotonic() - self.written_at < LIVE_SECONDS
        return self.is_changed and not is_early

    @property
    def has_trouble(self) -> bool:
        """Whether there is something that somebody may want to mend."""
        return (
            bool(self.cause)
            or any(context["result"] for context in self.contexts)
            or any(is_trouble(status) for _, status, _ in list(self.answers))
        )

    def likeness(self) -> str:
        """Return what is equal in calls that are alike."""
        kinds = sorted(self.answers)
        who = (self.ae_title, self.called_ae_title, self.address, self.is_tls, self.facility_id)
        return repr((who, self.outcome, self.cause, self.detail, self.contexts, kinds))

    def take_in(self, other: Entry) -> None:
        """Count a call that was alike into this one."""
        self.times += other.times
        self.seen_at = other.seen_at
        self.answers.update(other.answers)
        self.is_changed = True


class Diary:
    """The entries of one process; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._live: dict[uuid.UUID, Entry] = {}
        self._ended: OrderedDict[uuid.UUID, Entry] = OrderedDict()
        self._alike: OrderedDict[str, Entry] = OrderedDict()
        self._gone: list[int] = []
        self._host = socket.gethostname()

    def begin(self, address: str, *, is_tls: bool = False) -> Entry:
        """Return the entry of a call that has just begun."""
        entry = Entry(address, is_tls)
        with self._lock:
            self._live[entry.key] = entry
        return entry

    def end(
        self, entry: Entry, outcome: Call.Outcome, cause: Cause | None = None, detail: str = ""
    ) -> None:
        """Close an entry, or count it into one that is alike; of an ended one nothing changes."""
        with self._lock:
            if self._live.pop(entry.key, None) is None:
                return
            entry.outcome = outcome
            if cause is not None:
                entry.cause = cause.code
            entry.detail, entry.seen_at = detail[:200], timezone.now()
            entry.is_changed = True
            kept = None if entry.is_written else self._find_alike(entry)
            if kept is not None:
                kept.take_in(entry)
                entry = kept
            else:
                self._alike[entry.likeness()] = entry
                while len(self._alike) > ALIKE_CALLS:
                    self._alike.popitem(last=False)
            self._ended[entry.key] = entry
            while len(self._ended) > CALLS_A_FLUSH:
                self._ended.popitem(last=False)

    def note_refusal(
        self, address: str, cause: Cause, detail: str = "", *, ae_title: str = "", is_tls: bool
    ) -> None:
        """Write down a call that was refused before it said more than its title."""
        entry = self.begin(address, is_tls=is_tls)
        entry.ae_title = ae_title
        self.end(entry, Call.Outcome.REFUSED, cause, detail)

    def note_gone(self, pid: int) -> None:
        """Remember that a process has ended: its live calls are over."""
        with self._lock:
            self._gone.append(pid)

    def _find_alike(self, entry: Entry) -> Entry | None:
        kept = self._alike.get(entry.likeness())
        if kept is None or entry.monotonic - kept.monotonic > ALIKE_SECONDS:
            return None
        return kept

    # --- writing -------------------------------------------------------------
    def flush(self) -> None:
        """Write what has changed; on a database error nothing is lost, and the error goes on."""
        with self._lock:
            ended, self._ended = list(self._ended.values()), OrderedDict()
            gone, self._gone = self._gone, []
            live = [entry for entry in self._live.values() if entry.is_due()]
        changed = [*ended, *live[:CALLS_A_FLUSH]]
        for entry in changed:
            entry.is_changed = False
        try:
            if changed:
                self._write(changed)
            if gone:
                end_calls_of(self._host, gone)
        except BaseException:
            self._put_back(ended, live, gone)
            raise

    def _write(self, entries: list[Entry]) -> None:
        rows = [self._row_of(entry) for entry in entries]
        for entry in entries:
            entry.is_written, entry.written_at = True, time.monotonic()
        Call.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["id"], update_fields=_UPDATED
        )

    def _row_of(self, entry: Entry) -> Call:
        if entry.outcome == Call.Outcome.LIVE:
            entry.seen_at = timezone.now()
        return Call(
            id=entry.key,
            started_at=entry.started_at,
            seen_at=entry.seen_at,
            times=entry.times,
            ae_title=entry.ae_title,
            called_ae_title=entry.called_ae_title,
            address=entry.address,
            is_tls=entry.is_tls,
            implementation=entry.implementation,
            max_pdu_bytes=entry.max_pdu_bytes,
            facility_id=entry.facility_id,
            host=self._host,
            pid=os.getpid(),
            outcome=entry.outcome,
            cause=entry.cause,
            detail=entry.detail,
            contexts=entry.contexts,
            answers=[[*kind, count] for kind, count in list(entry.answers.items())],
            has_trouble=entry.has_trouble,
        )

    def _put_back(self, ended: list[Entry], live: list[Entry], gone: list[int]) -> None:
        with self._lock:
            self._gone += gone
            for entry in live:
                entry.is_changed = True
            for entry in ended:
                self._ended.setdefault(entry.key, entry)


def is_trouble(status: int) -> bool:
    """Whether a status is one that somebody may want to mend; warnings are."""
    return status not in PENDING and status not in {SUCCESS, CANCELLED}


def end_calls_of(host: str, pids: Iterable[int]) -> None:
    """Close the calls of processes that have ended without doing so."""
    Call.objects.filter(host=host, pid__in=list(pids), outcome=Call.Outcome.LIVE).update(
        outcome=Call.Outcome.BROKEN, cause=Cause.FAILED.code, has_trouble=True
    )


def end_forgotten_calls() -> None:
    """Close the live calls of this host's processes that are no more."""
    host = socket.gethostname()
    live = Call.objects.filter(host=host, outcome=Call.Outcome.LIVE).values_list("pid", flat=True)
    gone = [pid for pid in live.order_by().distinct() if not _is_running(pid)]
    if gone:
        end_calls_of(host, gone)


def prune_calls() -> None:
    """Remove the oldest calls, beyond a number and an age."""
    Call.objects.filter(seen_at__lt=timezone.now() - KEPT_FOR).delete()
    oldest = Call.objects.order_by("-seen_at").values_list("seen_at", flat=True)
    limit = oldest[KEPT_CALLS : KEPT_CALLS + 1].first()
    if limit is not None:
        Call.objects.filter(seen_at__lte=limit).delete()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _group(request: AssociateRequest, answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """Return proposals and answers, alike ones together: classes, syntaxes, result, choice."""
    said = {answer.context_id: answer for answer in answers}
    groups: dict[tuple[tuple[str, ...], int, str], list[str]] = {}
    for proposal in request.proposals:
        answer = said[proposal.context_id]
        chosen = answer.transfer_syntax if answer.result == 0 else ""
        kind = (proposal.transfer_syntaxes[:SYNTAXES_SHOWN], answer.result, chosen)
        groups.setdefault(kind, []).append(proposal.abstract_syntax or "")
    return [
        {"classes": classes, "syntaxes": list(syntaxes), "result": result, "chosen": chosen}
        for (syntaxes, result, chosen), classes in list(groups.items())[:KINDS_OF_CONTEXTS]
    ]
