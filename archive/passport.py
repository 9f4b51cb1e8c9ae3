"""The passport of a series: what it is good for, examined once and kept with it.

It is made when a series has been quiet for a moment, made again when more arrives, and made
on demand for who asks before. What it was made from is written in it and its rules beside it,
so a passport that time has overtaken is known for what it is.
"""

from __future__ import annotations

import logging
import uuid
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone, translation

from archive import events, jobs
from archive.badges import find_badges
from archive.models import Instance, Series, Study
from archive.passport_pixels import examine_frames, examine_hounsfield, region_of
from archive.passport_values import examine_pixel_spacing, examine_uptake, list_facts
from archive.places import Places
from archive.series_shape import examine_series
from imaging.errors import MissingError
from imaging.text_verdict import examine_text

logger = logging.getLogger("noctis.passport")

KIND = "passport"
# Of the rules by which passports are made; older ones are made again.
RULES = 5
QUIET = timedelta(seconds=2)
# A series that never comes to rest gets a passport all the same.
LONGEST_WAIT = timedelta(seconds=30)
# So many slice positions are kept; the shape of longer stacks is read from the stack.
MOST_POSITIONS = 4096

Document = dict[str, Any]
_places = Places(2, waiting_limit=16, wait_seconds=20)


def queue_passports(series_ids: list[uuid.UUID]) -> None:
    """Queue the passports of series that grew, for when they are quiet."""
    jobs.queue(KIND, series_ids, delay=QUIET)


def run_passport_job(key: str) -> None:
    """Make the passport of the series whose id is `key`; may run twice.

    A series to which more has just come waits a little longer.
    """
    series = Series.objects.filter(pk=key).first()
    if series is None or is_current(series):
        return
    now = timezone.now()
    kept = (series.passport or {}).get("made_from", {}).get("instance_count", 0)
    is_waiting_long = _oldest_arrival_is_before(series, now - LONGEST_WAIT) and not kept
    if now - series.last_received_at < QUIET and not is_waiting_long:
        queue_passports([series.pk])
        return
    make_passport(series.pk)
    # The series has come to rest: who asks for its metadata finds them made.
    jobs.queue("metadata", [series.pk])


def is_current(series: Series) -> bool:
    """Whether the passport that is kept speaks of the series as it is now, by today's rules."""
    passport = series.passport
    return bool(
        passport
        and series.passport_rules == RULES
        and passport.get("made_from") == _made_from(series)
    )


def read_passport(series: Series) -> Document:
    """Return the passport, made now when none is kept or the one kept is out of date.

    Raises `BusyError` when too many are being made.
    """
    if is_current(series) and series.passport is not None:
        return series.passport
    with _places.one():
        return make_passport(series.pk)


def invalidate_passports(study_ids: Iterable[uuid.UUID]) -> None:
    """Have all passports of these studies made anew, and their marks collected.

    For whoever moves series or instances: called in the same transaction, with every study
    that gave or took. What was found out about other rows is not shown meanwhile.
    """
    wanted = set(study_ids)
    series = Series.objects.filter(study__in=wanted)
    # The studies before their series: the order in which receivers lock.
    studies = list(Study.objects.select_for_update().filter(pk__in=wanted).order_by("pk"))
    series_ids = sorted(series.values_list("pk", flat=True))
    series.update(passport=None, passport_rules=None)
    for study in studies:
        keep_badges(study)
    jobs.queue(KIND, series_ids)


def make_passport(series_id: uuid.UUID) -> Document:
    """Examine a series and keep the result; returns it. Safe to repeat and to run at once.

    Raises `MissingError` for a series that is not there.
    """
    series = Series.objects.select_related("study").filter(pk=series_id).first()
    if series is None:
        raise MissingError("There is no such series.")
    instances = list(Instance.objects.filter(series=series).defer("meta_sha256"))
    # What is kept is in English, whoever asks first: pages translate by the codes.
    with translation.override("en"):
        passport = build_passport(series, instances)
    _keep(series, passport, Counter(one.facts_version for one in instances))
    return passport


def build_passport(series: Series, instances: list[Instance]) -> Document:
    """Return the passport of a series with these instances; a few frames are decoded."""
    images = [one for one in instances if one.number_of_frames]
    shape = examine_series(images).to_json()
    positions = shape.pop("slice_positions_mm", [])
    passport: Document = {
        **shape,
        "slice_positions_mm": positions if len(positions) <= MOST_POSITIONS else None,
        **examine_pixel_spacing(images),
    }
    passport["frames"], decoded = examine_frames(series, images)
    passport["hu"] = examine_hounsfield(instances, images, decoded, region=region_of(series))
    passport["suv"] = examine_uptake(images)
    passport["text"] = examine_text(one.flags for one in instances)
    passport.update(list_facts(instances, images))
    passport["badges"] = find_badges(passport)
    passport["rules"] = RULES
    passport["made_from"] = _made_from(series)
    return passport


def _keep(series: Series, passport: Document, read_by: Counter[int | None]) -> None:
    """Write the passport and the study's badges, unless the series is another by now.

    `read_by` counts the instances by the version of their facts: headers that were read
    again meanwhile may say something else.
    """
    with transaction.atomic():
        # The study before its series: the order in which receivers lock.
        study = Study.objects.select_for_update().get(pk=series.study_id)
        now = Series.objects.select_for_update().get(pk=series.pk)
        if _made_from(now) != passport["made_from"] or _read_by(now) != read_by:
            return
        is_news = (now.passport or {}).get("badges") != passport["badges"] or now.passport is None
        Series.objects.filter(pk=series.pk).update(passport=passport, passport_rules=RULES)
        keep_badges(study)
        if is_news:
            events.publish("study_updated", [study])
    series.passport, series.passport_rules = passport, RULES


def _read_by(series: Series) -> Counter[int | None]:
    rows = Instance.objects.filter(series=series).order_by().values_list("facts_version")
    return Counter(dict(rows.annotate(Count("pk"))))


def keep_badges(study: Study) -> bool:
    """Write the marks that the study's passports deserve now; returns whether they differ."""
    badges = collect_badges(study)
    if badges == study.passport_badges:
        return False
    Study.objects.filter(pk=study.pk).update(passport_badges=badges)
    return True


def collect_badges(study: Study) -> list[str]:
    """Return the badges of all series of a study, each once, sorted."""
    kept = Series.objects.filter(study=study, passport__isnull=False)
    found = kept.values_list("passport__badges", flat=True)
    return sorted({code for own in found for code in own or ()})


def _oldest_arrival_is_before(series: Series, moment: Any) -> bool:
    first = Instance.objects.filter(series=series).order_by("received_at")
    received_at = first.values_list("received_at", flat=True).first()
    return received_at is not None and received_at < moment


def _made_from(series: Series) -> Document:
    """Return what differs whenever something arrived in the series."""
    return {
        "instance_count": series.instance_count,
        "frame_count": series.frame_count,
        "size_bytes": series.size_bytes,
        "last_received_at": series.last_received_at.isoformat(),
    }
