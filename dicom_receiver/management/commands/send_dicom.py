"""Send files to another application entity by C-STORE."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dicom_receiver.management.reporting import (
    add_target_arguments,
    report_sending,
    target_from,
)


class Command(BaseCommand):
    help = (
        "Send DICOM files or folders by C-STORE, as they are; what the other side takes in no "
        "other way is sent uncompressed. Exit code 0: it stored all; 1: some were not stored; "
        "2: wrong arguments or no association."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        add_target_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        missing = [str(path) for path in options["paths"] if not path.exists()]
        if missing:
            raise CommandError(
                f"Nothing was sent, for this does not exist: {', '.join(missing)}", returncode=2
            )
        files = sorted(
            file
            for path in options["paths"]
            for file in (path.rglob("*") if path.is_dir() else [path])
            if file.is_file()
        )
        target = target_from(options)
        if not report_sending(self.stdout, target, files, calling_ae=options["aet"]):
            sys.exit(1)
