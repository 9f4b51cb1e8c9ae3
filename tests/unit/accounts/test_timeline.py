"""The audit trail by year, month and day: the same spans that Django would find."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils import timezone

from accounts.audit import AuditEntry, record
from accounts.models import AuditRow
from accounts.timeline import Timeline, find_actions

MOMENTS = [
    datetime(2022, 12, 31, 23, 59, tzinfo=UTC),
    datetime(2023, 1, 1, 0, 0, tzinfo=UTC),
    datetime(2023, 1, 31, 12, 0, tzinfo=UTC),
    datetime(2023, 3, 26, 1, 30, tzinfo=UTC),
    datetime(2023, 10, 29, 0, 30, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 0, tzinfo=UTC),
]


@pytest.fixture
def trail(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, moment in enumerate(MOMENTS):
        monkeypatch.setattr(timezone, "now", lambda moment=moment: moment)
        record([AuditEntry(action=f"act{number % 2}", actor="rada")])
    monkeypatch.undo()


@pytest.mark.parametrize("kind", ["year", "month", "day"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Zurich", "America/Los_Angeles"])
def test_spans_are_those_that_django_finds(trail: None, kind: Any, zone: str) -> None:
    with timezone.override(zone):
        ours = Timeline(model=AuditRow).datetimes("at", kind)

        assert ours == list(AuditRow.objects.datetimes("at", kind))
        assert len(ours) >= 2


def test_spans_follow_the_filter(trail: None) -> None:
    rows = Timeline(model=AuditRow).filter(at__year=2023)

    assert rows.datetimes("at", "month") == list(
        AuditRow.objects.filter(at__year=2023).datetimes("at", "month")
    )


def test_empty_trail_has_no_spans(db: None) -> None:
    assert Timeline(model=AuditRow).datetimes("at", "year") == []


def test_actions_are_named_once(trail: None) -> None:
    assert find_actions() == ["act0", "act1"]
