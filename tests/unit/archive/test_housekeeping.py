"""Housekeeping: old news goes, fresh news and objects on their way in stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from archive import events, housekeeping
from archive.ingest import Source, open_intake
from archive.models import Event

pytestmark = pytest.mark.django_db


def test_forgets_old_news_and_sweeps_what_the_dead_left(home: Path) -> None:
    events.publish_for("old", None)
    Event.objects.update(created_at=timezone.now() - timedelta(days=2))
    events.publish_for("fresh", None)
    left_over = home / "media" / "incoming" / "1-dead" / "part"
    left_over.parent.mkdir(parents=True)
    left_over.write_bytes(b"half")
    intake = open_intake(Source(door="test", sender="CT1"))

    housekeeping.tidy()

    assert list(Event.objects.values_list("kind", flat=True)) == ["fresh"]
    assert not left_over.exists()
    assert len(list((home / "media" / "incoming").glob("*/*"))) == 1
    intake.abandon()
