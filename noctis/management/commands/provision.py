"""`manage.py provision FILE.toml`."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from noctis.provision import ProvisionError, apply_plan, read_plan


class Command(BaseCommand):
    """Make facilities, peers and users as a file says."""

    help = "Makes facilities, peers and users as a TOML file says; safe to repeat."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="TOML with [[facility]], [[peer]], [[user]]")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            results = apply_plan(read_plan(options["file"]))
        except ProvisionError as error:
            lines = "\n".join(f"  {sentence}" for sentence in error.sentences)
            raise CommandError(f"Nothing was changed:\n{lines}") from None
        for result in results:
            self.stdout.write(f"{result.outcome:9}  {result.kind} {result.name}")
        if not results:
            self.stdout.write("The file names nothing.")
