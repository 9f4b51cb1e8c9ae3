"""Objects that come in pieces: metadata first, then the bulk data that they name (PS3.18 10.5.1.4).

Bulk data wait in a file; an object is written into the archive's incoming room from there, piece
by piece. A BulkDataURI only names a part of the same body: nothing is ever fetched.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urljoin

from django.utils import timezone
from django.utils.translation import gettext as _
from pydicom import Dataset

from archive.decode import decode_picture_in_pool
from archive.ingest import Intake
from archive.part10 import file_meta
from dicomweb.destination import Named
from dicomweb.intakes import Received, failed
from dicomweb.multipart import CHUNK_BYTES, InPart
from dicomweb.spool import Spool
from imaging.bulk_pixels import OCTETS, Piece, PixelPlan, plan_pixels
from imaging.dataset_writer import encode_dataset
from imaging.datasets import add_element
from imaging.element_writer import element_head
from imaging.errors import (
    IdentityError,
    LimitExceededError,
    MismatchError,
    NoctisError,
    UnreadableError,
)
from imaging.header import EXPLICIT_VR_LITTLE_ENDIAN
from imaging.json_reader import Bulk, Metadata, read_documents, read_metadata
from imaging.matching import values_of
from imaging.media_objects import DOCUMENTS, complete_document, complete_picture
from imaging.uids import checked_uid
from imaging.xml_reader import read_native_model

METADATA = frozenset({"application/dicom+json", "application/dicom+xml"})
METADATA_BYTES = 16 << 20
INLINE_BYTES = 64 << 20
_JSON, _XML = {"application/dicom+json", "application/json"}, {"application/dicom+xml", "text/xml"}
_PIXELS, _DOCUMENT = 0x7FE00010, 0x00420011
_NATIVE_PIXELS = frozenset({0x7FE00008, 0x7FE00009, _PIXELS})
_CLASS, _INSTANCE, _SYNTAX = 0x00080016, 0x00080018, 0x00020010
_FRAGMENT_BYTES = 2**32 - 2
_ITEM = struct.Struct("<HHL")
_UNDEFINED = 0xFFFFFFFF

Opener = Callable[[str], Intake]


class Assembly:
    """One body of metadata and bulk data; `open_intake` opens the way in for a study's object."""

    def __init__(self, open_intake: Opener, base: str, inner: str) -> None:
        self._open_intake = open_intake
        self._base = base
        self._inner = inner
        self._documents: list[dict[str, Any]] = []
        self._metadata_bytes = 0
        self._pieces: dict[str, list[Piece]] = {}
        self._spool = Spool()

    def take(self, part: InPart) -> None:
        """Take one part: metadata are read, bulk data wait."""
        kind = part.kind or (self._inner if not part.location else OCTETS)
        if not part.location and kind in _JSON | _XML:
            self._take_metadata(kind, part)
            return
        parameters = part.media_type.parameters if part.media_type else {}
        piece = self._spool.add(kind, parameters.get("transfer-syntax", ""), part.read)
        self._pieces.setdefault(self._name_of(part), []).append(piece)

    def finish(self) -> Iterator[Received]:
        """Yield each object, on its way in or refused, then what nobody named."""
        wanted: set[str] = set()
        for document in self._documents:
            named = _name(document)
            try:
                metadata = read_metadata(document)
                wanted |= {urljoin(self._base, bulk.uri) for bulk in metadata.bulk}
                yield self._send(metadata, named)
            except NoctisError as error:
                yield failed(error, named=named)
        for name in self._pieces:
            if name not in wanted:
                yield failed(UnreadableError(_("A part is named by no metadata.")))

    def close(self) -> None:
        """Give the space of the bulk data back."""
        self._spool.close()

    def _name_of(self, part: InPart) -> str:
        if not part.location and (identifier := part.headers.get("content-id", "")):
            return f"cid:{identifier.strip('<>')}"
        return urljoin(self._base, part.location)

    def _take_metadata(self, kind: str, part: InPart) -> None:
        text = b""
        while chunk := part.read(CHUNK_BYTES):
            text += chunk
            self._metadata_bytes += len(chunk)
            if self._metadata_bytes > METADATA_BYTES:
                raise LimitExceededError(_("The metadata are too large."))
        if kind in _JSON:
            self._documents.extend(read_documents(text))
        else:
            self._documents.append(read_native_model(text))

    # --- one object ------------------------------------------------------------------------
    def _send(self, metadata: Metadata, named: Named) -> Received:
        build = _Object(metadata, self._find)
        intake = self._open_intake(named.study_instance_uid)
        try:
            for chunk in build.chunks():
                intake.write(chunk)
        except BaseException:
            intake.abandon()
            raise
        return intake, build.head

    def _find(self, uri: str) -> list[Piece]:
        found = self._pieces.get(urljoin(self._base, uri))
        if not found:
            raise UnreadableError(_("A BulkDataURI names no part of the body."))
        return found


def _name(document: dict[str, Any]) -> Named:
    """Return what an object of the JSON model calls itself, whatever else is wrong with it."""

    def uid(tag: str) -> str:
        try:
            return checked_uid(str(document[tag]["Value"][0]), "UID")[0]
        except (IdentityError, KeyError, IndexError, TypeError):
            return ""

    return Named(uid("00080016"), uid("00080018"), uid("0020000D"))


