"""Headers read again: what an earlier version kept of an instance may lack what is asked today.

Every row names the version that read its header. Older ones are read again
batch by batch, each batch committed before the next, so that the work may be
stopped at any moment and goes on where it was. Files are only read. A header
that cannot be read keeps what was known of it, and the row says so.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from accounts.locks import writing_turn
from archive import storage
from archive.models import Instance, Series, Study
from archive.rows import values_of
from imaging.errors import (
    MismatchError,
    NoctisError,
    StorageUnavailableError,
    TransientError,
    UnreadableError,
)
from imaging.facts import FACTS_VERSION, InstanceFacts
from imaging.frames import index_frames
from imaging.header import read_header

logger = logging.getLogger("noctis.refresh")

BATCH = 100
# Frames with facts of their own make a row large; so many are held at one time.
FRAMES_A_BATCH = 20_000
_MOST_FLAGS = 32
_OLDER = Q(facts_version__gt=-FACTS_VERSION, facts_version__lt=FACTS_VERSION)


@dataclass(frozen=True)
class Unread:
    """An instance whose header could not be read again, and why."""

    sop_instance_uid: str
    storage_key: str
    reason: str


@dataclass
class Batch:
    """What became of some instances: looked at, other than before, not to be read."""

    looked_at: int = 0
    changed: int = 0
    unread: list[Unread] = field(default_factory=list)


def count_outdated() -> int:
    """Return how many instances wait to be read again."""
    return Instance.objects.filter(Q(facts_version__isnull=True) | _OLDER).count()


def is_any_outdated() -> bool:
    """Whether an instance waits to be read again."""
    return bool(_find_outdated(1))


def find_failed() -> QuerySet[Instance]:
    """Return the instances whose header this version could not read."""
    return Instance.objects.filter(facts_version=-FACTS_VERSION)


def refresh_outdated(limit: int = BATCH) -> Batch:
    """Read up to so many headers of an earlier version again; none left to read: all zero.

    Safe beside a running system and beside another that does the same.
    Raises `TransientError` when the storage is away.
    """
    return refresh(_find_outdated(limit))


def refresh_failed() -> Iterator[Batch]:
    """Try those once more that could not be read; yields batch by batch."""
    last = uuid.UUID(int=0)
    while keys := list(
        find_failed().filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]
    ):
        last = keys[-1]
        yield refresh(keys)


def refresh(instance_ids: Iterable[uuid.UUID]) -> Batch:
    """Read the headers of these instances again and keep what they say now."""
    batch = Batch()
    rows = Instance.objects.filter(pk__in=list(instance_ids)).defer("image", "frame_table")
    for series_id, members in groupby(
        sorted(rows, key=lambda one: (one.series_id, one.pk)), key=lambda one: one.series_id
    ):
        for part in _bounded(members):
            _refresh_part(series_id, part, batch)
    return batch


def _find_outdated(limit: int) -> list[uuid.UUID]:
    """Return keys of older rows. Two plain questions: each is one walk along the index."""
    never = Instance.objects.filter(facts_version__isnull=True)
    keys = list(never.values_list("pk", flat=True)[:limit])
    if not keys:
        keys = list(Instance.objects.filter(_OLDER).values_list("pk", flat=True)[:limit])
    return keys


def _bounded(members: Iterable[Instance]) -> Iterator[list[Instance]]:
    """Yield the members in parts of a bounded number of frames."""
    part: list[Instance] = []
    frames = 0
    for one in members:
        if part and frames + one.number_of_frames > FRAMES_A_BATCH:
            yield part
            part, frames = [], 0
        part.append(one)
        frames += one.number_of_frames
    yield part


# --- reading ------------------------------------------------------------------------
def _refresh_part(series_id: uuid.UUID, members: list[Instance], batch: Batch) -> None:
    found: dict[uuid.UUID, dict[str, Any]] = {}
    for instance in members:
        batch.looked_at += 1
        try:
            found[instance.pk] = _read(instance)
        except TransientError:
            raise
        except NoctisError as error:
            batch.unread.append(_note(instance, str(error)))
        except Exception as error:
            logger.exception("header of instance %s", instance.pk)
            batch.unread.append(_note(instance, type(error).__name__))
    batch.changed += _keep(series_id, members, found)


def _note(instance: Instance, reason: str) -> Unread:
    return Unread(instance.sop_instance_uid, instance.storage_key, reason)


def _read(instance: Instance) -> dict[str, Any]:
    """Return the columns as the header has them today; raises what is wrong with it."""
    try:
        with storage.open_instance(instance.storage_key) as file:
            header = read_header(file, size=instance.size_bytes)
            frames = index_frames(file, header)
            facts = InstanceFacts.from_header(header, frames)
    except OSError as error:
        raise StorageUnavailableError("The storage cannot be read.") from error
    if facts.sop_instance_uid != instance.sop_instance_uid:
        raise MismatchError("The file holds another instance.")
    if header.dataset_offset != instance.dataset_offset:
        raise UnreadableError("The data set begins elsewhere than it did.")
    table = frames.to_bytes() if facts.has_pixel_data else None
    return {**values_of(facts), "frame_table": table}


# --- writing ------------------------------------------------------------------------
def _keep(
    series_id: uuid.UUID, members: list[Instance], found: dict[uuid.UUID, dict[str, Any]]
) -> int:
    """Write what was found unless a row's file or series is another by now; count the changed."""
    keys = {one.pk: one.storage_key for one in members}
    study_id = members[0].study_id
    with writing_turn(), transaction.atomic():
        # The study before its series: the order in which receivers lock.
        study = Study.objects.select_for_update().filter(pk=study_id).first()
        series = Series.objects.select_for_update().filter(pk=series_id).first()
        rows = [
            row
            for row in Instance.objects.filter(pk__in=keys, series=series_id)
            if row.storage_key == keys[row.pk]
        ]
        changed = [row for row in rows if row.pk in found and _is_other(row, found[row.pk])]
        same = {row.pk for row in rows if row.pk in found} - {row.pk for row in changed}
        failed = {row.pk for row in rows if row.pk not in found}
        Instance.objects.filter(pk__in=same).update(facts_version=FACTS_VERSION)
        Instance.objects.filter(pk__in=failed).update(facts_version=-FACTS_VERSION)
        for row in changed:
            Instance.objects.filter(pk=row.pk).update(**found[row.pk])
        if changed and study is not None and series is not None:
            _tell(study, series, changed, found)
    return len(changed)


def _is_other(row: Instance, values: dict[str, Any]) -> bool:
    """Whether a row says anything else than was found now."""
    table = None if row.frame_table is None else bytes(row.frame_table)
    plain = {
        name: value
        for name, value in values.items()
        if name not in ("facts_version", "frame_table")
    }
    return table != values["frame_table"] or any(
        getattr(row, name) != value for name, value in plain.items()
    )


def _tell(
    study: Study, series: Series, changed: list[Instance], found: dict[uuid.UUID, dict[str, Any]]
) -> None:
    """Let what is made of instances be made anew: passport, thumbnail, counts, flags."""
    growth = sum(found[row.pk]["number_of_frames"] - row.number_of_frames for row in changed)
    Series.objects.filter(pk=series.pk).update(
        passport_rules=None, thumbnail_key="", frame_count=F("frame_count") + growth
    )
    flags = sorted({*study.flags, *(flag for row in changed for flag in found[row.pk]["flags"])})
    if flags[:_MOST_FLAGS] != study.flags:
        Study.objects.filter(pk=study.pk).update(flags=flags[:_MOST_FLAGS])
