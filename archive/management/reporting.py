"""What commands share: whose files, which target, a line a file, a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from accounts.models import Facility
from archive import commit, storage
from archive.importing import Verdict
from archive.ingest import Source
from archive.send import Target, send_files
from imaging.errors import PeerUnavailableError

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


def add_target_arguments(parser: CommandParser) -> None:
    """Add --host, --port, --aet and --called."""
    parser.add_argument("--host", default="127.0.0.1", help="Where the other side listens.")
    parser.add_argument("--port", type=int, default=11112)
    parser.add_argument("--aet", default="NOCTIS_SCU", help="Our AE title in this association.")
    parser.add_argument("--called", default="NOCTIS_SCP", help="The other side's AE title.")


def target_from(options: dict[str, Any]) -> Target:
    """Return the target that the arguments name; CommandError (2) for a bad AE title."""
    for option in ("aet", "called"):
        title = options[option].strip()
        if not 1 <= len(title) <= 16 or not title.isascii() or "\\" in title:
            raise CommandError(
                f"--{option} must be 1 to 16 printable characters without backslash.",
                returncode=2,
            )
    return Target(
        host=options["host"],
        port=options["port"],
        called_aet=options["called"],
        calling_aet=options["aet"],
    )


def report_sending(out: OutputWrapper, target: Target, files: Sequence[Path]) -> bool:
    """Send, write a line for each file and a summary; returns whether all were stored."""
    stored = 0
    try:
        for sent in send_files(target, files):
            stored += sent.is_stored
            word = "stored" if sent.is_stored else "failed"
            out.write(f"{word:<9}  {sent.path}  ({sent.reason})")
    except PeerUnavailableError as error:
        raise CommandError(str(error), returncode=2) from None
    out.write(f"{len(files)} files: {stored} stored, {len(files) - stored} failed")
    return stored == len(files)
