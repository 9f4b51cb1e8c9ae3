"""Does a rule fit? Pure questions on what is known of a series, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from archive.models import Series
from dicom_receiver.routing.models import RoutingRule


@dataclass(frozen=True)
class Arrivals:
    """What rules look at: instances of one series from one sender, that came at one time."""

    facility_id: UUID | None
    sender: str
    modality: str
    descriptions: tuple[str, ...]
    body_part: str
    received_at: datetime

    @classmethod
    def of(cls, series: Series, sender: str, received_at: datetime) -> Arrivals:
        """Return what a series looks like to the rules; its study must be at hand."""
        return cls(
            facility_id=series.facility_id,
            sender=sender,
            modality=series.modality,
            descriptions=(
                series.study.study_description,
                series.series_description,
                series.protocol_name,
            ),
            body_part=series.body_part_examined,
            received_at=received_at,
        )


def fits(rule: RoutingRule, arrivals: Arrivals) -> bool:
    """Whether all conditions of the rule hold."""
    return not any(not holds for _words, holds in explain(rule, arrivals))


def explain(rule: RoutingRule, arrivals: Arrivals) -> list[tuple[str, bool]]:
    """Return each condition that the rule has, in words, and whether it holds."""
    checks: list[tuple[bool, str, Callable[[], bool]]] = [
        (True, _("active"), lambda: rule.is_active),
        (
            True,
            _("came after the rule was made"),
            lambda: arrivals.received_at >= rule.since,
        ),
        (True, _("not in quarantine"), lambda: arrivals.facility_id is not None),
        (
            rule.facility_id is not None,
            _("facility"),
            lambda: rule.facility_id == arrivals.facility_id,
        ),
        (bool(rule.sender), _("sender"), lambda: is_like(rule.sender, [arrivals.sender])),
        (
            bool(rule.modality.strip()),
            _("modality"),
            lambda: arrivals.modality.upper() in words_of(rule.modality),
        ),
        (
            bool(rule.description),
            _("description"),
            lambda: is_like(rule.description, arrivals.descriptions),
        ),
        (
            bool(rule.body_part),
            _("body part"),
            lambda: is_like(rule.body_part, [arrivals.body_part]),
        ),
        (
            rule.time_from is not None or rule.time_until is not None,
            _("time of day"),
            lambda: is_within(rule.time_from, rule.time_until, arrivals.received_at),
        ),
    ]
    return [(words, check()) for is_asked, words, check in checks if is_asked]


def words_of(text: str) -> set[str]:
    """Return the words of a list such as "CT, MR", in capitals."""
    return {word.upper() for word in re.split(r"[\s,;\\]+", text) if word}


def is_like(pattern: str, values: Iterable[str]) -> bool:
    """Whether any value is like the pattern: `*` any text, `?` one character, case ignored."""
    wanted = _compiled(pattern.strip())
    return any(wanted.fullmatch(value.strip()) for value in values)


@lru_cache(256)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Several stars in a row are one: what they could mean is soon tried.
    parts = re.split(r"(\*+|\?)", pattern)
    text = "".join(
        ".*" if part.startswith("*") else "." if part == "?" else re.escape(part) for part in parts
    )
    return re.compile(text, re.IGNORECASE | re.DOTALL)


def is_within(begin: time | None, end: time | None, moment: datetime) -> bool:
    """Whether a moment lies in the hours from `begin` until before `end`, maybe over midnight."""
    at = timezone.localtime(moment).time()
    begin = begin or time.min
    if end is None:
        return at >= begin
    if begin <= end:
        return begin <= at < end
    return at >= begin or at < end
