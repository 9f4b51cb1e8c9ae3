"""Bring files, folders and ZIPs in by the one way in, with a verdict for each file.

Files are read one after another and finished several at a time, so that they
share syncs and transactions. Verdicts come in the order of the files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from django.db import connection

from archive.ingest import Intake, Source, open_intake
from archive.unpack import DEFAULT_LIMITS, Skipped, UnpackLimits, is_zip, safe_name, unpack
from archive.zip_directory import count_entries
from imaging.errors import NoctisError

_CHUNK_BYTES = 1 << 20
_HEAD_BYTES = 1 << 16
_FINISHERS = 8
_IN_FLIGHT = 2 * _FINISHERS
# Media Storage Directory Storage: the SOP class of a DICOMDIR (PS3.10 8).
_MEDIA_DIRECTORY = b"\x02\x00\x02\x00UI\x14\x001.2.840.10008.1.3.10"

Status = Literal["stored", "duplicate", "healed", "conflict", "skipped", "refused"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one file.

    `stored`, `duplicate` and `healed` are in the archive; a `conflict` is kept
    aside for a person; `skipped` is no DICOM object; `refused` is one that did
    not go in, or may be.
    """

    name: str
    status: Status
    reason: str = ""
    study_instance_uid: str = ""
    sop_instance_uid: str = ""

    @property
    def is_in(self) -> bool:
        """Whether nothing of this file is missing from the archive."""
        return self.status not in ("conflict", "refused")


def import_file(source: Source, file: BinaryIO, name: str) -> Verdict:
    """Store one file that is no ZIP, from its present position; blocks until it is durable."""
    received = _receive(source, file, name)
    return received if isinstance(received, Verdict) else _finish(*received)


def import_stream(
    source: Source, file: BinaryIO, name: str, limits: UnpackLimits = DEFAULT_LIMITS
) -> Iterator[Verdict]:
    """Yield a verdict for the file, or for each file in it when it is a ZIP.

    The file must be seekable and stand at its beginning.
    """
    with _Pipeline() as pipeline:
        yield from pipeline.run(_receive_stream(source, file, name, limits))


def import_many(
    source: Source, paths: Iterable[Path], limits: UnpackLimits = DEFAULT_LIMITS
) -> Iterator[Verdict]:
    """Yield a verdict for every file in the files, folders and ZIPs.

    Folders are walked to their end in order of names; links in them are told,
    not followed. Paths that do not exist are refused by name.
    """
    with _Pipeline() as pipeline:
        yield from pipeline.run(_receive_paths(source, paths, limits))


def count_files(paths: Iterable[Path]) -> int:
    """Return how many verdicts `import_many` is likely to yield; ZIPs count their entries."""
    count = 0
    for found in _walk(paths):
        if isinstance(found, Path):
            try:
                with found.open("rb") as file:
                    count += count_entries(file) if is_zip(file.read(4)) else 1
            except (OSError, NoctisError):
                count += 1
        else:
            count += 1
    return count


_Received = Verdict | tuple[Intake, str]


def finish_many(received: Iterable[tuple[Intake, str]]) -> Iterator[Verdict]:
    """Finish named intakes, several at a time; yields the verdicts in their order.

    When taking the next one fails, those before it are finished all the same.
    """
    with _Pipeline() as pipeline:
        yield from pipeline.run(received)


class _Pipeline:
    """Finishes intakes in a few threads while the caller reads on."""

    def __init__(self) -> None:
        self._waiting: deque[Verdict | Future[Verdict]] = deque()
        # Rows that are to be part of the caller's transaction are written by the caller's thread.
        self._pool = None if connection.in_atomic_block else ThreadPoolExecutor(_FINISHERS)

    def __enter__(self) -> _Pipeline:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)

    def run(self, received: Iterable[_Received]) -> Iterator[Verdict]:
        """Yield the verdicts in the order in which the files were received."""
        for item in received:
            if isinstance(item, Verdict):
                self._waiting.append(item)
            elif self._pool is None:
                self._waiting.append(_finish(*item))
            else:
                self._waiting.append(self._pool.submit(_finish, *item))
            while self._waiting and (len(self._waiting) >= _IN_FLIGHT or self._is_next_ready()):
                yield self._take_next()
        while self._waiting:
            yield self._take_next()

    def _is_next_ready(self) -> bool:
        first = self._waiting[0]
        return isinstance(first, Verdict) or first.done()

    def _take_next(self) -> Verdict:
        first = self._waiting.popleft()
        return first if isinstance(first, Verdict) else first.result()


