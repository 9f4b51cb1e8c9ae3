"""What becomes of pixels that came beside their metadata, and what they say of the object.

Media types of DICOM frames, native pixels, consumer pictures and films (PS3.18 8.7.3, 10.5.2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from imaging.errors import LimitExceededError, MismatchError, UnsupportedError
from imaging.header import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from imaging.mp4 import AVC, Mp4, read_mp4
from imaging.picture_files import HEAD_BYTES, Picture, read_picture

OCTETS = "application/octet-stream"
PICTURES = frozenset(
    {
        "image/jpeg", "image/png", "image/gif", "image/jls", "image/x-jls", "image/jp2",
        "image/jpx", "image/j2c", "image/jphc", "image/jph",
    }
)  # fmt: skip
RLE = frozenset({"image/dicom-rle", "image/x-dicom-rle"})
FILMS = frozenset({"video/mp4", "video/h264", "video/h265"})
NATIVE = frozenset({"", EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN})
RLE_LOSSLESS = "1.2.840.10008.1.2.5"
# Highest level by profile, and the transfer syntax (PS3.5 8.2.7, 8.2.8, A.4.5, A.4.6, A.4.7).
_AVC = ((41, "1.2.840.10008.1.2.4.102"), (42, "1.2.840.10008.1.2.4.104"))
_AVC_PROFILES = frozenset({66, 77, 100})
_HEVC = {1: "1.2.840.10008.1.2.4.107", 2: "1.2.840.10008.1.2.4.108"}
_HEVC_LEVEL = 153
_LONGEST_NATIVE = 2**32 - 2


@dataclass(frozen=True)
class Piece:
    """One part that came: media type, transfer syntax where it names one, and its bytes."""

    media_type: str
    transfer_syntax_uid: str
    size: int
    read: Callable[[int, int], bytes]


@dataclass
class PixelPlan:
    """How pixels are kept: in which syntax, with which facts, and of which bytes.

    `frames` are (piece, bytes to skip); native pixels are one of them. When `is_decoded` its
    bytes are a picture file that must be decoded first.
    """

    transfer_syntax_uid: str
    frames: list[tuple[Piece, int]]
    facts: dict[str, object] = field(default_factory=dict)
    is_encapsulated: bool = True
    is_decoded: bool = False
    is_film: bool = False


def plan_pixels(pieces: Sequence[Piece], syntax: str) -> PixelPlan:
    """Return how these pieces, one a frame, are kept; `syntax` is what the metadata name.

    Raises
    ------
    UnsupportedError
        Of a kind that is not taken.
    MismatchError
        The pieces are not all of one kind.
    UndecodableError, LimitExceededError
        A picture cannot be read, or is too large.
    """
    first = pieces[0]
    if any(piece.media_type != first.media_type for piece in pieces):
        raise MismatchError("The frames are of several media types.")
    named = first.transfer_syntax_uid or syntax
    if first.media_type in FILMS and len(pieces) == 1:
        return _plan_film(first)
    if first.media_type in PICTURES:
        return _plan_pictures(pieces)
    if first.media_type in RLE or (first.media_type == OCTETS and named not in NATIVE):
        # What the stream is, the metadata say; the frames are kept as they are.
        kept = RLE_LOSSLESS if first.media_type in RLE else named
        return PixelPlan(kept, [(piece, 0) for piece in pieces])
    if first.media_type == OCTETS and len(pieces) == 1:
        if first.size > _LONGEST_NATIVE:
            raise LimitExceededError("Native pixels longer than an element can be.")
        return PixelPlan(EXPLICIT_VR_LITTLE_ENDIAN, [(first, 0)], is_encapsulated=False)
    raise UnsupportedError("Pixels of this media type are not taken.")


def _plan_pictures(pieces: Sequence[Piece]) -> PixelPlan:
    found = [read_picture(piece.read(0, min(HEAD_BYTES, piece.size))) for piece in pieces]
    first = found[0]
    if any(_kind_of(one) != _kind_of(first) for one in found):
        raise MismatchError("The frames are not of one size and kind.")
    if not first.transfer_syntax_uid and len(pieces) > 1:
        raise UnsupportedError("Several pictures that must be decoded are not taken at once.")
    plan = PixelPlan(
        first.transfer_syntax_uid or EXPLICIT_VR_LITTLE_ENDIAN,
        [(piece, one.skip_bytes) for piece, one in zip(pieces, found, strict=True)],
        is_encapsulated=bool(first.transfer_syntax_uid),
        is_decoded=not first.transfer_syntax_uid,
    )
    plan.facts = facts_of_pixels(
        first.rows, first.columns, first.samples, first.bits, first.photometric_interpretation,
        is_signed=first.is_signed,
    )  # fmt: skip
    if len(pieces) > 1:
        plan.facts["NumberOfFrames"] = len(pieces)
    if first.method:
        allocated = 2 if first.bits > 8 else 1
        whole = first.rows * first.columns * first.samples * allocated * len(pieces)
        plan.facts |= _lossy(first.method, whole / sum(piece.size for piece in pieces))
    return plan


def _kind_of(picture: Picture) -> tuple[object, ...]:
    return (
        picture.transfer_syntax_uid, picture.rows, picture.columns, picture.samples, picture.bits,
        picture.photometric_interpretation,
    )  # fmt: skip


def facts_of_pixels(
    rows: int, columns: int, samples: int, bits: int, photometric: str, *, is_signed: bool = False
) -> dict[str, object]:
    """Return the Image Pixel Description of such pixels (PS3.3 C.7.6.3)."""
    facts: dict[str, object] = {
        "SamplesPerPixel": samples,
        "PhotometricInterpretation": photometric,
        "Rows": rows,
        "Columns": columns,
        "BitsAllocated": 16 if bits > 8 else 8,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(is_signed),
    }
    if samples > 1:
        facts["PlanarConfiguration"] = 0
    return facts


def _lossy(method: str, ratio: float) -> dict[str, object]:
    return {
        "LossyImageCompression": "01",
        "LossyImageCompressionRatio": f"{max(ratio, 0.001):.3f}",
        "LossyImageCompressionMethod": method,
    }


def _plan_film(piece: Piece) -> PixelPlan:
    film = read_mp4(piece.read, piece.size)
    plan = PixelPlan(_syntax_of(film), [(piece, 0)], is_film=True)
    plan.facts = facts_of_pixels(film.rows, film.columns, 3, film.bits, "YBR_PARTIAL_420")
    method = "ISO_14496_10" if film.codec == AVC else "ISO_23008_2"
    samples = 3 * film.rows * film.columns * film.frames
    plan.facts |= _lossy(method, samples / piece.size)
    rate = max(1, round(1000 / film.frame_time_ms))
    plan.facts |= {
        "NumberOfFrames": film.frames,
        "FrameIncrementPointer": 0x00181063,
        "FrameTime": f"{film.frame_time_ms:.6g}",
        "CineRate": rate,
        "RecommendedDisplayFrameRate": rate,
    }
    return plan


def _syntax_of(film: Mp4) -> str:
    if film.codec == AVC and film.profile in _AVC_PROFILES:
        found = next((syntax for level, syntax in _AVC if film.level <= level), "")
    else:
        found = _HEVC.get(film.profile, "") if film.level <= _HEVC_LEVEL else ""
        found = "" if film.codec == AVC else found
    if not found:
        raise UnsupportedError("DICOM has no transfer syntax for a film of this profile or level.")
    return found
