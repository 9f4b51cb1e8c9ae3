"""Which passports are missing or of older rules, and do the studies' marks agree with them?"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from archive.models import Series, Study
from archive.passport import LONGEST_WAIT, RULES, collect_badges, is_current, keep_badges
from archive.passport import make_passport as _make
from imaging.errors import MissingError, NoctisError, TransientError

logger = logging.getLogger("noctis.passport")

_BATCH = 200
_OLDER = Q(passport_rules__gt=-RULES, passport_rules__lt=RULES)
_LISTED = (
    "pk", "series_instance_uid", "passport", "passport_rules", "instance_count", "frame_count",
    "size_bytes", "last_received_at",
)  # fmt: skip


@dataclass(frozen=True)
class Unmade:
    """A series whose passport could not be made, and why."""

    series_instance_uid: str
    reason: str


def find_outdated(limit: int) -> list[uuid.UUID]:
    """Return series at rest without a passport of today's rules, those without any first.

    Two plain questions: each is one walk along the index.
    """
    rested = Series.objects.filter(last_received_at__lt=timezone.now() - LONGEST_WAIT)
    never = rested.filter(passport_rules__isnull=True).order_by("-pk")
    keys = list(never.values_list("pk", flat=True)[:limit])
    return keys or list(rested.filter(_OLDER).values_list("pk", flat=True)[:limit])


def count_outdated() -> int:
    """Return how many series have no passport, or one of older rules."""
    return Series.objects.filter(Q(passport_rules__isnull=True) | _OLDER).count()


def find_failed() -> QuerySet[Series]:
    """Return the series whose passport today's rules could not make."""
    return Series.objects.filter(passport_rules=-RULES)


def make_passport(series_id: uuid.UUID) -> Unmade | None:
    """Make a passport; what fails is noted in the row, so that it is not tried for ever.

    Raises `TransientError` when the storage is away: that says nothing of the series.
    """
    try:
        _make(series_id)
    except MissingError:
        return None  # The series is gone.
    except TransientError:
        raise
    except Exception as error:
        logger.exception("passport of series %s", series_id)
        reason = str(error) if isinstance(error, NoctisError) else type(error).__name__
        rows = Series.objects.filter(pk=series_id)
        rows.update(passport_rules=-RULES)
        uid = rows.values_list("series_instance_uid", flat=True).first()
        return Unmade(uid or "", reason)
    return None


def find_overtaken() -> Iterator[uuid.UUID]:
    """Yield series at rest whose passport speaks of other contents: their rows have moved.

    Looks at every series, so it is for `check_archive` alone.
    """
    rested = Series.objects.filter(last_received_at__lt=timezone.now() - timedelta(minutes=5))
    for series in rested.filter(passport_rules=RULES).only(*_LISTED).iterator(_BATCH):
        if not is_current(series):
            yield series.pk


def find_wrong_marks(*, repair: bool) -> Iterator[Study]:
    """Yield studies whose marks are not those of their series' passports."""
    studies = Study.objects.only("study_instance_uid", "passport_badges").iterator(_BATCH)
    while batch := list(islice(studies, _BATCH)):
        deserved = _collect(batch)
        for study in batch:
            if set(study.passport_badges) != deserved[study.pk] and _is_wrong(study, repair=repair):
                yield study


def _collect(studies: list[Study]) -> dict[uuid.UUID, set[str]]:
    """Return the marks that each study deserves. One query."""
    kept = Series.objects.filter(study__in=studies, passport__isnull=False)
    found: dict[uuid.UUID, set[str]] = defaultdict(set)
    for study_id, badges in kept.values_list("study_id", "passport__badges"):
        found[study_id].update(badges or ())
    return found


def _is_wrong(study: Study, *, repair: bool) -> bool:
    """Look once more, under the lock in which marks are written, and mend them if asked to."""
    with transaction.atomic():
        locked = Study.objects.select_for_update().filter(pk=study.pk).first()
        if locked is None or locked.passport_badges == collect_badges(locked):
            return False
        if repair:
            keep_badges(locked)
    return True
