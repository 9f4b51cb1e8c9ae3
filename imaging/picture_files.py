"""Pictures as the rest of the world keeps them (JPEG, PNG, GIF, JPEG 2000, JPEG-LS): what they
say of themselves, which transfer syntax they can keep, and what becomes of those that cannot.

A stream that DICOM knows is kept byte for byte. What it does not know (PNG, GIF, progressive JPEG,
four inks, a picture that says it lies on its side) is decoded without loss (PS3.18 10.5.2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO

import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from imaging.codestream import (
    HTJ2K,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    Codestream,
    read_codestream,
)
from imaging.errors import LimitExceededError, UndecodableError, UnsupportedError

# A file's head: a JPEG may have a colour profile and a small picture before its own.
HEAD_BYTES = 4 << 20
DECODED_BYTES = 128 << 20
JPEG_BASELINE = "1.2.840.10008.1.2.4.50"
JPEG_EXTENDED = "1.2.840.10008.1.2.4.51"
JPEG_LOSSLESS_ANY = "1.2.840.10008.1.2.4.57"
JPEG_LOSSLESS_FIRST = "1.2.840.10008.1.2.4.70"
JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000_LOSSY = "1.2.840.10008.1.2.4.91"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
HTJ2K_LOSSY = "1.2.840.10008.1.2.4.203"
# Lossy Image Compression Method (PS3.3 C.7.6.1.1.5.1).
_METHODS = {
    JPEG: "ISO_10918_1", JPEG_LS: "ISO_14495_1", JPEG_2000: "ISO_15444_1", HTJ2K: "ISO_15444_15",
}  # fmt: skip
_PNG, _GIF, _TOP_LEFT = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a"), 1
_SEQUENTIAL, _PROGRESSIVE = {0xC0, 0xC1}, 0xC2
_START_OF_CODESTREAM = b"\xff\x4f\xff\x51"
_MAX_MARKERS = 10_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture file by its head.

    `transfer_syntax_uid` is empty for what must be decoded. `skip_bytes` stand before the
    codestream (the boxes of a JP2 file). `method` is empty where nothing was lost.
    """

    transfer_syntax_uid: str
    rows: int
    columns: int
    samples: int
    bits: int
    photometric_interpretation: str
    is_signed: bool = False
    method: str = ""
    skip_bytes: int = 0


def read_picture(head: bytes) -> Picture:
    """Return what the first `HEAD_BYTES` of a picture file say.

    Raises UndecodableError or UnsupportedError for what is none that is known here.
    """
    if head.startswith(_PNG):
        return _read_png(head)
    if head.startswith(_GIF):
        columns, rows = struct.unpack_from("<HH", head, 6)
        return _decoded(rows, columns, 3, 8, "")
    stream = read_codestream(head)
    if stream.family == JPEG:
        return _read_jpeg(head, stream)
    if stream.bits > 16 or stream.components not in (1, 3):
        raise UnsupportedError("A picture of these components or bits is not taken.")
    near = stream.family == JPEG_LS and _scan_of(head)[1] > 0
    is_lossy = near or (stream.family in (JPEG_2000, HTJ2K) and not stream.is_reversible)
    return Picture(
        transfer_syntax_uid=_syntax_of(head, stream, is_lossy=is_lossy),
        rows=stream.rows,
        columns=stream.columns,
        samples=stream.components,
        bits=stream.bits,
        photometric_interpretation=_photometric_of(stream),
        is_signed=stream.is_signed,
        method=_METHODS[stream.family] if is_lossy else "",
        skip_bytes=max(head.find(_START_OF_CODESTREAM), 0) if head[4:8] == b"jP  " else 0,
    )


def decode_picture(data: bytes) -> np.ndarray:
    """Return the pixels of a picture that DICOM cannot keep as it is.

    Shape (rows, columns) or (rows, columns, 3), uint8 or uint16, upright. What is transparent
    is taken as it stands. Raises UndecodableError.
    """
    is_deep = data.startswith(_PNG) and data[24] == 16
    try:
        if is_deep:
            pixels = np.asarray(imagecodecs.png_decode(data))
            if pixels.ndim == 3:
                pixels = pixels[..., : 3 if pixels.shape[2] > 2 else 1]
        else:
            pixels = _decode_by_pillow(data)
    except (OSError, ValueError, SyntaxError, RuntimeError, Image.DecompressionBombError):
        raise UndecodableError("the picture is damaged") from None
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return np.ascontiguousarray(pixels)


def _decode_by_pillow(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data), formats=("JPEG", "PNG", "GIF")) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
        is_grey = upright.mode in ("1", "L", "LA")
        return np.asarray(upright.convert("L" if is_grey else "RGB"))


def _decoded(rows: int, columns: int, samples: int, bits: int, method: str) -> Picture:
    if not rows or not columns or max(rows, columns) > 65535:
        raise UndecodableError("the picture has no size that an image may have")
    if rows * columns * samples * (2 if bits > 8 else 1) > DECODED_BYTES:
        raise LimitExceededError("The picture is larger than what is decoded here.")
    photometric = "MONOCHROME2" if samples == 1 else "RGB"
    return Picture("", rows, columns, samples, bits, photometric, method=method)


