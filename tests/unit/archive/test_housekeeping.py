"""Housekeeping: old news goes, fresh news and objects on their way in stay."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from archive import events, housekeeping, storage
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


@pytest.mark.parametrize("moment", ["open", "flock", "rename"])
def test_a_sweep_at_any_moment_spares_the_folder_that_is_being_made(
    home: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """Another process may sweep between any two steps of the making."""
    where = fcntl if moment == "flock" else os
    step: Callable[..., object] = getattr(where, moment)
    swept: list[int] = []

    def sweep_first(*arguments: object, **named: object) -> object:
        monkeypatch.setattr(where, moment, step)
        swept.append(storage.sweep_incoming())
        return step(*arguments, **named)

    monkeypatch.setattr(where, moment, sweep_first)
    room = storage.IncomingRoom()

    assert swept == [0]
    descriptor, path = room.create()
    os.close(descriptor)
    assert storage.sweep_incoming() == 0
    assert path.exists()
    room.close()


def test_a_folder_whose_maker_died_is_swept_after_an_hour(home: Path) -> None:
    young, old = (home / "media" / "incoming" / f".new-{number}-dead" for number in (1, 2))
    for folder in (young, old):
        folder.mkdir(parents=True)
    an_hour_ago = time.time() - 3700
    os.utime(old, (an_hour_ago, an_hour_ago))

    assert storage.sweep_incoming() == 1

    assert young.exists()
    assert not old.exists()
