"""What passed through the port, by sender and day: counted in memory, written in groups.

Counting never waits for the database, so it is not in the way of an answer.
What could not be written stays counted and is tried again.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from dicom_receiver.causes import Cause
from dicom_receiver.doctor.models import RefusalCount
from dicom_receiver.models import SenderStatistics

# A stranger can call under many names; past this, a day's counts share one row.
MOST_SENDERS_A_DAY = 1000
OTHERS = ("", "")


@dataclass
class Counts:
    """Counts that are not in the database yet."""

    last_seen_at: datetime
    associations: int = 0
    refused: int = 0
    objects_stored: int = 0
    bytes_stored: int = 0
    failures: int = 0


Key = tuple[date, str, str]


class Ledger:
    """Counts by day, AE title and address; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, Counts] = {}
        self._causes: Counter[str] = Counter()
        self._day = date.min
        self._senders: set[tuple[str, str]] = set()

    def add(
        self,
        ae_title: str,
        address: str,
        *,
        associations: int = 0,
        refused: int = 0,
        objects_stored: int = 0,
        bytes_stored: int = 0,
        failures: int = 0,
        cause: Cause | None = None,
    ) -> None:
        """Add to a sender's counts of today; `cause` says why an association was refused."""
        now = timezone.now()
        with self._lock:
            if cause is not None:
                self._causes[cause.code] += 1
            counts = self._counts_of(now, (ae_title, address))
            counts.last_seen_at = now
            counts.associations += associations
            counts.refused += refused
            counts.objects_stored += objects_stored
            counts.bytes_stored += bytes_stored
            counts.failures += failures

    def flush(self) -> None:
        """Write what was counted; on a database error nothing is lost, and the error goes on."""
        with self._lock:
            taken, self._counts = self._counts, {}
            causes, self._causes = self._causes, Counter()
        if not taken:
            return
        try:
            write_counts(taken.items(), causes)
        except BaseException:
            self._put_back(taken)
            with self._lock:
                self._causes.update(causes)
            raise

    def _counts_of(self, now: datetime, sender: tuple[str, str]) -> Counts:
        today = timezone.localdate(now)
        if today != self._day:
            self._day = today
            self._senders.clear()
        if sender not in self._senders:
            if len(self._senders) >= MOST_SENDERS_A_DAY:
                sender = OTHERS
            self._senders.add(sender)
        key = (today, *sender)
        if key not in self._counts:
            self._counts[key] = Counts(now)
        return self._counts[key]

    def _put_back(self, taken: dict[Key, Counts]) -> None:
        with self._lock:
            for key, old in taken.items():
                new = self._counts.setdefault(key, Counts(old.last_seen_at))
                new.last_seen_at = max(new.last_seen_at, old.last_seen_at)
                new.associations += old.associations
                new.refused += old.refused
                new.objects_stored += old.objects_stored
                new.bytes_stored += old.bytes_stored
                new.failures += old.failures


def write_counts(counts: Iterable[tuple[Key, Counts]], causes: Mapping[str, int]) -> None:
    """Add counts to their rows, in one transaction; rows of other processes add up."""
    with transaction.atomic():
        for cause, count in sorted(causes.items()):
            RefusalCount.objects.get_or_create(cause=cause)
            RefusalCount.objects.filter(pk=cause).update(count=F("count") + count)
        # Always in the same order, so that two processes never wait for each other.
        for (day, ae_title, address), added in sorted(counts, key=lambda pair: pair[0]):
            row, _ = SenderStatistics.objects.get_or_create(
                day=day,
                ae_title=ae_title,
                address=address,
                defaults={"last_seen_at": added.last_seen_at},
            )
            SenderStatistics.objects.filter(pk=row.pk).update(
                associations=F("associations") + added.associations,
                refused=F("refused") + added.refused,
                objects_stored=F("objects_stored") + added.objects_stored,
                bytes_stored=F("bytes_stored") + added.bytes_stored,
                failures=F("failures") + added.failures,
                last_seen_at=added.last_seen_at,
            )
