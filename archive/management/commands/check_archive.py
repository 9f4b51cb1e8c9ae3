"""Compare files with rows and say what is wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from archive import check, storage


class Command(BaseCommand):
    help = (
        "Reads every stored file and compares it with its row: missing, damaged, or files that "
        "no row names. Exit code 0: all is well; 1: something was found and not repaired. "
        "A missing or damaged file is made whole by sending the same instance again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="remove left-over files that no row names (older than an hour)",
        )
        parser.add_argument(
            "--quick", action="store_true", help="compare sizes only, do not read the files"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[str] = Counter()
        for finding in check.find_bad_files(read_all=not options["quick"]):
            counts[finding.kind] += 1
            self.stdout.write(
                f"{finding.kind.upper():8} {finding.sop_instance_uid} {finding.storage_key}"
            )
        for finding in check.find_orphans():
            counts["orphan"] += 1
            self.stdout.write(f"ORPHAN   {finding.storage_key}")
            if options["repair"]:
                storage.remove(finding.storage_key)
                counts["removed"] += 1
        self._summarise(counts)

    def _summarise(self, counts: Counter[str]) -> None:
        left = counts["missing"] + counts["damaged"] + counts["orphan"] - counts["removed"]
        self.stdout.write(
            f"missing {counts['missing']}, damaged {counts['damaged']}, "
            f"left-over files {counts['orphan']}, removed {counts['removed']}"
        )
        if counts["missing"] or counts["damaged"]:
            self.stdout.write("Send these instances again from their source: that heals them.")
        if left:
            raise SystemExit(1)
        self.stdout.write(self.style.SUCCESS("All is well."))
