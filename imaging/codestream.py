"""What a compressed frame says of itself, read without decoding it.

Sizes are believed by nobody before they agree with the data set: a codec allocates what the
codestream claims, so the claim is checked first.
"""

import struct
from dataclasses import dataclass

from imaging.errors import UndecodableError, UnsupportedError

JPEG = "jpeg"
JPEG_LOSSLESS = "jpeg_lossless"
JPEG_LS = "jpeg_ls"
JPEG_2000 = "jpeg_2000"
HTJ2K = "htj2k"

_LOSSY_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_LOSSLESS_FRAME = 0xC3
_LS_FRAME = 0xF7
_OTHER_FRAMES = frozenset({0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
MAX_MARKERS = 10_000


@dataclass(frozen=True, slots=True)
class Codestream:
    """The claims of a codestream.

    `color_space` is what the stream itself says of three components: `RGB`, `YBR` or empty
    (then the photometric interpretation decides). `has_component_transform` tells that a
    JPEG 2000 decoder gives RGB by itself, `is_reversible` which of its wavelets is used.
    """

    family: str
    rows: int
    columns: int
    components: int
    bits: int
    is_signed: bool = False
    color_space: str = ""
    has_component_transform: bool = False
    is_reversible: bool = True


def read_codestream(data: bytes) -> Codestream:
    """Read the header of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream (or JP2 file).

    Raises
    ------
    UndecodableError
        It is none of these or cut short.
    UnsupportedError
        It is a process of JPEG that nobody uses for DICOM (hierarchical, arithmetic).
    """
    try:
        if data[:2] == b"\xff\xd8":
            return _read_jpeg(data)
        if data[:4] == b"\xff\x4f\xff\x51":
            return _read_j2k(data, 0)
        if data[4:8] == b"jP  ":
            at = data.find(b"\xff\x4f\xff\x51", 0, 65536)
            if at >= 0:
                return _read_j2k(data, at)
    except (struct.error, IndexError):
        raise UndecodableError("the codestream is cut short within its header") from None
    raise UndecodableError("the frame is no JPEG, JPEG-LS or JPEG 2000 codestream")


def _read_jpeg(data: bytes) -> Codestream:
    position = 2
    color_space = ""
    for _ in range(MAX_MARKERS):
        if data[position] != 0xFF:
            raise UndecodableError("the JPEG codestream holds no marker where one is due")
        code = data[position + 1]
        if code == 0xFF:
            position += 1
            continue
        if code in _STANDALONE:
            position += 2
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if length < 2:
            raise UndecodableError("a JPEG segment is shorter than its own length")
        segment = data[position + 4 : position + 2 + length]
        if code in _LOSSY_FRAMES or code in (_LOSSLESS_FRAME, _LS_FRAME):
            return _jpeg_frame(code, segment, color_space)
        if code in _OTHER_FRAMES:
            raise UnsupportedError(f"JPEG process with frame marker {code:02X}")
        if code == 0xDA:
            break
        color_space = _jpeg_color_space(code, segment) or color_space
        position += 2 + length
    raise UndecodableError("the JPEG codestream has no frame header")


def _jpeg_color_space(code: int, segment: bytes) -> str:
    """Return what an application segment says of colour: JFIF is YCbCr, Adobe tells."""
    if code == 0xE0 and segment[:5] == b"JFIF\0":
        return "YBR"
    if code == 0xEE and segment[:5] == b"Adobe" and len(segment) >= 12:
        return "RGB" if segment[11] == 0 else "YBR"
    return ""


def _jpeg_frame(code: int, segment: bytes, color_space: str) -> Codestream:
    bits, rows, columns, components = struct.unpack_from(">BHHB", segment)
    identifiers = segment[6 : 6 + 3 * components : 3]
    family = JPEG
    if code == _LOSSLESS_FRAME:
        family, color_space = JPEG_LOSSLESS, ""
    elif code == _LS_FRAME:
        family, color_space = JPEG_LS, ""
    elif identifiers == b"RGB" and not color_space:
        color_space = "RGB"
    if not components or not bits:
        raise UndecodableError("the JPEG frame header holds no components")
    return Codestream(family, rows, columns, components, bits, color_space=color_space)


def _read_j2k(data: bytes, start: int) -> Codestream:
    (_capabilities, width, height, left, top) = struct.unpack_from(">HLLLL", data, start + 6)
    (components,) = struct.unpack_from(">H", data, start + 40)
    if not 1 <= components <= 16384:
        raise UndecodableError("the JPEG 2000 codestream holds no components")
    depths = {data[start + 42 + 3 * number] for number in range(min(components, 4))}
    depth = data[start + 42]
    if len(depths) > 1:
        raise UnsupportedError("JPEG 2000 components of different depth")
    steps = {data[start + 42 + 3 * n + 1 : start + 45 + 3 * n] for n in range(min(components, 4))}
    if steps != {b"\x01\x01"}:
        raise UnsupportedError("JPEG 2000 components are subsampled")
    (length,) = struct.unpack_from(">H", data, start + 4)
    position = start + 4 + length
    family, transform, reversible = JPEG_2000, False, True
    for _ in range(MAX_MARKERS):
        marker, size = struct.unpack_from(">HH", data, position)
        if marker == 0xFF50:
            family = HTJ2K
        elif marker == 0xFF52:
            transform = data[position + 8] == 1
            reversible = data[position + 13] == 1
        elif marker in (0xFF90, 0xFFD9):
            break
        position += 2 + max(size, 2)
    return Codestream(
        family,
        rows=height - top,
        columns=width - left,
        components=components,
        bits=(depth & 0x7F) + 1,
        is_signed=bool(depth & 0x80),
        has_component_transform=transform,
        is_reversible=reversible,
    )
