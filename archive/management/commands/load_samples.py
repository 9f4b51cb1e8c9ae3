"""Load real sample studies, so that a new archive has something to show."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from archive.importing import import_many
from archive.management.reporting import facility_source, report_verdicts
from archive.samples import find_samples


class Command(BaseCommand):
    help = (
        "Load the real DICOM files that come with pydicom (CT, MR, ultrasound, CR, dose, plan, "
        "segmentation, report, ECG). Safe to repeat. Exit code 0: all are in the archive."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--facility", metavar="CODE", help="Whose studies these are; without it: quarantine."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        source = facility_source(options["facility"], sender="load_samples")
        counts = report_verdicts(self.stdout, import_many(source, find_samples()))
        if counts["refused"] or counts["conflict"]:
            sys.exit(1)
