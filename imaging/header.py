"""Read the header of a DICOM file: everything before the pixels, bounded and fast (PS3.10 7).

Values are located, not read; nothing is allocated because a length says so. What real
archives hold is accepted where its meaning is clear, and flagged.
"""

from dataclasses import dataclass
from struct import Struct
from typing import BinaryIO

from imaging.dictionary import LONG_VRS, SHORT_VRS
from imaging.elements import ElementView
from imaging.encoding import (
    DOUBLE_FLOAT_PIXEL_DATA,
    EXPLICIT_BIG,
    EXPLICIT_LITTLE,
    FLOAT_PIXEL_DATA,
    IMPLICIT_LITTLE,
    PIXEL_DATA,
    UNDEFINED,
    Encoding,
)
from imaging.errors import UnreadableError
from imaging.scan import Scan, scan_elements
from imaging.source import DEFAULT_LIMITS, HeaderLimits, Source, inflate

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
# Implicit VR little endian with pixels in big endian, private to GE.
GE_PRIVATE_BIG_ENDIAN = "1.2.840.113619.5.2"
DEFLATED_SYNTAXES = frozenset({DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.95"})
NATIVE_SYNTAXES = frozenset(
    {
        IMPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_LITTLE_ENDIAN,
        DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        GE_PRIVATE_BIG_ENDIAN,
    }
)
PIXEL_KEYWORDS = {
    PIXEL_DATA: "PixelData",
    FLOAT_PIXEL_DATA: "FloatPixelData",
    DOUBLE_FLOAT_PIXEL_DATA: "DoubleFloatPixelData",
}
# Groups with which a data set without file meta information may begin.
FIRST_GROUPS = frozenset({0x0004, 0x0008, 0x0010, 0x0018, 0x0020, 0x0028})

_META_HEAD = Struct("<HH2sH")
_LONG = Struct("<L")
_ANY_HEAD = {True: Struct("<HHL"), False: Struct(">HHL")}


@dataclass(frozen=True, slots=True)
class PixelElement:
    """Where the pixel data lie.

    `offset` is that of the value: the first pixel, or the item of the basic offset table when
    encapsulated. `length` is None when encapsulated (PS3.5 A.4 leaves it undefined). In a
    deflated file both count in the inflated data set.
    """

    keyword: str
    offset: int
    length: int | None
    encapsulated: bool
    vr: str


@dataclass(frozen=True, slots=True)
class FileMeta:
    """File meta information (PS3.10 7.1); empty text where it is missing."""

    transfer_syntax_uid: str = ""
    media_storage_sop_class_uid: str = ""
    media_storage_sop_instance_uid: str = ""
    implementation_class_uid: str = ""
    implementation_version_name: str = ""
    source_application_entity_title: str = ""


META_KEYWORDS = {
    0x00020010: "transfer_syntax_uid",
    0x00020002: "media_storage_sop_class_uid",
    0x00020003: "media_storage_sop_instance_uid",
    0x00020012: "implementation_class_uid",
    0x00020013: "implementation_version_name",
    0x00020016: "source_application_entity_title",
}


class Header(ElementView):
    """The header of one file: an `ElementView` of its data set, and where things are.

    Attributes
    ----------
    meta
        The file meta information as written.
    transfer_syntax_uid
        The syntax that the data set is really in: as `meta` says, or as found when `meta` is
        missing or contradicts the bytes (then `flags` holds `no_meta` or `syntax_mismatch`).
    dataset_offset
        Offset of the data set in the file.
    pixel
        The pixel data element or None.
    flags
        Short codes for everything that was accepted although the standard forbids it.
    """

    __slots__ = ("dataset_offset", "meta", "pixel", "transfer_syntax_uid")

    meta: FileMeta
    transfer_syntax_uid: str
    dataset_offset: int
    pixel: PixelElement | None

    @property
    def is_deflated(self) -> bool:
        """Whether offsets count in the inflated data set instead of the file."""
        return self.transfer_syntax_uid in DEFLATED_SYNTAXES


def read_header(file: BinaryIO, *, size: int, limits: HeaderLimits = DEFAULT_LIMITS) -> Header:
    """Read the header of a DICOM file of `size` bytes.

    The file need not stay open afterwards: values up to `limits.value_bytes` and all
    sequences are kept.

    Raises
    ------
    UnreadableError
        Not DICOM, malformed, or an element claims more bytes than the file has.
    LimitExceededError
        Depth, number of elements, header or inflated bytes exceed `limits`.
    """
    source = Source(file, size, limits)
    if size < 8:
        raise UnreadableError("too short to be DICOM")
    source.ensure(0, min(size, 132))
    flags: set[str] = set()
    start = 0
    if source.buffer[128:132] == b"DICM" and not _dataset_starts_at_zero(source):
        start = 132
    elif source.buffer[:4] == b"DICM":
        start = 4
        flags.add("no_preamble")
    else:
        flags.add("no_preamble")
    values, start = _read_meta(source, start, flags)
    meta = FileMeta(**values)
    if not meta.transfer_syntax_uid:
        flags.add("no_meta")
    syntax, dataset_offset = meta.transfer_syntax_uid, start
    if syntax in DEFLATED_SYNTAXES:
        source = Source.of_bytes(inflate(file, start, limits.inflated_bytes), limits)
        start = 0
    encoding, syntax = _recognise(source, start, syntax, flags)
    found = scan_elements(source, start, source.size, encoding)
    found.flags |= flags
    _keep_last_value(source, found)
    pixel = _pixel_element(source, found, encoding)
    if pixel is not None and pixel.length is not None and not pixel.encapsulated:
        _scan_behind_pixels(source, found, encoding)
    header = Header(source, found.elements, encoding, found.flags)
    header.meta = meta
    header.transfer_syntax_uid = syntax
    header.dataset_offset = dataset_offset
    header.pixel = pixel
    source.detach()
    return header


def _dataset_starts_at_zero(source: Source) -> bool:
    """Whether "DICM" at offset 128 is text of a data set that has no preamble."""
    if source.size >= 134:
        source.ensure(0, 134)
    if source.buffer[132:134] == b"\x02\x00":
        return False
    group, _element, vr, _length = _META_HEAD.unpack_from(source.buffer)
    return group in FIRST_GROUPS and (vr in SHORT_VRS or vr in LONG_VRS)


def _read_meta(source: Source, start: int, flags: set[str]) -> tuple[dict[str, str], int]:
    """Read group 0002, whatever its group length claims; return it and where it ends."""
    values: dict[str, str] = {}
    position = start
    while position + 8 <= source.size:
        source.ensure(position, min(12, source.size - position))
        at = position - source.base
        group, element, vr, length = _META_HEAD.unpack_from(source.buffer, at)
        if group != 2:
            break
        offset = 8
        if vr in LONG_VRS:
            if position + 12 > source.size:
                raise UnreadableError("cut short within the file meta information")
            (length,) = _LONG.unpack_from(source.buffer, at + 8)
            offset = 12
        elif vr not in SHORT_VRS:
            (length,) = _LONG.unpack_from(source.buffer, at + 4)
            flags.add("implicit_meta")
        if position + offset + length > source.size:
            missing = position + offset + length - source.size
            raise UnreadableError(f"file meta information: {missing} bytes are missing")
        name = META_KEYWORDS.get(group << 16 | element)
        if name and length <= 128:
            raw = source.slice(position + offset, length) or b""
            values[name] = raw.decode("ascii", "replace").strip(" \0")
        position += offset + length
        source.count_elements()
    return values, position


def _recognise(source: Source, start: int, declared: str, flags: set[str]) -> tuple[Encoding, str]:
    """Return how the data set is really encoded: declared, checked against its first element."""
    if start >= source.size:
        raise UnreadableError("there is no data set")
    if start + 8 > source.size:
        raise UnreadableError("cut short before the first element")
    source.ensure(start, 8)
    at = start - source.base
    group, _element, implicit_length = _ANY_HEAD[True].unpack_from(source.buffer, at)
    vr = source.buffer[at + 4 : at + 6]
    has_vr = vr in SHORT_VRS or vr in LONG_VRS
    room = source.size - start - 8
    if not declared and group not in FIRST_GROUPS and group & 0xFF:
        raise UnreadableError("not DICOM")
    little = group & 0xFF != 0 or group == 0
    if has_vr and not (implicit_length <= room and declared == IMPLICIT_VR_LITTLE_ENDIAN):
        encoding = EXPLICIT_LITTLE if little else EXPLICIT_BIG
    elif little and (implicit_length <= room or implicit_length == UNDEFINED):
        encoding = IMPLICIT_LITTLE
    else:
        raise UnreadableError("not DICOM, or damaged at the start of the data set")
    if not declared:
        _check_first_tag(source, at, little)
    return encoding, _actual_syntax(declared, encoding, flags)


def _check_first_tag(source: Source, at: int, little: bool) -> None:
    """Refuse a data set without file meta information whose first tag no data set begins with."""
    group, _element, _length = _ANY_HEAD[little].unpack_from(source.buffer, at)
    if group not in FIRST_GROUPS:
        raise UnreadableError("not DICOM")


def _actual_syntax(declared: str, encoding: Encoding, flags: set[str]) -> str:
    native = {
        EXPLICIT_LITTLE: EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_BIG: EXPLICIT_VR_BIG_ENDIAN,
        IMPLICIT_LITTLE: IMPLICIT_VR_LITTLE_ENDIAN,
    }[encoding]
    if not declared:
        return native
    expected = {
        IMPLICIT_VR_LITTLE_ENDIAN: IMPLICIT_LITTLE,
        GE_PRIVATE_BIG_ENDIAN: IMPLICIT_LITTLE,
        EXPLICIT_VR_BIG_ENDIAN: EXPLICIT_BIG,
    }.get(declared, EXPLICIT_LITTLE)
    if expected is encoding:
        return declared
    flags.add("syntax_mismatch")
    return native if declared in NATIVE_SYNTAXES and declared not in DEFLATED_SYNTAXES else declared


def _keep_last_value(source: Source, found: Scan) -> None:
    """Read the last value, too, unless it is long: nothing behind it has made us read it."""
    if found.elements:
        _vr, start, length = found.elements[next(reversed(found.elements))]
        if length <= source.limits.value_bytes:
            source.ensure(start, length)


def _pixel_element(source: Source, found: Scan, encoding: Encoding) -> PixelElement | None:
    if found.pixel_tag is None:
        return None
    offset, length = found.pixel_offset, found.pixel_length
    encapsulated = length == UNDEFINED
    if not encapsulated and offset + length > source.size:
        missing = offset + length - source.size
        raise UnreadableError(f"pixel data cut short: {missing} of {length} bytes are missing")
    vr = found.pixel_vr or (b"OW" if encoding.implicit else b"UN")
    return PixelElement(
        keyword=PIXEL_KEYWORDS[found.pixel_tag],
        offset=offset,
        length=None if encapsulated else length,
        encapsulated=encapsulated,
        vr=vr.decode("latin-1"),
    )


def _begins_with_element(source: Source, position: int, encoding: Encoding) -> bool:
    """Whether what follows the pixels is a data set that goes on, and not rubbish.

    Only explicit VR can be told apart from rubbish; trailing padding (FFFC,FFFC) may be cut.
    """
    if encoding.implicit or position + 8 > source.size:
        return False
    source.ensure(position, 8)
    at = position - source.base
    group, element, vr, _length = encoding.explicit.unpack_from(source.buffer, at)
    is_known = vr in SHORT_VRS or vr in LONG_VRS
    return is_known and PIXEL_DATA < (group << 16 | element) < 0xFFFCFFFC


def _scan_behind_pixels(source: Source, found: Scan, encoding: Encoding) -> None:
    """Locate what follows the pixels (signatures, padding); rubbish there is only flagged."""
    position = found.pixel_offset + found.pixel_length
    if position >= source.size:
        return
    try:
        behind = scan_elements(source, position, source.size, encoding, depth=1)
        _keep_last_value(source, behind)
    except UnreadableError as error:
        if type(error) is not UnreadableError or _begins_with_element(source, position, encoding):
            raise
        found.flags.add("trailing_garbage")
        return
    found.flags |= behind.flags
    for tag, entry in behind.elements.items():
        found.elements.setdefault(tag, entry)
