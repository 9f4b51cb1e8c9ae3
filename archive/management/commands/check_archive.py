"""Compare files with rows, and rows with what is made of them, and say what is wrong."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from archive import check, passport_check, refresh, storage

PROGRESS_SECONDS = 5.0


class Command(BaseCommand):
    help = (
        "Reads every stored file and compares it with its row: missing, damaged, or files that "
        "no row names. Then looks for headers and passports that an earlier version read, and "
        "for marks that do not agree with the passports. Exit code 0: all is well; 1: something "
        "was found and not repaired. A missing or damaged file is made whole by sending the same "
        "instance again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="remove left-over files that no row names (older than an hour), read headers of "
            "earlier versions again, make missing and outdated passports",
        )
        parser.add_argument(
            "--quick", action="store_true", help="compare sizes only, do not read the files"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._counts: Counter[str] = Counter()
        self._said_at = time.monotonic()
        self._check_files(read_all=not options["quick"], repair=options["repair"])
        self._check_headers(repair=options["repair"])
        self._check_passports(repair=options["repair"])
        self._summarise(repair=options["repair"])

    # --- files --------------------------------------------------------------------
    def _check_files(self, *, read_all: bool, repair: bool) -> None:
        for finding in check.find_bad_files(read_all=read_all):
            self._counts[finding.kind] += 1
            self.stdout.write(
                f"{finding.kind.upper():8} {finding.sop_instance_uid} {finding.storage_key}"
            )
        for finding in check.find_orphans():
            self._counts["orphan"] += 1
            self.stdout.write(f"ORPHAN   {finding.storage_key}")
            if repair:
                storage.remove(finding.storage_key)
                self._counts["removed"] += 1

    # --- headers ------------------------------------------------------------------
    def _check_headers(self, *, repair: bool) -> None:
        """Report, or read again, what an earlier version read. May be stopped at any moment."""
        if not repair:
            self._counts["old headers"] = refresh.count_outdated()
            for one in refresh.find_failed().only("sop_instance_uid", "storage_key").iterator():
                self._note_unread(refresh.Unread(one.sop_instance_uid, one.storage_key, ""))
            return
        # First those that failed before: what fails now must not be tried twice.
        for batch in refresh.refresh_failed():
            self._count_headers(batch)
        while (batch := refresh.refresh_outdated()).looked_at:
            self._count_headers(batch)

    def _count_headers(self, batch: refresh.Batch) -> None:
        for unread in batch.unread:
            self._note_unread(unread)
        self._counts["read again"] += batch.looked_at - len(batch.unread)
        self._counts["changed"] += batch.changed
        self._say(f"{self._counts['read again']} headers read again", refresh.count_outdated)

    def _note_unread(self, unread: refresh.Unread) -> None:
        self._counts["unread"] += 1
        words = f"UNREAD   {unread.sop_instance_uid} {unread.storage_key} {unread.reason}"
        self.stdout.write(words.rstrip())

    # --- passports ----------------------------------------------------------------
    def _check_passports(self, *, repair: bool) -> None:
        for series_id in passport_check.find_overtaken():
            self._counts["overtaken"] += 1
            if repair:
                self._make(series_id)
        if repair:
            for series_id in list(passport_check.find_failed().values_list("pk", flat=True)):
                self._make(series_id)
            while series_ids := passport_check.find_outdated(20):
                for series_id in series_ids:
                    self._make(series_id)
        else:
            self._counts["old passports"] = passport_check.count_outdated()
            for series in passport_check.find_failed().only("series_instance_uid").iterator():
                self._note_unmade(passport_check.Unmade(series.series_instance_uid, ""))
        for study in passport_check.find_wrong_marks(repair=repair):
            self._counts["wrong marks"] += 1
            self.stdout.write(f"MARKS    {study.study_instance_uid}")

    def _make(self, series_id: uuid.UUID) -> None:
        unmade = passport_check.make_passport(series_id)
        if unmade is not None:
            self._note_unmade(unmade)
            return
        self._counts["made"] += 1
        self._say(f"{self._counts['made']} passports made", passport_check.count_outdated)

    def _note_unmade(self, unmade: passport_check.Unmade) -> None:
        self._counts["unmade"] += 1
        self.stdout.write(f"PASSPORT {unmade.series_instance_uid} {unmade.reason}".rstrip())

    # --- words --------------------------------------------------------------------
    def _say(self, words: str, count_left: Callable[[], int]) -> None:
        """Tell how far it is, now and then."""
        if time.monotonic() - self._said_at >= PROGRESS_SECONDS:
            self.stdout.write(f"{words}, {count_left()} to go")
            self._said_at = time.monotonic()

    def _summarise(self, *, repair: bool) -> None:
        counts = self._counts
        self.stdout.write(
            f"missing {counts['missing']}, damaged {counts['damaged']}, "
            f"left-over files {counts['orphan']}, removed {counts['removed']}"
        )
        self.stdout.write(
            f"headers of earlier versions {counts['old headers']}, read again "
            f"{counts['read again']} ({counts['changed']} say more now), unread {counts['unread']}"
        )
        self.stdout.write(
            f"passports to be made {counts['old passports']}, of moved images "
            f"{counts['overtaken']}, made {counts['made']}, failed {counts['unmade']}; "
            f"studies with wrong marks {counts['wrong marks']}"
        )
        if counts["missing"] or counts["damaged"]:
            self.stdout.write("Send these instances again from their source: that heals them.")
        if counts["unread"]:
            self.stdout.write("UNREAD: what was known of these instances is kept as it was.")
        if counts["old headers"] or counts["old passports"]:
            self.stdout.write("The worker brings these up to date by itself; --repair does it now.")
        left = counts["missing"] + counts["damaged"] + counts["orphan"] - counts["removed"]
        left += counts["unread"] + counts["unmade"]
        left += 0 if repair else counts["overtaken"] + counts["wrong marks"]
        if left:
            raise SystemExit(1)
        self.stdout.write(self.style.SUCCESS("All is well."))
