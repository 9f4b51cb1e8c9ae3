"""Small data sets, written by pydicom or byte by byte."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID

from imaging.frames import FrameIndex, index_frames
from imaging.header import Header, read_header

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"


def dataset(**values: Any) -> Dataset:
    made = Dataset()
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    made.SOPInstanceUID = "1.2.3.4.5"
    made.StudyInstanceUID = "1.2.3.4"
    made.SeriesInstanceUID = "1.2.3.4.1"
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def image(pixels: np.ndarray, *, frames: int | None = None, **values: Any) -> Dataset:
    """Return an image object; `pixels` is (rows, columns) or (frames, rows, columns)."""
    bits = pixels.dtype.itemsize * 8
    made = dataset(
        Rows=pixels.shape[-2], Columns=pixels.shape[-1], SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2", BitsAllocated=bits, BitsStored=bits,
        HighBit=bits - 1, PixelRepresentation=int(pixels.dtype.kind == "i"),
    )  # fmt: skip
    if pixels.ndim == 3:
        made.NumberOfFrames = len(pixels) if frames is None else frames
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OW" if bits > 8 else "OB"
    return made


def encapsulated(fragments: list[bytes], table: list[int] | None = None) -> bytes:
    """Return an encapsulated PixelData value, its delimiter left to the writer."""
    raw = struct.pack(f"<{len(table)}L", *table) if table else b""
    items = [raw, *fragments]
    return b"".join(b"\xfe\xff\x00\xe0" + struct.pack("<L", len(item)) + item for item in items)


def written(made: Dataset, syntax: str = EXPLICIT) -> bytes:
    """Return the bytes of a Part 10 file."""
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.file_meta.MediaStorageSOPClassUID = made.get("SOPClassUID", "1.2")
    made.file_meta.MediaStorageSOPInstanceUID = made.get("SOPInstanceUID", "1.2")
    out = BytesIO()
    pydicom.dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def read_bytes(content: bytes) -> Header:
    return read_header(BytesIO(content), size=len(content))


def read_image(content: bytes) -> tuple[Header, FrameIndex]:
    header = read_bytes(content)
    return header, index_frames(BytesIO(content), header)


def part10(body: bytes, syntax: str = EXPLICIT) -> bytes:
    """Return a file whose data set is `body`, however broken."""
    uid = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = element(0x0002, 0x0010, b"UI", uid)
    length = element(0x0002, 0x0000, b"UL", struct.pack("<L", len(meta)))
    return b"\0" * 128 + b"DICM" + length + meta + body


def element(group: int, number: int, vr: bytes, value: bytes) -> bytes:
    """Return an element in explicit VR little endian."""
    if vr in (b"OB", b"OW", b"SQ", b"UN", b"UT", b"UC"):
        return struct.pack("<HH2sHL", group, number, vr, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value
