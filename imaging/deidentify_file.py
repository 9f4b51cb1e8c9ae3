"""A stored file de-identified piece by piece: a new header, then the pixels as they were."""

import struct
from collections.abc import Iterator
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset, write_file_meta_info
from pydicom.uid import UID

from imaging.codestream_comments import HEAD_BYTES, blank_comments
from imaging.deidentify import READER_ERRORS, Deidentifier, why_risky
from imaging.deidentify_content import content_kind
from imaging.encoding import PIXEL_TAGS
from imaging.errors import UnreadableError
from imaging.fragments import read_fragments
from imaging.header import GE_PRIVATE_BIG_ENDIAN, Header, read_header
from imaging.source import DEFAULT_LIMITS, inflate
from imaging.uids import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME

CHUNK_BYTES = 1 << 20
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_SEQUENCE_END = 0xFFFEE0DD


class DeidentifiedFile:
    """One object on its way out.

    Attributes
    ----------
    dataset
        The new header, without pixels.
    transfer_syntax_uid
        As stored; a deflated file is written without deflation.
    """

    def __init__(self, file: BinaryIO, size: int, deidentifier: Deidentifier) -> None:
        """Read the header within its bounds.

        Raises
        ------
        UnreadableError, LimitExceededError
            As `imaging.header.read_header`, or the new header cannot be written.
        """
        self._header = header = read_header(file, size=size)
        self._source, offset = file, header.dataset_offset
        if header.is_deflated:
            self._source = BytesIO(inflate(file, offset, DEFAULT_LIMITS.inflated_bytes))
            offset = 0
        self._original = read_until_pixels(self._source, header, offset)
        self.dataset = deidentifier.apply(self._original)
        self.transfer_syntax_uid = (
            EXPLICIT_VR_LITTLE_ENDIAN if header.is_deflated else header.transfer_syntax_uid
        )
        try:
            self._head = self._write_head()
        except READER_ERRORS as error:
            raise UnreadableError("the header cannot be written anew") from error

    @property
    def may_leave(self) -> bool:
        """Whether there are pixels, or content that can be cleaned; other documents cannot."""
        is_picture = self._header.pixel is not None
        return is_picture or bool(content_kind(str(self._original.get("SOPClassUID") or "")))

    @property
    def risk(self) -> str:
        """Why names may be burned into the pixels, see `imaging.deidentify.why_risky`."""
        read = self._header
        return why_risky(
            read.text("BurnedInAnnotation"), read.text("Modality"), read.text("SOPClassUID"),
            read.texts("ImageType"),
        )  # fmt: skip

    def pieces(self) -> Iterator[bytes]:
        """Yield the new file; at most a few megabytes are held, whatever its size.

        Raises
        ------
        UnreadableError
            The file ends before its pixels do.
        """
        yield self._head
        pixel = self._header.pixel
        if pixel is None:
            return
        tag = {"FloatPixelData": 8, "DoubleFloatPixelData": 9}.get(pixel.keyword, 0x10)
        if pixel.encapsulated:
            yield self._element_head(tag, b"OB", 0xFFFFFFFF)
            yield from self._fragments(pixel.offset)
            yield self._pack("HHL", _SEQUENCE_END >> 16, _SEQUENCE_END & 0xFFFF, 0)
            return
        length = pixel.length or 0
        yield self._element_head(tag, (pixel.vr or "OW").encode(), length + length % 2)
        mask = self._stored_bits()
        for chunk in _chunks(self._source, pixel.offset, length):
            yield chunk if mask is None else (np.frombuffer(chunk, mask.dtype) & mask).tobytes()
        if length % 2:
            yield b"\0"

    def _write_head(self) -> bytes:
        out = DicomBytesIO()
        out.write(b"\0" * 128 + b"DICM")
        meta = FileMetaDataset()
        meta.FileMetaInformationVersion = b"\0\1"
        meta.MediaStorageSOPClassUID = UID(str(self.dataset.get("SOPClassUID", "")))
        meta.MediaStorageSOPInstanceUID = UID(str(self.dataset.get("SOPInstanceUID", "")))
        meta.TransferSyntaxUID = UID(self.transfer_syntax_uid)
        meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
        meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
        write_file_meta_info(out, meta, enforce_standard=True)
        body = DicomBytesIO()
        body.is_little_endian = self._header.is_little_endian
        body.is_implicit_VR = self._header.is_implicit
        write_dataset(body, self.dataset)
        return bytes(out.getvalue() + body.getvalue())

    def _fragments(self, offset: int) -> Iterator[bytes]:
        """Yield offset table and fragments; comments in codestreams are blanked."""
        found = read_fragments(self._source, offset)
        if not len(found.offsets):
            yield self._pack("HHL", 0xFFFE, 0xE000, 0)
            return
        yield from _chunks(self._source, offset, int(found.offsets[0]) - offset)
        for start, length in zip(map(int, found.offsets), map(int, found.lengths), strict=True):
            head = next(_chunks(self._source, start, min(8 + length, HEAD_BYTES)), b"")
            yield head[:8] + blank_comments(head[8:])
            yield from _chunks(self._source, start + len(head), 8 + length - len(head))

    def _element_head(self, element: int, vr: bytes, length: int) -> bytes:
        if self._header.is_implicit:
            return self._pack("HHL", 0x7FE0, element, length)
        return self._pack("HH2sHL", 0x7FE0, element, vr, 0, length)

    def _pack(self, layout: str, *values: Any) -> bytes:
        return struct.pack(("<" if self._header.is_little_endian else ">") + layout, *values)

    def _stored_bits(self) -> np.ndarray | None:
        """Return a mask when old overlays lie in the unused bits of native pixels."""
        overlays = [tag for tag in map(int, self._original.keys()) if 0x6000 <= tag >> 16 <= 0x601E]
        allocated = self._header.integer("BitsAllocated")
        stored = self._header.integer("BitsStored") or 0
        high = self._header.integer("HighBit")
        if not overlays or allocated not in (8, 16) or not 0 < stored < allocated:
            return None
        low = (stored - 1 if high is None else high) + 1 - stored
        is_big = self._header.transfer_syntax_uid == GE_PRIVATE_BIG_ENDIAN
        order = "<" if self._header.is_little_endian and not is_big else ">"
        return np.array(((1 << stored) - 1) << max(low, 0), f"{order}u{allocated // 8}")


def read_until_pixels(file: BinaryIO, header: Header, offset: int) -> Dataset:
    """Return the data set of a file whose header was read within bounds, up to the pixels.

    Raises
    ------
    UnreadableError
        The other reader stumbles over it.
    """
    file.seek(offset)
    try:
        return read_dataset(
            file, header.is_implicit, header.is_little_endian,
            stop_when=lambda tag, _vr, _length: int(tag) in PIXEL_TAGS,
        )  # fmt: skip
    except READER_ERRORS as error:
        raise UnreadableError("the header cannot be read a second time") from error


def _chunks(file: BinaryIO, offset: int, length: int) -> Iterator[bytes]:
    while length > 0:
        file.seek(offset)
        chunk = file.read(min(CHUNK_BYTES, length))
        if not chunk:
            raise UnreadableError(f"cut short: {length} bytes of pixels are missing")
        yield chunk
        offset += len(chunk)
        length -= len(chunk)
