"""Turn the bytes of one frame into an array, for every transfer syntax (PS3.5 8, A)."""

import zlib
from dataclasses import replace

import numpy as np

from imaging.codecs import decode_codestream, decode_rle
from imaging.colour import SUBSAMPLED, YBR_FULL, YBR_PARTIAL, expand_422, rgb_from_ybr
from imaging.description import MAX_FRAME_BYTES, PixelDescription
from imaging.errors import UndecodableError, UnsupportedError
from imaging.frame_starts import CODESTREAM_SYNTAXES, RLE_LOSSLESS
from imaging.frames import VIDEO_SYNTAXES
from imaging.header import EXPLICIT_VR_BIG_ENDIAN, GE_PRIVATE_BIG_ENDIAN, NATIVE_SYNTAXES
from imaging.palette import Palette

__all__ = ["MAX_FRAME_BYTES", "Palette", "PixelDescription", "decode_frame"]

_BIG_ENDIAN_PIXELS = frozenset({EXPLICIT_VR_BIG_ENDIAN, GE_PRIVATE_BIG_ENDIAN})
# Bits allocated of the one layout that crosses bytes and is found in old archives.
PACKED_BITS = 12
DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
# Encapsulated, but each frame is native when unwrapped (PS3.5 A.4.11, A.4.13).
_NATIVE_FRAMES = frozenset({DEFLATED_FRAMES, "1.2.840.10008.1.2.1.98"})
SHOWN_SYNTAXES = frozenset({*NATIVE_SYNTAXES, *_NATIVE_FRAMES, *CODESTREAM_SYNTAXES, RLE_LOSSLESS})
# What is stored and never decoded here, by transfer syntax, in words.
CANNOT_SHOW = {
    **dict.fromkeys(VIDEO_SYNTAXES, "MPEG video"),
    **{f"1.2.840.10008.1.2.4.{suffix}": "pixels kept by a JPIP server" for suffix in
       ("94", "95", "204", "205")},
    **{f"1.2.840.10008.1.2.4.{suffix}": "JPEG XL" for suffix in ("110", "111", "112")},
}  # fmt: skip


def decode_frame(
    data: bytes | memoryview, description: PixelDescription, *, first_bit: int = 0
) -> np.ndarray:
    """Decode one frame.

    Parameters
    ----------
    data
        What `FrameIndex.payload` gives: native pixels or one codestream. Native pixels in a
        writable buffer may be changed in place, which spares copies.
    description
        The Image Pixel attributes.
    first_bit
        Bit of `data` at which a native frame begins (`FrameIndex.first_bit`).

    Returns
    -------
    np.ndarray
        Shape (rows, columns) for one sample a pixel: stored values as the smallest integer
        type of BitsAllocated, bits above BitsStored removed, sign extended; MONOCHROME1 is as
        stored; float32/float64 for float pixels. Shape (rows, columns, 3), RGB, unsigned, for
        colour; uint8 when it comes from a palette. Always contiguous and writable.

    Raises
    ------
    UndecodableError
        Data and description disagree, or the codec fails.
    UnsupportedError
        Nothing here can show this transfer syntax or layout; the message says which.
    """
    syntax = description.transfer_syntax_uid
    if syntax == DEFLATED_FRAMES:
        data = _inflated(data, description)
    if syntax in NATIVE_SYNTAXES or syntax in _NATIVE_FRAMES:
        samples = _decode_native(data, description, first_bit)
    elif syntax == RLE_LOSSLESS:
        samples = _decode_rle(bytes(data), description)
    elif syntax in CODESTREAM_SYNTAXES:
        return _finish(*decode_codestream(bytes(data), description), description)
    else:
        what = CANNOT_SHOW.get(syntax, f"transfer syntax {syntax}")
        raise UnsupportedError(f"cannot show {what}")
    return _finish(samples, description.photometric_interpretation, description)


def _finish(samples: np.ndarray, photometric: str, description: PixelDescription) -> np.ndarray:
    """Bring decoded samples to what is promised: colour to RGB, palette applied."""
    if samples.ndim == 3:
        if photometric in YBR_FULL or photometric in YBR_PARTIAL:
            bits = description.bits_stored
            samples = rgb_from_ybr(samples, bits=bits, partial=photometric in YBR_PARTIAL)
    elif description.needs_palette:
        if description.palette is None:
            raise UndecodableError("the palette is missing")
        samples = description.palette.apply(samples)
    samples = np.ascontiguousarray(samples)
    return samples if samples.flags.writeable else samples.copy()


