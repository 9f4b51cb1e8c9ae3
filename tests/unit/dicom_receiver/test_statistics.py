"""Counts are exact, bounded, and not lost when the database is away."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.models import Sum

from dicom_receiver import statistics
from dicom_receiver.models import SenderStatistics
from dicom_receiver.statistics import Ledger


def test_counts_of_two_processes_add_up(db: None) -> None:
    for stored in (3, 4):
        ledger = Ledger()
        for _ in range(stored):
            ledger.add("CT1", "192.0.2.1", objects_stored=1, bytes_stored=100)
        ledger.add("CT1", "192.0.2.1", associations=1, refused=2, failures=3)
        ledger.flush()
        ledger.flush()

    row = SenderStatistics.objects.get()
    assert (row.objects_stored, row.bytes_stored) == (7, 700)
    assert (row.associations, row.refused, row.failures) == (2, 4, 6)


def test_counts_wait_for_a_database_that_is_away(db: None) -> None:
    ledger = Ledger()
    ledger.add("CT1", "192.0.2.1", objects_stored=1)

    def fail(execute: Any, *arguments: Any) -> Any:
        raise DatabaseError

    with connection.execute_wrapper(fail), pytest.raises(DatabaseError):
        ledger.flush()
    ledger.add("CT1", "192.0.2.1", objects_stored=1)
    ledger.flush()

    assert SenderStatistics.objects.get().objects_stored == 2


def test_caller_of_a_thousand_names_fills_no_table(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "MOST_SENDERS_A_DAY", 20)
    ledger = Ledger()
    for number in range(100):
        ledger.add(f"NAME{number}", "192.0.2.1", refused=1)
    ledger.flush()

    assert SenderStatistics.objects.count() == 21
    assert SenderStatistics.objects.get(ae_title="").refused == 80
    assert SenderStatistics.objects.aggregate(all=Sum("refused"))["all"] == 100
