"""Frames to lossless codestreams: JPEG-LS, JPEG 2000 and HTJ2K (PS3.5 8.2.3, 8.2.4, A.4)."""

from __future__ import annotations

import imagecodecs
import numpy as np

from imaging.description import PixelDescription
from imaging.errors import UnsupportedError

JPEG_LS_LOSSLESS = "1.2.840.10008.1.2.4.80"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
HTJ2K_LOSSLESS = "1.2.840.10008.1.2.4.201"
ENCODED = (JPEG_LS_LOSSLESS, JPEG_2000_LOSSLESS, HTJ2K_LOSSLESS)
# What noise takes more than its samples.
_HEAD_BYTES = 4096
_CODEC_ERRORS = (RuntimeError, ValueError, TypeError, NotImplementedError)


def can_encode(description: PixelDescription) -> bool:
    """Whether frames of this description can be put into these codestreams without loss."""
    if description.is_float or description.samples_per_pixel not in (1, 3):
        return False
    if description.samples_per_pixel == 3:
        return description.bits_allocated == 8
    return description.bits_allocated in (8, 16)


def encode_frame(samples: np.ndarray, syntax: str) -> bytes:
    """Return the codestream of one frame.

    Parameters
    ----------
    samples
        Shape (rows, columns) of 8 or 16 bits, sign extended where they are signed, or
        (rows, columns, 3) of 8 bits; no colour is transformed.
    syntax
        One of ENCODED.

    Raises UnsupportedError when there is no such codestream for these samples.
    """
    if samples.dtype.itemsize > 2 or (samples.ndim == 3 and samples.dtype != np.uint8):
        raise UnsupportedError("Frames of this depth are not compressed here.")
    samples = np.ascontiguousarray(samples)
    try:
        if syntax == JPEG_LS_LOSSLESS:
            # JPEG-LS knows no sign: two's complement, as PS3.5 8.2.3 has it.
            room = bytearray(2 * samples.nbytes + _HEAD_BYTES)
            words = samples.view(f"u{samples.dtype.itemsize}")
            return bytes(imagecodecs.jpegls_encode(words, out=room))
        if syntax == JPEG_2000_LOSSLESS:
            return bytes(
                imagecodecs.jpeg2k_encode(
                    samples, level=0, codecformat="j2k", reversible=True, mct=False, numthreads=1
                )
            )
        if syntax == HTJ2K_LOSSLESS:
            return bytes(imagecodecs.htj2k_encode(samples, reversible=True, rgb=False))
    except _CODEC_ERRORS as error:
        raise UnsupportedError("This frame cannot be compressed.") from error
    raise UnsupportedError("Frames are not compressed in this way here.")
