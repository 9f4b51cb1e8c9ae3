"""Write the conformance statement anew."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from noctis import conformance

PLACE = Path(settings.BASE_DIR) / "docs" / "conformance.md"


class Command(BaseCommand):
    """Write docs/conformance.md from what the programs use."""

    help = "Writes docs/conformance.md from the contexts, statuses and limits that are in use."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="Only say whether it is up to date."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write, or compare: 1 when the page is out of date."""
        text = conformance.render()
        if not options["check"]:
            PLACE.write_text(text)
            self.stdout.write(f"{PLACE} is written.")
        elif not PLACE.exists() or PLACE.read_text() != text:
            self.stderr.write(f"{PLACE} is out of date: run manage.py write_conformance.")
            sys.exit(1)
        else:
            self.stdout.write(f"{PLACE} is up to date.")
