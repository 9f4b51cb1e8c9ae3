"""Compressed frames to samples: imagecodecs, with a second engine where one fails."""

import sys
from collections.abc import Callable
from io import BytesIO

import imagecodecs
import numpy as np
from PIL import Image
from pydicom.pixels.decoders.rle import _rle_decode_frame

from imaging.codestream import (
    HTJ2K,
    JPEG,
    JPEG_2000,
    JPEG_LOSSLESS,
    JPEG_LS,
    Codestream,
    read_codestream,
)
from imaging.colour import YBR_CODESTREAM, YBR_FULL, YBR_PARTIAL, rgb_from_ybr
from imaging.completeness import ends_with_marker, is_whole_j2k, is_whole_jpeg
from imaging.description import PixelDescription
from imaging.errors import UndecodableError, UnsupportedError

# The codecs are third-party C code whose own error classes have no common parent.
_CODEC_ERRORS = (RuntimeError, ValueError, TypeError, OSError, IndexError, NotImplementedError)

Engine = Callable[[bytes], np.ndarray]


def decode_rle(data: bytes, description: PixelDescription) -> np.ndarray:
    """Decode an RLE frame (PS3.5 annex G) to unsigned values, (rows, columns[, samples])."""
    bits = description.bits_allocated
    samples = description.samples_per_pixel
    if samples not in (1, 3):
        raise UnsupportedError(f"cannot show {samples} samples a pixel")
    if bits not in (8, 16, 32):
        raise UnsupportedError(f"cannot show RLE of {bits} bits allocated")
    segments = int.from_bytes(data[:4], "little")
    if len(data) < 64 or segments != samples * bits // 8:
        raise UndecodableError("the RLE header does not fit the image")
    expected = description.frame_bytes
    # Every two bytes give 128 at most, so a short frame cannot fill a large image.
    if len(data) * 64 < expected:
        raise UndecodableError("the RLE frame is too short for the image")
    try:
        raw = bytes(imagecodecs.dicomrle_decode(data, f"<u{bits // 8}", out=expected))
    except _CODEC_ERRORS:
        raw = b""
    if len(raw) != expected:
        raw = _decode_rle_slowly(data, description)
    values = np.frombuffer(raw, f"<u{bits // 8}").astype(f"u{bits // 8}")
    if samples == 1:
        return values.reshape(description.rows, description.columns)
    planes = values.reshape(samples, description.rows, description.columns)
    return planes.transpose(1, 2, 0)


def _decode_rle_slowly(data: bytes, description: PixelDescription) -> bytes:
    try:
        raw = bytes(
            _rle_decode_frame(
                data,
                description.rows,
                description.columns,
                description.samples_per_pixel,
                description.bits_allocated,
            )
        )
    except _CODEC_ERRORS as error:
        raise UndecodableError("the RLE frame is damaged") from error
    return raw


def decode_codestream(data: bytes, description: PixelDescription) -> tuple[np.ndarray, str]:
    """Decode a JPEG, JPEG-LS, JPEG 2000 or HTJ2K frame.

    What the codestream is decides, not what the transfer syntax says it is.

    Returns
    -------
    tuple of np.ndarray and str
        Samples of shape (rows, columns) or (rows, columns, 3), sign extended, and the
        photometric interpretation they are in now.

    Raises
    ------
    UndecodableError
        Codestream and data set disagree, or no codec can read it.
    """
    stream = read_codestream(data)
    _check_claims(stream, description)
    _check_end(data, stream)
    photometric = _photometric_of(stream, description)
    if stream.family == JPEG and photometric == "YBR_FULL":
        converted = _jpeg_rgb(data, description)
        if converted is not None:
            return _stored_samples(converted, stream, description), "RGB"
    samples = _stored_samples(_decoded(data, stream, description), stream, description)
    if photometric in YBR_FULL | YBR_PARTIAL and stream.components == 3:
        # The middle of chrominance is that of the codestream's depth, whatever BitsStored says.
        partial = photometric in YBR_PARTIAL
        return rgb_from_ybr(samples, bits=stream.bits, partial=partial), "RGB"
    return samples, photometric


def _check_claims(stream: Codestream, description: PixelDescription) -> None:
    # JPEG may leave the number of lines to a DNL segment; no DICOM writer does.
    claimed = (stream.rows, stream.columns, stream.components)
    wanted = (description.rows, description.columns, description.samples_per_pixel)
    if claimed != wanted:
        raise UndecodableError(
            "the codestream holds {} x {} pixels of {} samples,"
            " the data set says {} x {} of {}".format(*claimed, *wanted)
        )
    if stream.components not in (1, 3):
        raise UnsupportedError(f"cannot show {stream.components} samples a pixel")
    if stream.bits > max(description.bits_allocated, 8) or stream.bits > 32:
        raise UndecodableError(
            f"the codestream holds {stream.bits} bits, allocated are {description.bits_allocated}"
        )