def _decode_native(
    data: bytes | memoryview, description: PixelDescription, first_bit: int
) -> np.ndarray:
    bits = description.bits_allocated
    if bits == 1:
        return _decode_bits(data, description, first_bit)
    if bits == PACKED_BITS:
        return _decode_packed(data, description, first_bit)
    if bits not in (8, 16, 32, 64):
        raise UnsupportedError(f"cannot show pixels of {bits} bits allocated")
    count = description.sample_count
    subsampled = _is_subsampled(len(data), description)
    if subsampled:
        count = count // 3 * 2
    if len(data) < count * bits // 8:
        missing = count * bits // 8 - len(data)
        raise UndecodableError(f"the frame is cut short: {missing} bytes are missing")
    big = description.transfer_syntax_uid in _BIG_ENDIAN_PIXELS
    if big and bits == 8 and description.pixel_vr == "OW":
        data = _swap_words(data)[first_bit // 8 :]
    if description.is_float:
        order = ">" if big else "<"
        values = np.frombuffer(data, f"{order}f{bits // 8}", count)
        return values.astype(f"f{bits // 8}").reshape(description.rows, description.columns)
    values = np.frombuffer(data, f"{'>' if big else '<'}u{bits // 8}", count)
    values = values.astype(f"u{bits // 8}", copy=not values.flags.writeable)
    if subsampled:
        return expand_422(values, description.rows, description.columns)
    return _stored_values(_interleaved(values, description), description)


def _decode_packed(
    data: bytes | memoryview, description: PixelDescription, first_bit: int
) -> np.ndarray:
    """Unpack pixels of 12 bits that follow each other without a gap (retired; PS3.5-1998 8.1.1).

    Two lie in three bytes, from the lowest bit up; of big endian files in 16-bit words.
    """
    count = description.sample_count
    if len(data) * 8 < first_bit + count * PACKED_BITS:
        raise UndecodableError("the frame is cut short")
    if description.transfer_syntax_uid in _BIG_ENDIAN_PIXELS:
        data = _swap_words(data)
    raw = np.frombuffer(data, np.uint8)
    values = np.empty(count, np.uint16)
    for second in (0, 1):
        byte, shift = divmod(first_bit + second * PACKED_BITS, 8)
        places = values[second::2]
        low = raw[byte::3][: len(places)].astype(np.uint16)
        high = raw[byte + 1 :: 3][: len(places)].astype(np.uint16)
        places[...] = (high << 8 | low) >> shift & 0xFFF
    return _stored_values(_interleaved(values, description), description)


def _inflated(data: bytes | memoryview, description: PixelDescription) -> bytes:
    """Inflate one frame, never to more than it must hold (and a byte of padding)."""
    engine = zlib.decompressobj(-15)
    try:
        return engine.decompress(data, description.frame_bytes + 1)
    except zlib.error as error:
        raise UndecodableError("the deflated frame is damaged") from error


def _decode_rle(data: bytes, description: PixelDescription) -> np.ndarray:
    if description.bits_allocated != 1:
        return _stored_values(decode_rle(data, description), description)
    # Eight 1-bit pixels a byte: one segment of bytes, unpacked afterwards.
    length = (description.sample_count + 7) // 8
    packed = replace(
        description, rows=1, columns=length, bits_allocated=8, bits_stored=8, high_bit=7
    )
    return _decode_bits(decode_rle(data, packed).tobytes(), description, 0)


def _is_subsampled(length: int, description: PixelDescription) -> bool:
    """Whether native chrominance is shared by two pixels, by the length of the frame."""
    if description.photometric_interpretation not in SUBSAMPLED:
        return False
    return (
        description.samples_per_pixel == 3
        and description.columns % 2 == 0
        and length < description.frame_bytes
    )


def _swap_words(data: bytes | memoryview) -> bytes:
    """Undo the swapping of 8-bit samples that were written as 16-bit words in big endian."""
    if len(data) % 2:
        raise UnsupportedError("cannot show frames of an odd length written as words")
    return np.frombuffer(data, "<u2").byteswap().tobytes()


def _decode_bits(
    data: bytes | memoryview, description: PixelDescription, first_bit: int
) -> np.ndarray:
    count = description.sample_count
    if description.samples_per_pixel != 1:
        raise UnsupportedError("cannot show 1-bit pixels of several samples")
    if len(data) * 8 < first_bit + count:
        raise UndecodableError("the frame is cut short")
    packed = np.frombuffer(data, np.uint8, (first_bit + count + 7) // 8)
    bits = np.unpackbits(packed, bitorder="little")[first_bit : first_bit + count]
    return bits.reshape(description.rows, description.columns)


def _interleaved(values: np.ndarray, description: PixelDescription) -> np.ndarray:
    """Bring flat samples to (rows, columns) or (rows, columns, samples)."""
    rows, columns, samples = (
        description.rows, description.columns, description.samples_per_pixel,
    )  # fmt: skip
    if samples == 1:
        return values.reshape(rows, columns)
    if samples != 3:
        raise UnsupportedError(f"cannot show {samples} samples a pixel")
    if description.planar_configuration == 1:
        return values.reshape(samples, rows, columns).transpose(1, 2, 0)
    return values.reshape(rows, columns, samples)


def _stored_values(values: np.ndarray, description: PixelDescription) -> np.ndarray:
    """Keep the stored bits of allocated ones, and their sign (PS3.5 8.1.1).

    `values` is unsigned with at least as many bits as allocated; the result is signed if
    PixelRepresentation says so.
    """
    allocated = values.dtype.itemsize * 8
    stored = min(description.bits_stored, allocated)
    signed = description.is_signed
    if stored == allocated:
        return values.view(f"i{values.dtype.itemsize}") if signed else values
    above = allocated - 1 - description.high_bit
    kept: np.ndarray = values if values.flags.writeable else values.copy()
    if not signed and above == allocated - stored:
        kept &= np.array((1 << stored) - 1, kept.dtype)
        return kept
    # Shift the stored bits to the top, then back to the bottom: arithmetic if signed.
    kept <<= np.array(above, kept.dtype)
    if signed:
        kept = kept.view(f"i{kept.dtype.itemsize}")
    kept >>= np.array(allocated - stored, kept.dtype)
    return kept
