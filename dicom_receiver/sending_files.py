"""Sending files that lie anywhere: read what each is, then send it like an instance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dicom_receiver.requestor import Target
from dicom_receiver.sending import Sendable, Sender
from dicom_receiver.uids import parse_uid
from imaging.errors import IdentityError, NoctisError
from imaging.header import read_header


@dataclass(frozen=True)
class SentFile:
    """What the other side said to one file."""

    path: Path
    is_stored: bool
    reason: str


def send_files(target: Target, paths: Sequence[Path], *, calling_ae: str) -> Iterator[SentFile]:
    """Send files, proposing only what they need; yields an answer for each.

    What they are is read from the data set, for a receiver rightly refuses one that
    contradicts the command (PS3.4 B.2.2).

    Raises PeerUnavailableError when no association comes about.
    """
    items: list[Sendable] = []
    for path in paths:
        try:
            items.append(_read(path))
        except (OSError, NoctisError) as error:
            yield SentFile(path, False, f"not sent: {error}")
    if not items:
        return
    was_answered = False
    with Sender(target, {item.kind for item in items}, calling_ae=calling_ae) as sender:
        for item in items:
            sent = sender.send(item)
            was_answered |= sent.status is not None
            if sender.given_up is not None and not was_answered:
                raise sender.given_up
            how = " (transcoded)" if sent.is_transcoded else ""
            yield SentFile(Path(item.path), sent.is_stored, f"{sent.words}{how}")


def _read(path: Path) -> Sendable:
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        header = read_header(file, size=size_bytes)
    uids = [header.text(name) for name in ("SOPClassUID", "SOPInstanceUID")]
    if not all(parse_uid(uid.encode("ascii", "replace")) for uid in uids):
        raise IdentityError("SOP Class or Instance UID is missing or bad")
    return Sendable(
        sop_class_uid=uids[0],
        sop_instance_uid=uids[1],
        transfer_syntax_uid=header.transfer_syntax_uid,
        path=path,
        dataset_offset=header.dataset_offset,
        size_bytes=size_bytes,
    )