def _check_end(data: bytes, stream: Codestream) -> None:
    """Refuse what is cut short where the codec would invent the rest, or search it for long."""
    if ends_with_marker(data):
        return
    if stream.family == JPEG_LS:
        # CharLS refuses what has no end, some of it only after ten seconds.
        whole = b"\xff\xd9" in data
    elif stream.family in (JPEG_2000, HTJ2K):
        whole = is_whole_j2k(data)
    else:
        try:
            whole = is_whole_jpeg(data, _ENGINES[stream.family][0])
        except _CODEC_ERRORS:
            return  # the codec says so itself
    if not whole:
        raise UndecodableError(f"the {stream.family} codestream is cut short")


def _photometric_of(stream: Codestream, description: PixelDescription) -> str:
    """Return the colour space that the raw components are in."""
    declared = description.photometric_interpretation
    if stream.components != 3:
        return declared
    if stream.family == JPEG:
        if stream.color_space:
            return "YBR_FULL" if stream.color_space == "YBR" else "RGB"
        return "YBR_FULL" if declared in YBR_FULL | YBR_PARTIAL | YBR_CODESTREAM else "RGB"
    if stream.family in (JPEG_2000, HTJ2K) and stream.has_component_transform:
        return "RGB"
    return "RGB" if declared in YBR_CODESTREAM else declared


def _decoded(data: bytes, stream: Codestream, description: PixelDescription) -> np.ndarray:
    shape: tuple[int, ...] = (description.rows, description.columns)
    if stream.components == 3:
        shape += (3,)
    problem = ""
    engines = _ENGINES[stream.family]
    if not stream.is_reversible:
        # OpenJPH does not clip what a lossy wavelet overshoots: white would turn black.
        engines = (imagecodecs.jpeg2k_decode,)
    for engine in engines:
        try:
            samples = np.asarray(engine(data))
        except _CODEC_ERRORS as error:
            problem = problem or type(error).__name__
            continue
        if samples.shape == shape:
            return samples
        problem = problem or "another shape"
    raise UndecodableError(f"the {stream.family} codestream cannot be decoded ({problem})")


def _stored_samples(
    samples: np.ndarray, stream: Codestream, description: PixelDescription
) -> np.ndarray:
    """Bring samples to the type of BitsAllocated and the sign of PixelRepresentation."""
    width = min(description.value_bits, 32) // 8
    signed = description.is_signed
    if stream.is_signed and not signed and int(samples.min(initial=0)) < 0:
        raise UndecodableError("the codestream holds negative values, the data set says unsigned")
    if not signed or stream.is_signed:
        return samples.astype(f"{'i' if signed else 'u'}{width}", copy=False)
    # An unsigned codestream of signed pixels: two's complement in as many bits as it holds,
    # or as the data set says where no value needs more.
    bits = description.bits_stored
    if stream.family in (JPEG_2000, HTJ2K) and (
        stream.bits <= bits or int(samples.max(initial=0)) >> bits
    ):
        bits = stream.bits
    raised = samples.astype(f"u{width}") << np.array(width * 8 - bits, f"u{width}")
    extended: np.ndarray = raised.view(f"i{width}")
    extended >>= np.array(width * 8 - bits, f"i{width}")
    return extended


def _jpeg_raw(data: bytes) -> np.ndarray:
    """Decode lossy JPEG without any colour conversion."""
    stream = read_codestream(data)
    if stream.components == 1:
        return imagecodecs.jpeg8_decode(data)
    return imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="YCBCR")


def _jpeg_rgb(data: bytes, description: PixelDescription) -> np.ndarray | None:
    """Decode lossy JPEG in YCbCr straight to RGB, six times as fast as converting afterwards."""
    try:
        samples = np.asarray(
            imagecodecs.jpeg8_decode(data, colorspace="YCBCR", outcolorspace="RGB")
        )
    except _CODEC_ERRORS:
        return None
    return samples if samples.shape == (description.rows, description.columns, 3) else None


def _jpeg_lossless(data: bytes) -> np.ndarray:
    """Decode lossless JPEG; its components are never converted."""
    stream = read_codestream(data)
    if stream.components == 1:
        return imagecodecs.jpeg8_decode(data)
    return imagecodecs.jpeg8_decode(data, colorspace="RGB", outcolorspace="RGB")


def _open_jph(data: bytes) -> np.ndarray:
    """Decode HTJ2K; damage that its wrapper only reports aside while it copies is an error.

    Without that the lines after the damage would be whatever the memory held.
    """
    reported: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda report: reported.append(str(report.exc_value))
    try:
        samples = np.asarray(imagecodecs.htj2k_decode(data))
    finally:
        sys.unraisablehook = before
    if reported:
        raise UndecodableError("the htj2k codestream is damaged")
    return samples


def _pillow_jpeg(data: bytes) -> np.ndarray:
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        if image.mode == "RGB" and "adobe_transform" not in image.info:
            image.draft("YCbCr", image.size)
        return np.asarray(image)


_ENGINES: dict[str, tuple[Engine, ...]] = {
    JPEG: (_jpeg_raw, _pillow_jpeg),
    JPEG_LOSSLESS: (_jpeg_lossless, imagecodecs.jpegsof3_decode),
    JPEG_LS: (imagecodecs.jpegls_decode,),
    JPEG_2000: (imagecodecs.jpeg2k_decode, _open_jph),
    HTJ2K: (_open_jph, imagecodecs.jpeg2k_decode),
}
