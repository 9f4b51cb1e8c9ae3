"""ZIPs that are made while they are sent: memory stays flat, whatever the size."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from django.utils.translation import override
from pydicom.dataset import Dataset

from archive import storage
from archive.models import Instance
from imaging.deidentify import Deidentifier
from imaging.deidentify_file import DeidentifiedFile, read_until_pixels
from imaging.dicomdir import Directory
from imaging.errors import NoctisError, UnreadableError
from imaging.header import read_header
from imaging.source import DEFAULT_LIMITS, inflate
from viewer.export_form import DICOM
from viewer.export_marks import Dresser
from viewer.export_models import Export
from viewer.export_names import left_out_of, words_of
from viewer.export_pictures import draw_pictures, encode
from viewer.exports import ENDINGS, deidentifier_of
from viewer.file_stream import open_file

SEND_BYTES = 256 * 1024
ZIP64_BYTES = 1 << 31
_EPOCH = (1980, 1, 1, 0, 0, 0)
_README = """\
This folder was exported from Noctis.

DICOMDIR     the table of contents that DICOM programs open
DICOM/       one folder for each series, one file for each object
{what}
{counts}
{problems}"""
_AS_STORED = "The objects are as they were received; names and dates are in them.\n"
_DEIDENTIFIED = """\
The objects are de-identified by the Basic Application Level Confidentiality Profile of DICOM
PS3.15; each says in its header which options were taken. Replaced values agree within this
export and with no other. Pictures are as they were: look at them before you pass them on.
"""


class Entry(NamedTuple):
    """One file of a ZIP, stored as it is: its name, its bytes, their number if known."""

    name: str
    pieces: Iterable[bytes]
    size_bytes: int = 0


class _Sink:
    """Takes what a ZIP writes until it is sent."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.held = 0

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        self.held += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is behind this."""

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces, self.held = [], 0
        return data


def zip_pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    """Yield a ZIP with these files, in pieces of some hundred kilobytes."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w") as archive:  # type: ignore[call-overload]
        for entry in entries:
            info = zipfile.ZipInfo(entry.name, _EPOCH)
            info.external_attr = 0o644 << 16
            is_large = entry.size_bytes >= ZIP64_BYTES
            with archive.open(info, "w", force_zip64=is_large) as out:
                for piece in entry.pieces:
                    out.write(piece)
                    if sink.held >= SEND_BYTES:
                        yield sink.take()
    yield sink.take()


# --- pictures -------------------------------------------------------------------------
def picture_entries(
    export: Export, dresser: Dresser, images: Sequence[tuple[Instance, int]]
) -> Iterator[Entry]:
    """Yield the pictures of an export, named by their place."""
    ending = ENDINGS[export.form]
    for place, picture in enumerate(draw_pictures(export, dresser, images), start=1):
        yield Entry(f"PICTURE_{place:05}.{ending}", [encode(picture, export.form)])


# --- objects --------------------------------------------------------------------------
@dataclass
class _Counts:
    written: int = 0
    problems: list[str] = field(default_factory=list)


def object_entries(
    export: Export, images: Sequence[tuple[Instance, int]], file_set_uid: str
) -> Iterator[Entry]:
    """Yield the objects of an export, then DICOMDIR and a text that says what is there.

    An object that cannot be read does not end the others: the text, and a file INCOMPLETE.TXT,
    say that it is missing.
    """
    assert export.form == DICOM
    deidentifier = deidentifier_of(export)
    directory, counts = Directory(file_set_uid), _Counts()
    folders: dict[object, tuple[int, int]] = {}
    for instance, _frame in images:
        number, within = folders.get(instance.series_id, (len(folders) + 1, 0))
        folders[instance.series_id] = (number, within + 1)
        name = ("DICOM", f"SE{number:06}", f"IM{within + 1:06}")
        try:
            entry, dataset, syntax = _open(instance, name, deidentifier)
            directory.add(dataset, name, syntax)
        except NoctisError as error:
            counts.problems.append(f"{'/'.join(name)}: {error}")
            continue
        counts.written += 1
        yield entry
    yield Entry("DICOMDIR", [directory.to_bytes()])
    readme = _README.format(
        what=_DEIDENTIFIED if deidentifier else _AS_STORED,
        counts=_count_lines(counts.written, len(folders), left_out_of(export.wish)),
        problems=_problem_lines(counts.problems),
    )
    yield Entry("README.TXT", [readme.replace("\n", "\r\n").encode()])
    if counts.problems:
        text = _problem_lines(counts.problems).replace("\n", "\r\n")
        yield Entry("INCOMPLETE.TXT", [text.encode()])


def _count_lines(objects: int, series: int, left_out: Mapping[str, int]) -> str:
    with override("en"):
        return "\n".join([f"{objects} objects in {series} series.", *words_of(left_out)])


def _problem_lines(problems: Sequence[str]) -> str:
    if not problems:
        return ""
    return "\n".join([f"NOT COMPLETE: {len(problems)} objects are missing.", *problems]) + "\n"


def _open(
    instance: Instance, name: tuple[str, ...], deidentifier: Deidentifier | None
) -> tuple[Entry, Dataset, str]:
    """Open a stored object; return what is written, its header, and its transfer syntax."""
    path, size_bytes = "/".join(name), instance.size_bytes
    file = storage.open_instance(instance.storage_key)
    try:
        if os.fstat(file.fileno()).st_size != size_bytes:
            raise UnreadableError("The file is damaged: it has another size than was stored.")
        if deidentifier is not None:
            made = DeidentifiedFile(file, size_bytes, deidentifier)
            entry = Entry(path, _closing(file, made.pieces()), size_bytes)
            return entry, made.dataset, made.transfer_syntax_uid
        with file:
            header = read_header(file, size=size_bytes)
            source: BinaryIO = file
            offset = header.dataset_offset
            if header.is_deflated:
                source = io.BytesIO(inflate(file, offset, DEFAULT_LIMITS.inflated_bytes))
                offset = 0
            dataset = read_until_pixels(source, header, offset)
        return (
            Entry(path, _whole(instance), size_bytes),
            dataset,
            header.transfer_syntax_uid,
        )
    except BaseException:
        file.close()
        raise


def _whole(instance: Instance) -> Iterator[bytes]:
    with open_file(instance) as pieces:
        yield from pieces


def _closing(file: BinaryIO, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with file:
        yield from pieces
