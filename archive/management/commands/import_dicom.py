"""Bring files, folders and ZIPs into the archive."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from archive.importing import count_files, import_many
from archive.management.reporting import facility_source, report_verdicts


class Command(BaseCommand):
    help = (
        "Import DICOM files, folders and ZIPs. Every file gets a line: stored, duplicate, "
        "healed, conflict, skipped (no DICOM) or refused. Exit code 0: every DICOM file is in "
        "the archive (skipped files do not count); 1: some were refused or conflict; 2: wrong "
        "arguments, nothing was imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument(
            "--facility", metavar="CODE", help="Whose studies these are; without it: quarantine."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        paths: list[Path] = options["paths"]
        missing = [str(path) for path in paths if not path.exists()]
        if missing:
            raise CommandError(
                f"Nothing was imported, for this does not exist: {', '.join(missing)}",
                returncode=2,
            )
        source = facility_source(options["facility"], sender="import_dicom")
        verdicts = import_many(source, paths)
        if sys.stderr.isatty():
            verdicts = iter(tqdm(verdicts, total=count_files(paths), unit="file", leave=False))
        counts: Counter[str] = report_verdicts(self.stdout, verdicts)
        if source.facility_id is None and counts["stored"]:
            self.stderr.write("No --facility was given: administrators alone see these studies.")
        if counts["refused"] or counts["conflict"]:
            sys.exit(1)
