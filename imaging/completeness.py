"""Whether a codestream is there to its end: some codecs fill in grey what is missing."""

import struct
from collections.abc import Callable

import numpy as np

_END = b"\xff\xd9"
_SOT, _SOC_SIZE = 0xFF90, 2
# Enough to change what a decoder shows if it still wants data, and nothing else.
_TAILS = tuple(bytes([value]) * 4096 + _END for value in (0x00, 0x55))


def ends_with_marker(data: bytes) -> bool:
    """Whether the end marker of JPEG and JPEG 2000 closes the data, up to some padding."""
    return data[-64:].rstrip(b"\0").endswith(_END)


def is_whole_jpeg(data: bytes, decode: Callable[[bytes], np.ndarray]) -> bool:
    """Whether JPEG data without its end marker nevertheless hold the whole picture.

    libjpeg fills what is missing and says nothing. Data that suffice give the same picture
    whatever follows them.
    """
    first, second = (decode(data + tail) for tail in _TAILS)
    return bool(np.array_equal(first, second))


def is_whole_j2k(data: bytes) -> bool:
    """Whether the tile-parts of a JPEG 2000 codestream lie within it, by their own lengths."""
    position = max(data.find(b"\xff\x4f\xff\x51", 0, 65536), 0) + _SOC_SIZE
    while position + 12 <= len(data):
        marker, size = struct.unpack_from(">HH", data, position)
        if marker == _SOT:
            (size,) = struct.unpack_from(">L", data, position + 6)
            if size < 14:  # 0: up to the end marker, which is missing
                return False
        elif not 0xFF00 < marker < _SOT:
            return True  # the end marker, and more than padding behind it
        else:
            size += 2
        position += size
    return position <= len(data)
