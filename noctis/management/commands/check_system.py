"""`manage.py check_system`: is everything well, and if not, what to do?"""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.db import Error as DatabaseError

from noctis.checkup import database, files, machine, services, tls
from noctis.checkup.finding import Finding, Level, fail


class Command(BaseCommand):
    """Look at every part and say what to do."""

    help = (
        "Looks at every part of this installation and says what to do. Exit code: 0 when nothing "
        "failed, 1 when something did; with --strict warnings count as failures."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--full", action="store_true", help="look at every stored file, however many"
        )
        parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings too")

    def handle(self, *args: Any, **options: Any) -> None:
        counts: Counter[Level] = Counter()
        for finding in check_everything(is_full=options["full"]):
            counts[finding.level] += 1
            self._print(finding)
        self.stdout.write(
            f"\n{counts[Level.OK]} OK, {counts[Level.WARN]} WARN, {counts[Level.FAIL]} FAIL"
        )
        if counts[Level.FAIL] or (options["strict"] and counts[Level.WARN]):
            raise SystemExit(1)

    def _print(self, finding: Finding) -> None:
        colour = {
            Level.OK: self.style.SUCCESS,
            Level.WARN: self.style.WARNING,
            Level.FAIL: self.style.ERROR,
        }[finding.level]
        level = colour(f"{finding.level:4}")
        self.stdout.write(f"{level}  {finding.subject:16} {finding.words}")
        if finding.advice:
            self.stdout.write(f"{'':24}{finding.advice}")
        self.stdout.flush()


def check_everything(*, is_full: bool) -> Iterator[Finding]:
    """Yield every finding; without a database only what needs none."""
    of_database = list(database.check_database(is_full=is_full))
    yield from of_database
    yield from files.check_storage()
    yield from files.check_cache()
    yield from machine.check_permissions()
    yield from machine.check_settings()
    yield from machine.check_compiler()
    if any(finding.level is Level.FAIL for finding in of_database):
        yield fail(
            "other parts",
            "not looked at: they need a sound database",
            "Put the database right first, then run this again.",
        )
        return
    yield from _guard(files.check_files(is_full=is_full))
    yield from _guard(tls.check_tls())
    yield from _guard(services.check_services())
    yield from _guard(machine.check_clock())


def _guard(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Turn a database that goes away in the middle into a finding."""
    try:
        yield from findings
    except DatabaseError as error:
        yield fail(
            "database", f"went away: {type(error).__name__}", "Look at it, then run this again."
        )
