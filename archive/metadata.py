"""Metadata documents: the headers of a series as DICOM JSON, made once and kept compressed.

A series is cut into sheets of some hundred instances in the order of their arrival. A sheet's
key are the checksums of what is in it: one that is found fits, and when an instance comes or
goes only the sheets that it changes are made anew. A sheet knows nothing of hosts: where an
address begins, a mark stands in for what each answer puts there.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import zstandard

from archive import storage
from archive.caches import Piece, caches, make_key
from archive.models import Instance
from imaging.errors import NoctisError, TransientError, UnreadableError
from imaging.header import read_header
from imaging.metadata import metadata_of

logger = logging.getLogger("noctis.archive")

SHEETS = "metadata"
# A control character, which JSON text never holds as it is.
BASE = "\x1abase\x1a"
_BASE_IN_JSON = json.dumps(BASE).strip('"').encode("ascii")
_SHEET_COST = 256
_FRAMES_A_COST = 8
_LEVEL = 3
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_WORD = "metadata"
FIELDS = (
    "pk", "sop_instance_uid", "sop_class_uid", "dataset_sha256", "storage_key", "size_bytes",
    "number_of_frames", "instance_number", "rows", "columns", "study__study_instance_uid",
    "series__series_instance_uid", "series__modality", "series_id",
)  # fmt: skip


class Described(NamedTuple):
    """What is known of an instance before its header is read again, as FIELDS has it."""

    pk: uuid.UUID
    sop_instance_uid: str
    sop_class_uid: str
    dataset_sha256: str
    storage_key: str
    size_bytes: int
    number_of_frames: int
    instance_number: int | None
    rows: int | None
    columns: int | None
    study_instance_uid: str
    series_instance_uid: str
    modality: str
    series_id: uuid.UUID

    @property
    def address(self) -> str:
        """Where the instance is, behind what is put for BASE."""
        return (
            f"/studies/{self.study_instance_uid}/series/{self.series_instance_uid}"
            f"/instances/{self.sop_instance_uid}"
        )


def cut_into_sheets(rows: Iterable[Described]) -> Iterator[list[Described]]:
    """Yield the sheets of instances that come in the order of series and arrival.

    A sheet is of one series; an object of many frames takes more of its room.
    """
    sheet: list[Described] = []
    cost = 0
    for row in rows:
        if sheet and (cost >= _SHEET_COST or row.series_id != sheet[0].series_id):
            yield sheet
            sheet, cost = [], 0
        sheet.append(row)
        cost += 1 + row.number_of_frames // _FRAMES_A_COST
    if sheet:
        yield sheet


def read_sheet(sheet: list[Described], base: str) -> bytes:
    """Return the instances of a sheet as JSON objects with commas between, in UTF-8.

    `base` is the address of the service. An instance whose file is damaged is there with what
    the index knows of it; then nothing is kept. Costs no query.

    Raises TransientError when the storage does not answer.
    """
    kept = caches().read(SHEETS, _key(sheet), lambda: _make(sheet))
    if kept.word != _WORD:
        text = b",".join(_encode(_describe(row)) for row in sheet)
    else:
        text = zstandard.ZstdDecompressor().decompress(kept.data)
    return text.replace(_BASE_IN_JSON, json.dumps(base).strip('"').encode("ascii"))


def run_metadata_job(series_id: str) -> None:
    """Make the sheets of a series before anybody asks; may run twice."""
    rows = (
        Instance.objects.filter(series_id=uuid.UUID(series_id)).order_by("pk").values_list(*FIELDS)
    )
    for sheet in cut_into_sheets(Described(*row) for row in rows.iterator(chunk_size=2000)):
        key = _key(sheet)
        if caches().disk.get(key) is None:
            piece = _make(sheet)
            if piece.word == _WORD:
                caches().keep_on_disk(key, piece)


def read_metadata(row: Described, prefix: str) -> dict[str, Any]:
    """Return the header of one stored file as DICOM JSON.

    Raises UnreadableError when it is damaged, MissingError when it is gone.
    """
    with storage.open_instance(row.storage_key) as file:
        size = file.seek(0, 2)
        if size != row.size_bytes:
            raise UnreadableError("The file is damaged: it has another size than was stored.")
        file.seek(0)
        return metadata_of(read_header(file, size=size), prefix)


def _key(sheet: list[Described]) -> bytes:
    return make_key(SHEETS, *((row.dataset_sha256, row.storage_key, row.address) for row in sheet))


def _make(sheet: list[Described]) -> Piece:
    """Read the headers of a sheet. What cannot be kept has no content and an empty word."""
    objects = []
    for row in sheet:
        try:
            objects.append(_encode(read_metadata(row, f"{BASE}{row.address}/bulkdata/")))
        except TransientError:
            raise
        except NoctisError as error:
            logger.warning("the metadata of instance %s cannot be read: %s", row.pk, error)
            return Piece("", b"", is_costly=False)
    return Piece(_WORD, zstandard.ZstdCompressor(level=_LEVEL).compress(b",".join(objects)))


def _describe(row: Described) -> dict[str, Any]:
    """Return the header of an instance, or what the index knows when it cannot be read."""
    try:
        return read_metadata(row, f"{BASE}{row.address}/bulkdata/")
    except TransientError:
        raise
    except NoctisError:
        return from_index(row)


def from_index(row: Described) -> dict[str, Any]:
    """Return what is known of an instance without its file, as DICOM JSON."""
    values: list[tuple[str, str, Any]] = [
        ("00080005", "CS", "ISO_IR 192"),
        ("00080016", "UI", row.sop_class_uid),
        ("00080018", "UI", row.sop_instance_uid),
        ("00080060", "CS", row.modality),
        ("0020000D", "UI", row.study_instance_uid),
        ("0020000E", "UI", row.series_instance_uid),
        ("00200013", "IS", row.instance_number),
        ("00280008", "IS", row.number_of_frames or None),
        ("00280010", "US", row.rows),
        ("00280011", "US", row.columns),
    ]
    return {
        tag: {"vr": vr, "Value": [value]} for tag, vr, value in values if value not in (None, "")
    }


def _encode(attributes: dict[str, Any]) -> bytes:
    return _encoder.encode(attributes).encode("utf-8", "replace")
