"""Make a CT or PET/CT phantom and write, send or import it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from archive.importing import import_many
from archive.management.reporting import facility_source, report_verdicts
from archive.pet_phantom import build_pet_ct, pet_beside
from archive.phantom import PhantomShape, build_datasets
from dicom_receiver.management.reporting import (
    add_target_arguments,
    report_sending,
    target_from,
)
from imaging.errors import UnsupportedError


class Command(BaseCommand):
    help = (
        "Make a labelled CT phantom of known geometry and HU as valid DICOM. Equal arguments "
        "make equal files. Exit code 0: all was written, stored or imported; 1: some was not; "
        "2: wrong arguments or no association."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--output", type=Path, metavar="DIR", help="Write files there.")
        where.add_argument("--send", action="store_true", help="Send by C-STORE.")
        where.add_argument(
            "--import", dest="is_import", action="store_true", help="Import into this archive."
        )
        parser.add_argument("--facility", metavar="CODE", help="With --import: whose study it is.")
        add_target_arguments(parser)
        default = PhantomShape()
        parser.add_argument("--rows", type=int, default=default.rows)
        parser.add_argument("--columns", type=int, default=default.columns)
        parser.add_argument("--slices", type=int, default=default.slices)
        parser.add_argument(
            "--spacing",
            type=float,
            nargs="+",
            default=list(default.spacing_mm),
            metavar="MM",
            help="Between rows and between columns; one number means both.",
        )
        parser.add_argument("--thickness", type=float, default=default.thickness_mm, metavar="MM")
        parser.add_argument(
            "--slice-spacing", type=float, metavar="MM", help="Default: the thickness."
        )
        parser.add_argument("--tilt", type=float, default=0.0, metavar="DEGREES")
        parser.add_argument("--name", default=default.patient_name, help="PatientName.")
        parser.add_argument("--patient-id", default=default.patient_id)
        parser.add_argument("--date", default=default.study_date, help="StudyDate, YYYYMMDD.")
        parser.add_argument(
            "--pet", action="store_true", help="With a PET of known uptake beside the CT."
        )
        parser.add_argument("--seed", type=int, default=0, help="Another seed makes other UIDs.")

    def handle(self, *args: Any, **options: Any) -> None:
        shape = _shape(options)
        if options["output"] is not None:
            files = self._write(shape, options["output"], has_pet=options["pet"])
            self.stdout.write(f"{len(files)} files written")
            return
        target = target_from(options)
        source = facility_source(options["facility"], sender="create_test_dicom")
        with tempfile.TemporaryDirectory(prefix="noctis-phantom-") as folder:
            files = self._write(shape, Path(folder), has_pet=options["pet"])
            if options["send"]:
                is_whole = report_sending(self.stdout, target, files, calling_ae=options["aet"])
            else:
                counts = report_verdicts(self.stdout, import_many(source, files))
                is_whole = not counts["refused"] and not counts["conflict"]
        uid = shape.uid("pet-ct", "study") if options["pet"] else shape.uid("study")
        self.stdout.write(f"Study Instance UID {uid}")
        if not is_whole:
            sys.exit(1)

    def _write(self, shape: PhantomShape, folder: Path, *, has_pet: bool) -> list[Path]:
        """Write the phantom's files into the folder, made when missing."""
        files = []
        datasets = build_pet_ct(shape, pet_beside(shape)) if has_pet else build_datasets(shape)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for number, dataset in enumerate(datasets, start=1):
                file = folder / f"phantom-{number:04d}.dcm"
                dataset.save_as(file, enforce_file_format=True)
                files.append(file)
        except OSError as error:
            raise CommandError(
                f"{folder} cannot be written: {error.strerror}.", returncode=2
            ) from None
        return files


def _shape(options: dict[str, Any]) -> PhantomShape:
    spacing = options["spacing"] * 2 if len(options["spacing"]) == 1 else options["spacing"]
    if len(spacing) != 2:
        raise CommandError("--spacing takes one or two numbers.", returncode=2)
    try:
        return PhantomShape(
            rows=options["rows"],
            columns=options["columns"],
            slices=options["slices"],
            spacing_mm=(spacing[0], spacing[1]),
            thickness_mm=options["thickness"],
            slice_spacing_mm=options["slice_spacing"],
            tilt_deg=options["tilt"],
            patient_name=options["name"],
            patient_id=options["patient_id"],
            study_date=options["date"],
            seed=options["seed"],
        )
    except UnsupportedError as error:
        raise CommandError(str(error), returncode=2) from None
