"""What commands share: whose files, a line a file, a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.core.management.base import CommandError, OutputWrapper

from accounts.models import Facility
from archive import commit, storage
from archive.importing import Verdict
from archive.ingest import Source

_ORDER = ("stored", "duplicate", "healed", "conflict", "skipped", "refused")


def facility_source(code: str | None, *, sender: str) -> Source:
    """Return the source of a command's files; CommandError (2) when the facility is not known."""
    if not code:
        return Source(door="import", sender=sender)
    facility = Facility.objects.filter(code=code, is_active=True).first()
    if facility is None:
        known = ", ".join(Facility.objects.filter(is_active=True).values_list("code", flat=True))
        raise CommandError(
            f"Nothing was imported: there is no active facility {code!r}. "
            f"Known: {known or 'none; add one in the administration pages'}.",
            returncode=2,
        )
    return Source(door="import", sender=sender, facility_id=facility.pk)


def report_verdicts(out: OutputWrapper, verdicts: Iterable[Verdict]) -> Counter[str]:
    """Write a line for each verdict and a summary at the end; returns the counts by status."""
    counts: Counter[str] = Counter()
    try:
        for verdict in verdicts:
            counts[verdict.status] += 1
            reason = f"  ({verdict.reason})" if verdict.reason else ""
            out.write(f"{verdict.status:<9}  {verdict.name}{reason}")
    finally:
        storage.leave_incoming_room()
        commit.close_connection()
        summary = ", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status])
        out.write(f"{counts.total()} files: {summary or 'nothing found'}")
    return counts
