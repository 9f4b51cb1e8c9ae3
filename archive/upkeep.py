"""After an upgrade: what an earlier version read and judged is read and judged again.

It goes on by itself, slowly, beside everything else: a slice of work, then a
longer rest, until nothing is left. The slices are one job that queues
itself, so however many workers there are, one of them is at it.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from archive import jobs, passport_check, refresh

logger = logging.getLogger("noctis.upkeep")

KIND = "upkeep"
KEY = "archive"
SLICE_SECONDS = 2.0
# So many times as long as it worked does it rest: others' jobs wait in the same line.
REST_SHARE = 4
LEAST_REST_SECONDS = 1.0
# Few at a time, so that a slice ends in time.
_HEADERS, _PASSPORTS = 50, 4


def start() -> None:
    """Queue the work if there is any; one that waits already stays as it is."""
    if refresh.is_any_outdated() or passport_check.find_outdated(1):
        jobs.queue(KIND, [KEY])


def run_upkeep_job(key: str) -> None:
    """Work for a slice of time and queue the next one, if anything is left; may run twice."""
    began = time.monotonic()
    is_left = work(until=began + SLICE_SECONDS)
    if is_left:
        rest = max(LEAST_REST_SECONDS, REST_SHARE * (time.monotonic() - began))
        jobs.queue(KIND, [key], delay=timedelta(seconds=rest))


def work(*, until: float) -> bool:
    """Read headers, then make passports, till the monotonic clock says so; is something left?"""
    while True:
        batch = refresh.refresh_outdated(_HEADERS)
        for unread in batch.unread:
            logger.warning("not read again: %s: %s", unread.storage_key, unread.reason)
        if time.monotonic() >= until:
            return True
        if not batch.looked_at:
            break
    while series_ids := passport_check.find_outdated(_PASSPORTS):
        for series_id in series_ids:
            passport_check.make_passport(series_id)
            if time.monotonic() >= until:
                return True
    return False
