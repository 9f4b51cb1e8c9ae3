"""What commands that send share: which target, a line a file, a summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser, OutputWrapper

from archive import storage
from dicom_receiver.requestor import Target
from dicom_receiver.sending_files import send_files
from imaging.errors import PeerUnavailableError


def add_target_arguments(parser: CommandParser) -> None:
    """Add --host, --port, --aet and --called."""
    parser.add_argument("--host", default="127.0.0.1", help="Where the other side listens.")
    parser.add_argument("--port", type=int, default=11112)
    parser.add_argument("--aet", default="NOCTIS_SCU", help="Our AE title in this association.")
    parser.add_argument("--called", default="NOCTIS_SCP", help="The other side's AE title.")


def target_from(options: dict[str, Any]) -> Target:
    """Return the target that the arguments name; CommandError (2) for a bad AE title."""
    for option in ("aet", "called"):
        title = options[option].strip()
        if not 1 <= len(title) <= 16 or not title.isascii() or "\\" in title:
            raise CommandError(
                f"--{option} must be 1 to 16 printable characters without backslash.",
                returncode=2,
            )
    return Target(host=options["host"], port=options["port"], called_ae=options["called"].strip())


def report_sending(
    out: OutputWrapper, target: Target, files: Sequence[Path], *, calling_ae: str
) -> bool:
    """Send, write a line for each file and a summary; returns whether all were stored."""
    stored = 0
    try:
        for sent in send_files(target, files, calling_ae=calling_ae.strip()):
            stored += sent.is_stored
            word = "stored" if sent.is_stored else "failed"
            out.write(f"{word:<9}  {sent.path}  ({sent.reason})")
    except PeerUnavailableError as error:
        raise CommandError(str(error), returncode=2) from None
    finally:
        storage.leave_incoming_room()
    out.write(f"{len(files)} files: {stored} stored, {len(files) - stored} failed")
    return stored == len(files)
