"""Copies of DICOM files without what identifies."""

from __future__ import annotations

import secrets
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from imaging.deidentify import CLEAN, KEEP, REMOVE, SHIFT, Deidentifier, Options
from imaging.deidentify_file import DeidentifiedFile
from imaging.dicomdir import Directory
from imaging.errors import NoctisError

KEY_BYTES = 32
RISKS = {
    "said": "its header says that text is burned in",
    "screen": "it is a saved screen",
    "capture": "it is a secondary capture or a photograph",
    "modality": "devices of this modality write names into pictures",
}


class Command(BaseCommand):
    help = (
        "Write de-identified copies of DICOM files (PS3.15 Basic Application Level "
        "Confidentiality Profile) into a new folder. Text, documents and pictures that may show "
        "a name are left out. Exit code 0: everything was written; 1: something was left out or "
        "refused; 2: wrong arguments, nothing was written."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="+", type=Path, metavar="PATH")
        parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="Made new.")
        parser.add_argument(
            "--key-file",
            type=Path,
            metavar="FILE",
            help="Secret of 32 random bytes, made if it does not exist; the same key gives the "
            "same UIDs and pseudonyms.",
        )
        parser.add_argument("--dates", choices=[REMOVE, SHIFT, KEEP], default=REMOVE)
        parser.add_argument("--descriptions", choices=[REMOVE, CLEAN], default=REMOVE)
        parser.add_argument(
            "--characteristics", action="store_true", help="Keep age, sex, size and weight."
        )
        parser.add_argument(
            "--burned-in", action="store_true", help="Write pictures that may show a name, too."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        output: Path = options["output"]
        missing = [str(path) for path in options["paths"] if not path.exists()]
        if missing:
            raise CommandError(f"This does not exist: {', '.join(missing)}", returncode=2)
        if output.exists():
            raise CommandError(f"{output} exists already.", returncode=2)
        wanted = Options(
            dates=options["dates"],
            descriptions=options["descriptions"],
            characteristics=options["characteristics"],
        )
        deidentifier = Deidentifier(read_key(options["key_file"]), wanted)
        directory = Directory(deidentifier.new_uid(secrets.token_hex(16)))
        (output / "DICOM").mkdir(parents=True)
        counts: Counter[str] = Counter()
        for path in find_files(options["paths"]):
            problem = self.write(path, output, deidentifier, directory, options["burned_in"])
            counts["left out" if problem else "written"] += 1
            self.stdout.write(f"{'left out' if problem else 'written'}\t{path}\t{problem}".rstrip())
        (output / "DICOMDIR").write_bytes(directory.to_bytes())
        self.stdout.write(f"{counts['written']} written, {counts['left out']} left out")
        if counts["left out"]:
            sys.exit(1)

    def write(
        self,
        path: Path,
        output: Path,
        deidentifier: Deidentifier,
        directory: Directory,
        burned_in: bool,
    ) -> str:
        """Write one file; return why not, or nothing."""
        name = ("DICOM", f"IM{directory.count + 1:06}")
        target = output.joinpath(*name)
        try:
            with path.open("rb") as file:
                made = DeidentifiedFile(file, path.stat().st_size, deidentifier)
                if not made.may_leave:
                    return "it is a document that cannot be cleaned"
                if made.risk and not burned_in:
                    return RISKS[made.risk]
                with target.open("wb") as out:
                    out.writelines(made.pieces())
        except NoctisError as error:
            target.unlink(missing_ok=True)
            return str(error)
        directory.add(made.dataset, name, made.transfer_syntax_uid)
        return ""


def read_key(path: Path | None) -> bytes:
    """Return the key of a file, made and readable to its owner alone if it does not exist."""
    if path is None:
        return secrets.token_bytes(KEY_BYTES)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(KEY_BYTES))
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise CommandError(f"{path} must hold {KEY_BYTES} bytes at least.", returncode=2)
    return key


def find_files(paths: list[Path]) -> Iterator[Path]:
    """Yield files, and those in folders, in the order of their names."""
    for path in paths:
        if path.is_dir():
            yield from (one for one in sorted(path.rglob("*")) if one.is_file())
        else:
            yield path
