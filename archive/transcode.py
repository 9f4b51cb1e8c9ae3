"""A stored instance in another transfer syntax, for a peer that takes it in no other way.

Towards the two plain syntaxes, Explicit and Implicit VR Little Endian: native pixels are
copied (bytes swapped where they were big endian), compressed ones are decoded frame by frame
by the bounded decoders. Towards lossless codestreams: each frame, native or decoded, is
compressed. What was written is read again and must have the very pixels that went in. At
most one frame is held; the stored file stays as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from archive import storage
from archive.decode import decode_in_pool
from archive.part10 import file_meta
from imaging.colour import YBR_FULL
from imaging.deidentify import READER_ERRORS
from imaging.deidentify_file import read_until_pixels
from imaging.description import PixelDescription
from imaging.encoders import ENCODED, can_encode, encode_frame
from imaging.errors import MismatchError, MissingError, UnreadableError, UnsupportedError
from imaging.frames import DEFLATED, ENCAPSULATED, NATIVE, FrameIndex, index_frames
from imaging.header import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    GE_PRIVATE_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    read_header,
)
from imaging.pixels import decode_frame
from imaging.source import DEFAULT_LIMITS, inflate

_PLAIN = (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN)
TARGETS = (*_PLAIN, *ENCODED)
_CHUNK_BYTES = 1 << 20
# The length of a native element has 32 bits (PS3.5 7.1.1).
_LONGEST_VALUE = 0xFFFFFFFE
_BIG_ENDIAN_PIXELS = {EXPLICIT_VR_BIG_ENDIAN, GE_PRIVATE_BIG_ENDIAN}
# What each of these codes is what is stored: no colour transform belongs to it.
_KEEPS_COLOURS = {
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.98",
    "1.2.840.10008.1.2.8.1",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
}
# And these, whole words: old overlays may lie in bits that no pixel uses.
_KEEPS_WORDS = {"1.2.840.10008.1.2.5", "1.2.840.10008.1.2.1.98", "1.2.840.10008.1.2.8.1"}
_UNDEFINED = 0xFFFFFFFF
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_ICON = 0x00880200
_ELEMENTS = {"FloatPixelData": 0x0008, "DoubleFloatPixelData": 0x0009, "PixelData": 0x0010}


@contextlib.contextmanager
def transcoded(path: Path | str, transfer_syntax_uid: str) -> Iterator[tuple[int, int, int]]:
    """Give descriptor, offset of the data set and size of a temporary Part 10 file.

    What follows the pixels (padding, signatures that would no longer hold) is left out.

    Raises
    ------
    MissingError, UnreadableError
        The stored file is not there or is damaged.
    UndecodableError, UnsupportedError
        Nothing here can decode its pixels; video, for one.
    MismatchError
        What was written does not have the pixels that were decoded.
    StorageUnavailableError, BusyError
        There is no room, or too much is being decoded.
    """
    if transfer_syntax_uid not in TARGETS:
        raise UnsupportedError("Instances are not transcoded to this transfer syntax here.")
    with contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise MissingError("The stored file is missing or cannot be read.") from error
        room = storage.incoming_room()
        descriptor, temporary = room.create()
        out = stack.enter_context(os.fdopen(descriptor, "w+b", buffering=_CHUNK_BYTES))
        temporary.unlink()
        try:
            offset = Transcoding(file, out, transfer_syntax_uid).run()
            out.flush()
        except OSError as error:
            raise storage.trouble(error) from error
        yield descriptor, offset, os.fstat(descriptor).st_size


@dataclass
class Transcoding:
    """One file on its way into another syntax."""

    file: BinaryIO
    out: BinaryIO
    syntax: str

    def run(self) -> int:
        """Write the whole file; returns where the data set begins."""
        size = os.fstat(self.file.fileno()).st_size
        self.header = header = read_header(self.file, size=size)
        source: BinaryIO = self.file
        offset = header.dataset_offset
        if header.is_deflated:
            source = BytesIO(inflate(self.file, offset, DEFAULT_LIMITS.inflated_bytes))
            offset = 0
        dataset = read_until_pixels(source, header, offset)
        meta = file_meta(
            sop_class_uid=header.text("SOPClassUID"),
            sop_instance_uid=header.text("SOPInstanceUID"),
            transfer_syntax_uid=self.syntax,
        )
        self.out.write(meta)
        pixel = header.pixel
        if pixel is None:
            self._write_head(dataset)
        elif self.syntax in ENCODED:
            self._write_encoded(dataset, source)
        elif pixel.encapsulated:
            self._write_decoded(dataset)
        else:
            self._write_head(dataset)
            self._copy_pixels(source, pixel.offset, pixel.length or 0)
        return len(meta)

    # --- the header ---------------------------------------------------------------
    def _write_head(self, dataset: Dataset) -> None:
        body = DicomBytesIO()
        body.is_little_endian = True
        body.is_implicit_VR = self.syntax == IMPLICIT_VR_LITTLE_ENDIAN
        try:
            write_dataset(body, dataset)
        except READER_ERRORS as error:
            raise UnreadableError("The header cannot be written in another syntax.") from error
        self.out.write(body.getvalue())

    def _begin_pixels(self, length: int, vr: str) -> None:
        if length > _LONGEST_VALUE:
            raise UnsupportedError("Without compression the pixels are longer than DICOM allows.")
        storage.check_reserve(length)
        pixel = self.header.pixel
        assert pixel is not None
        tag = struct.pack("<HH", 0x7FE0, _ELEMENTS[pixel.keyword])
        self.out.write(tag)
        if self.syntax == EXPLICIT_VR_LITTLE_ENDIAN:
            self.out.write(vr.encode("ascii") + b"\0\0")
        self.out.write(struct.pack("<L", length))

    # --- native pixels ----------------------------------------------------------------
    def _copy_pixels(self, source: BinaryIO, offset: int, length: int) -> None:
        pixel = self.header.pixel
        assert pixel is not None
        is_words = self.syntax == IMPLICIT_VR_LITTLE_ENDIAN or pixel.vr not in {"OB", "OW"}
        vr = {"FloatPixelData": "OF", "DoubleFloatPixelData": "OD"}.get(
            pixel.keyword, "OW" if is_words else pixel.vr
        )
        unit = self._swapped_bytes(pixel.keyword, pixel.vr)
        self._begin_pixels(length + length % 2, vr)
        source.seek(offset)
        left = length
        while left:
            chunk = source.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise UnreadableError("The file is damaged: it ends before its pixels do.")
            left -= len(chunk)
            self.out.write(_swapped(chunk, unit))
        if length % 2:
            self.out.write(b"\0")

    def _swapped_bytes(self, keyword: str, vr: str) -> int:
        """Return how many bytes make a word that has to be turned round; 1 for none."""
        if self.header.transfer_syntax_uid not in _BIG_ENDIAN_PIXELS:
            return 1
        if keyword != "PixelData":
            return 4 if keyword == "FloatPixelData" else 8
        bits = self.header.integer("BitsAllocated") or 16
        return bits // 8 if bits in (16, 32, 64) else 2 if vr == "OW" else 1

    # --- compressed pixels ----------------------------------------------------------------
    def _write_decoded(self, dataset: Dataset) -> None:
        index = index_frames(self.file, self.header)
        if index.kind != ENCAPSULATED or not index.count:
            raise UnsupportedError("The pixels cannot be decoded: they are no frames, or video.")
        description = replace(PixelDescription.from_header(self.header), palette=None)
        described = as_stored(description)
        frame_bytes = described.frame_bytes
        if described.bits_allocated not in (8, 16, 32):
            raise UnsupportedError("Compressed pixels of this depth cannot be sent uncompressed.")
        _describe(dataset, description, described)
        self._write_head(dataset)
        length = frame_bytes * index.count
        vr = "OB" if described.bits_allocated == 8 else "OW"
        if self.syntax == IMPLICIT_VR_LITTLE_ENDIAN:
            vr = "OW"
        self._begin_pixels(length + length % 2, vr)
        digests = []
        for frame in range(index.count):
            data = _little(self._decode(index, frame, described), frame_bytes)
            digests.append(hashlib.sha256(data).digest())
            self.out.write(data)
        if length % 2:
            self.out.write(b"\0")
        self._verify(digests)

    # --- towards compressed pixels --------------------------------------------------------
    def _write_encoded(self, dataset: Dataset, source: BinaryIO) -> None:
        index = index_frames(self.file, self.header)
        if index.kind not in (NATIVE, DEFLATED, ENCAPSULATED) or not index.count:
            raise UnsupportedError("The pixels cannot be compressed: they are no frames, or video.")
        description = replace(PixelDescription.from_header(self.header), palette=None)
        described = as_stored(description)
        if not can_encode(described):
            raise UnsupportedError("Pixels of this kind are not compressed here.")
        if index.kind == ENCAPSULATED:
            _describe(dataset, description, described)
        elif description.samples_per_pixel == 3:
            dataset.PlanarConfiguration = 0
        self._write_head(dataset)
        storage.check_reserve(described.frame_bytes * index.count)
        self.out.write(struct.pack("<HH4sL", 0x7FE0, 0x0010, b"OB\0\0", _UNDEFINED))
        table_bytes = 4 * index.count if index.count > 1 else 0
        self.out.write(struct.pack("<HHL", *_ITEM, table_bytes) + bytes(table_bytes))
        begin, offsets, digests = self.out.tell(), [], []
        for frame in range(index.count):
            samples = self._samples(index, frame, described, source)
            digests.append(hashlib.sha256(_raw(samples)).digest())
            data = encode_frame(samples, self.syntax)
            offsets.append(self.out.tell() - begin)
            self.out.write(struct.pack("<HHL", *_ITEM, len(data) + len(data) % 2) + data)
            self.out.write(bytes(len(data) % 2))
        if offsets[-1] > _LONGEST_VALUE:
            raise UnsupportedError("The frames lie too far apart for an offset table.")
        self.out.write(struct.pack("<HHL", *_SEQUENCE_END, 0))
        if table_bytes:
            self.out.seek(begin - table_bytes)
            self.out.write(struct.pack(f"<{index.count}L", *offsets))
        self._verify(digests, is_encoded=True)

    def _samples(
        self, index: FrameIndex, frame: int, description: PixelDescription, source: BinaryIO
    ) -> np.ndarray:
        """Return a frame with every bit that is allocated, whatever BitsStored says."""
        if index.kind == ENCAPSULATED:
            return self._decode(index, frame, description)
        offset, length = index.span(frame)
        source.seek(offset)
        data = bytearray(source.read(length))
        if len(data) != length or length * 8 < description.sample_count * 8:
            raise UnsupportedError("Pixels that share their colours are not compressed here.")
        whole = whole_words(description)
        return decode_frame(memoryview(data), whole, first_bit=index.first_bit(frame))

    def _decode(self, index: FrameIndex, frame: int, description: PixelDescription) -> np.ndarray:
        offset, length = index.span(frame)
        self.file.seek(offset)
        span = self.file.read(length)
        if len(span) != length:
            raise UnreadableError("The file is damaged: it ends before this frame.")
        return decode_in_pool(index.payload(span), description)

    def _verify(self, digests: list[bytes], *, is_encoded: bool = False) -> None:
        """Read what was written as anybody would, and compare every pixel."""
        self.out.flush()
        self.out.seek(0)
        header = read_header(self.out, size=os.fstat(self.out.fileno()).st_size)
        index = index_frames(self.out, header)
        described = as_stored(replace(PixelDescription.from_header(header), palette=None))
        if is_encoded:
            described = whole_words(described)
        if index.count != len(digests):
            raise MismatchError("Not all frames were written when the instance was transcoded.")
        for frame, digest in enumerate(digests):
            offset, length = index.span(frame)
            self.out.seek(offset)
            data = bytearray(self.out.read(length))
            payload = memoryview(index.payload(bytes(data)) if is_encoded else data)
            pixels = decode_frame(payload, described, first_bit=index.first_bit(frame))
            little = _raw(pixels) if is_encoded else _little(pixels, length)
            if hashlib.sha256(little).digest() != digest:
                raise MismatchError("The pixels changed when the instance was transcoded.")


def as_stored(description: PixelDescription) -> PixelDescription:
    """Return a description by which a decoder gives samples as they are to be written."""
    syntax = description.transfer_syntax_uid
    photometric = description.photometric_interpretation
    if photometric == "PALETTE COLOR":
        description = replace(description, photometric_interpretation="MONOCHROME2")
    elif photometric in YBR_FULL and (syntax in _KEEPS_COLOURS or syntax in _PLAIN):
        # As RGB, samples are passed on untouched.
        description = replace(description, photometric_interpretation="RGB")
    if syntax in _KEEPS_WORDS and description.samples_per_pixel == 1:
        bits = description.bits_allocated
        description = replace(
            description, bits_stored=bits, high_bit=bits - 1, pixel_representation=0
        )
    return description


def _raw(samples: np.ndarray) -> memoryview:
    return np.ascontiguousarray(samples).data.cast("B")


def whole_words(description: PixelDescription) -> PixelDescription:
    """Return a description by which every allocated bit is kept and no colour converted."""
    bits = description.bits_allocated
    description = replace(description, bits_stored=bits, high_bit=bits - 1)
    if description.samples_per_pixel == 3:
        description = replace(description, photometric_interpretation="RGB")
    return description


def _describe(dataset: Dataset, stored: PixelDescription, written: PixelDescription) -> None:
    """Change what the header says of the pixels to what they become (PS3.5 8.2)."""
    if stored.samples_per_pixel == 3:
        keeps = stored.photometric_interpretation in YBR_FULL and (
            written.photometric_interpretation == "RGB"
        )
        dataset.PhotometricInterpretation = "YBR_FULL" if keeps else "RGB"
        dataset.PlanarConfiguration = 0
    if _ICON in dataset:
        icons = dataset[_ICON].value or []
        if any("PixelData" in icon and icon["PixelData"].is_undefined_length for icon in icons):
            del dataset[_ICON]


def _little(array: np.ndarray, wanted: int) -> bytes:
    data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
    if len(data) != wanted:
        raise MismatchError("A decoded frame does not have the announced size.")
    return data


def _swapped(chunk: bytes, unit: int) -> bytes:
    if unit == 1:
        return chunk
    whole = len(chunk) - len(chunk) % unit
    return np.frombuffer(chunk[:whole], f">u{unit}").astype(f"<u{unit}").tobytes() + chunk[whole:]