def _read_png(head: bytes) -> Picture:
    if head[12:16] != b"IHDR" or len(head) < 33:
        raise UndecodableError("the PNG file has no header")
    columns, rows, depth, kind = struct.unpack_from(">LLBB", head, 16)
    return _decoded(rows, columns, 1 if kind in (0, 4) else 3, 16 if depth == 16 else 8, "")


# --- JPEG ------------------------------------------------------------------------------------
def _read_jpeg(head: bytes, stream: Codestream) -> Picture:
    frame, sampling, orientation = _survey_jpeg(head)
    is_kept = frame in _SEQUENTIAL and stream.components in (1, 3) and orientation == _TOP_LEFT
    if not is_kept:
        if stream.bits != 8 or frame not in {*_SEQUENTIAL, _PROGRESSIVE}:
            raise UnsupportedError("A JPEG of this process is not taken.")
        sides = (stream.rows, stream.columns)
        rows, columns = sides[::-1] if orientation >= 5 else sides
        return _decoded(rows, columns, 1 if stream.components == 1 else 3, 8, _METHODS[JPEG])
    photometric = "MONOCHROME2"
    if stream.components == 3:
        is_halved = sampling >> 4 > 1
        photometric = "YBR_FULL_422" if is_halved else "YBR_FULL"
        if stream.color_space == "RGB":
            photometric = "RGB"
    return Picture(
        transfer_syntax_uid=JPEG_BASELINE if frame == 0xC0 else JPEG_EXTENDED,
        rows=stream.rows,
        columns=stream.columns,
        samples=stream.components,
        bits=stream.bits,
        photometric_interpretation=photometric,
        method=_METHODS[JPEG],
    )


def _survey_jpeg(head: bytes) -> tuple[int, int, int]:
    """Return the frame's marker, the first component's sampling, and how the picture lies."""
    orientation = _TOP_LEFT
    for marker, segment in _segments(head):
        if marker == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _read_orientation(segment[6:])
        if marker in {*_SEQUENTIAL, _PROGRESSIVE, 0xC3, 0xF7}:
            return marker, segment[7], orientation
    raise UndecodableError("the JPEG codestream has no frame header")


def _segments(head: bytes) -> list[tuple[int, bytes]]:
    found, position = [], 2
    for _ in range(_MAX_MARKERS):
        while head[position : position + 2] == b"\xff\xff":
            position += 1
        if position + 4 > len(head) or head[position] != 0xFF:
            break
        marker, length = head[position + 1], struct.unpack_from(">H", head, position + 2)[0]
        found.append((marker, head[position + 4 : position + 2 + length]))
        if marker == 0xDA:
            break
        position += 2 + max(length, 2)
    return found


def _read_orientation(exif: bytes) -> int:
    """Return the Exif orientation, 1 where it is not said or makes no sense."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None:
            return _TOP_LEFT
        (place,) = struct.unpack_from(f"{order}L", exif, 4)
        (count,) = struct.unpack_from(f"{order}H", exif, place)
        for number in range(min(count, 512)):
            tag, _kind, _length, value = struct.unpack_from(
                f"{order}HHLH", exif, place + 2 + 12 * number
            )
            if tag == 0x0112:
                return value if 1 <= value <= 8 else _TOP_LEFT
    except struct.error:
        return _TOP_LEFT
    return _TOP_LEFT


# --- which syntax ----------------------------------------------------------------------------
def _syntax_of(head: bytes, stream: Codestream, *, is_lossy: bool) -> str:
    if stream.family == JPEG_LOSSLESS:
        return JPEG_LOSSLESS_FIRST if _scan_of(head)[1] == 1 else JPEG_LOSSLESS_ANY
    if stream.family == JPEG_LS:
        return JPEG_LS_NEAR if is_lossy else JPEG_LS_LOSSLESS
    if stream.family == HTJ2K:
        return HTJ2K_LOSSY if is_lossy else HTJ2K_LOSSLESS
    return JPEG_2000_LOSSY if is_lossy else JPEG_2000_LOSSLESS


def _scan_of(head: bytes) -> tuple[int, int]:
    """Return components and the parameter behind them of the first scan: predictor, or NEAR."""
    for marker, segment in _segments(head):
        if marker == 0xDA and segment:
            count = segment[0]
            if len(segment) > 1 + 2 * count:
                return count, segment[1 + 2 * count]
    raise UndecodableError("the JPEG codestream has no scan")


def _photometric_of(stream: Codestream) -> str:
    if stream.components == 1:
        return "MONOCHROME2"
    if stream.family in (JPEG_2000, HTJ2K) and stream.has_component_transform:
        return "YBR_RCT" if stream.is_reversible else "YBR_ICT"
    return "RGB"
