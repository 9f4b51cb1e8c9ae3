"""Prove that nobody changed the audit trail."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from accounts import audit
from accounts.models import AuditRow

MOST_SHOWN = 20


class Command(BaseCommand):
    help = (
        "Walks the audit trail from its first row and checks the chain of hashes. A row that was "
        "changed, inserted or removed is named. Prints the last row's number and hash: kept "
        "elsewhere and given back with --expect, it also shows that no rows were cut off at the "
        "end. Exit code 0: the trail is whole; 1: it is not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--expect",
            metavar="NUMBER:HASH",
            help="a row that an earlier run printed; it must still be there, unchanged",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rows = AuditRow.objects.order_by("id")
        breaks = list(audit.find_breaks(rows.iterator(chunk_size=2000)))
        for number in breaks[:MOST_SHOWN]:
            row = rows.get(pk=number)
            self.stdout.write(
                f"BROKEN at row {number}: {row.at.isoformat(timespec='seconds')} "
                f"{row.actor} {row.action}"
            )
        if len(breaks) > MOST_SHOWN:
            self.stdout.write(f"… and {len(breaks) - MOST_SHOWN} more")
        expected = options["expect"]
        is_kept = not expected or self._is_there(expected)
        if not is_kept:
            self.stdout.write(f"MISSING: no row is {expected}: the end of the trail was cut off.")
        if breaks or not is_kept:
            self.stdout.write(
                "The trail was changed outside Noctis. Compare it with a backup, and find out "
                "who can write to the database."
            )
            raise SystemExit(1)
        last = rows.last()
        end = f"{last.pk}:{last.hash}" if last else "empty"
        self.stdout.write(self.style.SUCCESS(f"The audit trail is whole: {rows.count()} rows."))
        self.stdout.write(f"Last row: {end}")

    def _is_there(self, expected: str) -> bool:
        number, _, digest = expected.partition(":")
        return number.isdigit() and AuditRow.objects.filter(pk=int(number), hash=digest).exists()