def _receive_paths(
    source: Source, paths: Iterable[Path], limits: UnpackLimits
) -> Iterator[_Received]:
    for found in _walk(paths):
        if isinstance(found, Verdict):
            yield found
            continue
        try:
            with found.open("rb") as file:
                yield from _receive_stream(source, file, str(found), limits)
        except OSError as error:
            yield Verdict(safe_name(str(found)), "refused", f"cannot be read: {error.strerror}")


def _receive_stream(
    source: Source, file: BinaryIO, name: str, limits: UnpackLimits
) -> Iterator[_Received]:
    beginning = file.read(4)
    file.seek(0)
    if not is_zip(beginning):
        yield _receive(source, file, name)
        return
    is_empty = True
    for item in unpack(file, name, limits):
        is_empty = False
        inside = item.name if item.name == safe_name(name) else f"{name}/{item.name}"
        if isinstance(item, Skipped):
            yield Verdict(safe_name(inside), "refused" if item.is_loss else "skipped", item.reason)
        else:
            yield _receive(source, item.stream, inside)
    if is_empty:
        yield Verdict(safe_name(name), "skipped", "it is a ZIP without files")


def _receive(source: Source, file: BinaryIO, name: str) -> _Received:
    """Read the file into an intake; a verdict when it does not come to that."""
    shown = safe_name(name)
    intake = None
    try:
        head = file.read(_HEAD_BYTES)
        reason = _why_not_dicom(head)
        if reason:
            return Verdict(shown, "skipped", reason)
        intake = open_intake(source)
        intake.write(head)
        while chunk := file.read(_CHUNK_BYTES):
            intake.write(chunk)
        received, intake = (intake, shown), None
    except NoctisError as error:
        return Verdict(shown, "refused", str(error))
    except OSError as error:
        return Verdict(shown, "refused", f"cannot be read: {error.strerror or error}")
    finally:
        if intake is not None:
            intake.abandon()
    return received


def _finish(intake: Intake, name: str) -> Verdict:
    """Wait until the intake is durable and indexed."""
    try:
        outcome = intake.finish()
    except NoctisError as error:
        return Verdict(name, "refused", str(error))
    finally:
        intake.abandon()
    return Verdict(
        name=name,
        status=outcome.status,  # type: ignore[arg-type]  # the same words, kept by a test
        reason=outcome.reason,
        study_instance_uid=outcome.study_instance_uid,
        sop_instance_uid=outcome.sop_instance_uid,
    )


def _why_not_dicom(head: bytes) -> str:
    """Return why a file that begins like this is no DICOM object, or nothing.

    Without a preamble only a data set that begins as data sets do is tried.
    """
    if not head:
        return "it is empty"
    if is_zip(head):
        return "it is a ZIP inside a ZIP, which is not opened"
    if head[128:132] == b"DICM":
        return "it is a DICOMDIR, an index of files" if _MEDIA_DIRECTORY in head[:1024] else ""
    # Group 0002 or 0008, element number below 0x0100, little endian or big.
    is_little = head[0:1] in (b"\x02", b"\x08") and head[1:2] == b"\0" and head[3:4] == b"\0"
    is_big = head[0:1] == b"\0" and head[1:2] in (b"\x02", b"\x08") and head[2:3] == b"\0"
    return "" if len(head) > 8 and (is_little or is_big) else "it is not DICOM"


def _walk(paths: Iterable[Path]) -> Iterator[Path | Verdict]:
    """Yield every plain file; links, devices and what cannot be listed become verdicts."""
    for path in paths:
        if path.is_dir():
            yield from _walk_folder(path)
        elif not path.exists():
            yield Verdict(safe_name(str(path)), "refused", "it does not exist")
        elif not path.is_file():
            yield Verdict(safe_name(str(path)), "skipped", "it is no plain file")
        else:
            yield path


def _walk_folder(folder: Path) -> Iterator[Path | Verdict]:
    """Walk without recursion: folders may lie deeper than Python calls itself."""
    waiting: list[Path] = [folder]
    while waiting:
        path = waiting.pop()
        if path.is_symlink() and path != folder:
            yield Verdict(safe_name(str(path)), "skipped", "it is a link, which is not followed")
        elif path.is_dir():
            try:
                waiting.extend(sorted(path.iterdir(), reverse=True))
            except OSError as error:
                reason = f"cannot be listed: {error.strerror}"
                yield Verdict(safe_name(str(path)), "refused", reason)
        elif path.is_file():
            yield path
        else:
            yield Verdict(safe_name(str(path)), "skipped", "it is no plain file")