class _Object:
    """One object: its elements, and at most one large value that is written piece by piece."""

    def __init__(self, metadata: Metadata, find: Callable[[str], list[Piece]]) -> None:
        self._dataset = metadata.dataset
        self._find = find
        self._syntax = EXPLICIT_VR_LITTLE_ENDIAN
        self._large: tuple[int, Iterator[bytes]] | None = None
        syntaxes = values_of(metadata.meta, _SYNTAX)
        for bulk in metadata.bulk:
            self._place(bulk, str(syntaxes[0]) if syntaxes else "")
        for tag, keyword in ((_CLASS, "SOPClassUID"), (_INSTANCE, "SOPInstanceUID")):
            values = values_of(self._dataset, tag)
            checked_uid(str(values[0]) if values else "", keyword)
        self.head = file_meta(
            sop_class_uid=str(self._dataset[_CLASS].value),
            sop_instance_uid=str(self._dataset[_INSTANCE].value),
            transfer_syntax_uid=self._syntax,
        )

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole file."""
        yield self.head
        if self._large is None:
            yield encode_dataset(self._dataset)
            return
        tag, value = self._large
        yield encode_dataset(self._dataset, last=tag - 1)
        yield from value
        yield encode_dataset(self._dataset, first=tag + 1)

    def _place(self, bulk: Bulk, syntax: str) -> None:
        pieces = self._find(bulk.uri)
        is_top = bulk.home is self._dataset
        if is_top and bulk.tag == _PIXELS:
            self._place_pixels(plan_pixels(pieces, syntax), bulk.vr)
        elif is_top and bulk.tag == _DOCUMENT and len(pieces) == 1:
            self._place_document(pieces[0])
        elif is_top and bulk.tag in _NATIVE_PIXELS and len(pieces) == 1:
            self._large = (bulk.tag, _native(bulk.tag, bulk.vr.encode(), pieces[0]))
        else:
            if sum(piece.size for piece in pieces) > INLINE_BYTES:
                raise LimitExceededError(_("A value is too large to lie inside."))
            whole = b"".join(piece.read(0, piece.size) for piece in pieces)
            add_element(bulk.home, bulk.tag, bulk.vr, [whole])

    def _place_pixels(self, plan: PixelPlan, vr: str) -> None:
        self._syntax = plan.transfer_syntax_uid
        piece = plan.frames[0][0]
        if plan.is_decoded:
            pixels = decode_picture_in_pool(piece.read(0, piece.size))
            vr, data = ("OW" if pixels.itemsize > 1 else "OB"), pixels.tobytes()
            piece = Piece(OCTETS, "", len(data), lambda at, count: data[at : at + count])
        if plan.facts:
            complete_picture(self._dataset, plan.facts, is_film=plan.is_film)
        if plan.is_encapsulated:
            self._large = (_PIXELS, _encapsulated(plan.frames))
            return
        _check_native(self._dataset, piece.size)
        is_wide = str(values_of(self._dataset, 0x00280100)[0]) != "8"
        self._large = (_PIXELS, _native(_PIXELS, b"OW" if is_wide or vr == "OW" else b"OB", piece))

    def _place_document(self, piece: Piece) -> None:
        kind = piece.media_type
        if kind == OCTETS:
            said = values_of(self._dataset, 0x00420012)
            kind = str(said[0]) if said else kind
        if kind in DOCUMENTS and piece.size > _FRAGMENT_BYTES:
            raise LimitExceededError(_("The document is longer than an element can be."))
        complete_document(self._dataset, kind, piece.size, timezone.localtime())
        self._large = (_DOCUMENT, _native(_DOCUMENT, b"OB", piece))


def _check_native(dataset: Dataset, size: int) -> None:
    """Refuse pixels that are not as long as their description says."""
    names = {"rows": 0x00280010, "columns": 0x00280011, "samples": 0x00280002, "bits": 0x00280100}
    values = {name: values_of(dataset, tag) for name, tag in names.items()}
    if not all(values.values()):
        raise UnreadableError(_("The metadata do not describe the pixels."))
    frames = values_of(dataset, 0x00280008)
    bits = int(str(frames[0])) if frames else 1
    for found in values.values():
        bits *= int(found[0])
    is_subsampled = values_of(dataset, 0x00280004)[:1] == ["YBR_FULL_422"]
    wanted = (bits * 2 // 3 if is_subsampled else bits) + 7 >> 3
    if not wanted <= size <= wanted + 1:
        raise MismatchError(_("The pixels are not as long as the metadata say."))


def _native(tag: int, vr: bytes, piece: Piece) -> Iterator[bytes]:
    """Yield an element whose value is a piece as it is."""
    yield element_head(tag, vr, piece.size + piece.size % 2)
    yield from _bytes_of(piece, 0, piece.size)
    yield b"\0" * (piece.size % 2)


def _encapsulated(frames: Sequence[tuple[Piece, int]]) -> Iterator[bytes]:
    """Yield pixel data of one fragment a frame (PS3.5 A.4); a longer film has more fragments."""
    lengths = [piece.size - skip for piece, skip in frames]
    table = b""
    if len(frames) > 1 and sum(lengths) + 9 * len(lengths) <= _FRAGMENT_BYTES:
        offsets, at = [], 0
        for length in lengths:
            offsets.append(at)
            at += 8 + length + length % 2
        table = struct.pack(f"<{len(offsets)}L", *offsets)
    yield element_head(_PIXELS, b"OB", _UNDEFINED)
    yield _ITEM.pack(0xFFFE, 0xE000, len(table)) + table
    for piece, skip in frames:
        for begin in range(skip, piece.size, _FRAGMENT_BYTES):
            length = min(_FRAGMENT_BYTES, piece.size - begin)
            yield _ITEM.pack(0xFFFE, 0xE000, length + length % 2)
            yield from _bytes_of(piece, begin, length)
            yield b"\0" * (length % 2)
    yield _ITEM.pack(0xFFFE, 0xE0DD, 0)


def _bytes_of(piece: Piece, begin: int, length: int) -> Iterator[bytes]:
    for at in range(begin, begin + length, CHUNK_BYTES):
        yield piece.read(at, min(CHUNK_BYTES, begin + length - at))
