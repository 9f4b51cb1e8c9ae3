"""Find and mend what the worklist says wrongly."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from worklist.order_repair import check_orders, count_orders
from worklist.repair import Fault, Kind, check, count_studies

_MOST_LINES = 50
_Part = Iterator[tuple[int, list[Fault]]]


class Command(BaseCommand):
    help = (
        "Check that every study has its worklist entry and that counts, modalities and "
        "facilities are right, and that orders agree with their steps. Without --apply "
        "nothing is changed: it says what it would do. "
        "Safe while studies arrive. Exit code 0: nothing is wrong, or all was fixed; "
        "1: something is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="Fix what is found.")
        parser.add_argument(
            "--all",
            action="store_true",
            help=f"Tell every finding, not only the first {_MOST_LINES}.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        apply: bool = options["apply"]
        most = sys.maxsize if options["all"] else _MOST_LINES
        found: Counter[Kind] = Counter()
        fixed: Counter[Kind] = Counter()
        looked_at = Counter({"studies": 0, "orders": 0})
        is_watched = sys.stderr.isatty()
        total = count_studies() + count_orders()
        with tqdm(total=total, unit=" rows", disable=not is_watched) as bar:
            parts = {"studies": check(apply=apply), "orders": check_orders(apply=apply)}
            for name, (count, faults) in _chain(parts):
                looked_at[name] += count
                bar.update(count)
                for fault in faults:
                    if found.total() < most:
                        bar.clear()
                        self._tell(fault, apply=apply)
                    found[fault.kind] += 1
                    fixed[fault.kind] += fault.is_fixed
        if found.total() > most:
            self.stdout.write(f"… and {found.total() - most} more; --all tells them.")
        self._summarize(found, fixed, looked_at, apply=apply)
        if found.total() > fixed.total():
            sys.exit(1)

    def _tell(self, fault: Fault, *, apply: bool) -> None:
        where = f"study {fault.study_instance_uid}: " if fault.study_instance_uid else ""
        what = f"{where}{fault.text}"
        if fault.is_fixed:
            self.stdout.write(f"fixed      {what}")
        elif fault.advice:
            self.stdout.write(self.style.WARNING(f"by hand    {what}. {fault.advice}"))
        else:
            self.stdout.write(f"{'NOT FIXED ' if apply else 'would fix '} {what}")

    def _summarize(
        self, found: Counter[Kind], fixed: Counter[Kind], looked_at: Counter[str], *, apply: bool
    ) -> None:
        self.stdout.write(f"\n{'What was checked':<52}{'wrong':>8}{'fixed':>8}")
        for kind in Kind:
            line = f"{kind.label!s:<52}{found[kind]:>8}{fixed[kind]:>8}"
            left = found[kind] - fixed[kind]
            self.stdout.write(self.style.WARNING(line) if left else line)
        told = f"{looked_at['studies']} studies and {looked_at['orders']} orders"
        self.stdout.write(f"\n{told} were looked at.")
        left = found.total() - fixed.total()
        if not found:
            self.stdout.write(self.style.SUCCESS("Nothing is wrong."))
        elif not left:
            self.stdout.write(self.style.SUCCESS("All was fixed."))
        elif not apply:
            self.stdout.write("Nothing was changed. To fix it: manage.py fix_worklist --apply")
        else:
            self.stdout.write(self.style.ERROR(f"{left} need a person; see above."))


def _chain(parts: Mapping[str, _Part]) -> Iterator[tuple[str, tuple[int, list[Fault]]]]:
    for name, part in parts.items():
        for found in part:
            yield name, found
