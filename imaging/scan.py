"""The loop that walks the elements of a data set (PS3.5 7), without reading their values.

It runs for every instance received, so it trades a little repetition for speed: positions
and buffer are local variables and every element costs one `unpack_from` and one dict entry.
"""

import struct
from dataclasses import dataclass

from imaging.dictionary import LONG_VRS, SEQUENCE_TAGS, SHORT_VRS
from imaging.encoding import PIXEL_TAGS, UNDEFINED, Encoding
from imaging.errors import LimitExceededError, UnreadableError
from imaging.nesting import Nesting, check_defined, skip_sequence, skip_unknown
from imaging.source import Source

# VR as written (None in implicit VR), offset and length of the value. The length of a
# sequence of undefined length includes its delimiter.
Entry = tuple[bytes | None, int, int]


@dataclass(slots=True)
class Scan:
    """What one walk found."""

    elements: dict[int, Entry]
    end: int
    flags: set[str]
    pixel_tag: int | None = None
    pixel_length: int = 0
    pixel_vr: bytes | None = None
    pixel_offset: int = 0


def scan_elements(
    source: Source, position: int, end: int, encoding: Encoding, *, depth: int = 0
) -> Scan:
    """Walk the elements in `[position, end)`; at depth 0 stop at the pixel data.

    Raises
    ------
    UnreadableError
        An element claims more bytes than there are.
    LimitExceededError
        More elements or deeper nesting than the limits of `source` allow.
    """
    found = Scan({}, position, set())
    try:
        _scan(source, position, end, encoding, depth, found)
    except struct.error:
        raise UnreadableError("cut short within the header of an element") from None
    source.count_elements(len(found.elements))
    return found


def _scan(  # noqa: C901, PLR0912, PLR0915 - one hot loop; calls would double its time
    source: Source, position: int, end: int, encoding: Encoding, depth: int, found: Scan
) -> None:
    elements = found.elements
    implicit = encoding.implicit
    unpack_explicit = encoding.explicit.unpack_from
    unpack_head = encoding.head.unpack_from
    unpack_long = encoding.long_length.unpack_from
    most = source.limits.elements
    count = 0
    buffer, base, limit = b"", 0, -1
    while position < end:
        if position + 12 > limit or position < base:
            if end - position < 8:
                _leftover(source, position, end, found)
                break
            source.ensure(position, min(12, end - position))
            buffer, base = source.buffer, source.base
            limit = base + len(buffer)
        at = position - base
        vr: bytes | None
        if implicit:
            group, element, length = unpack_head(buffer, at)
            vr = None
            start = position + 8
            tag = group << 16 | element
        else:
            group, element, vr, length = unpack_explicit(buffer, at)
            tag = group << 16 | element
            if vr in SHORT_VRS:
                start = position + 8
            elif vr in LONG_VRS:
                (length,) = unpack_long(buffer, at + 8)
                start = position + 12
            else:
                vr, start, length = _odd_header(source, position, end, encoding, found)
        if start + length > end or tag in SEQUENCE_TAGS or vr == b"SQ":
            if group == 0xFFFE or tag == 0:
                position = _stray(source, position, end, tag, found)
                if position < 0:
                    break
                continue
            if tag in PIXEL_TAGS and depth == 0:
                found.pixel_length = length
            elif length == UNDEFINED:
                if vr == b"UN":
                    stop = skip_unknown(source, start, depth + 1, found.flags)
                else:
                    nested = Nesting(encoding, depth + 1, opaque=vr in (b"OB", b"OW"))
                    stop = skip_sequence(source, start, None, nested, found.flags)
                length = stop - start
            elif start + length > end:
                raise UnreadableError(
                    f"element ({group:04X},{element:04X}) claims {length} bytes:"
                    f" {start + length - end} bytes are missing"
                )
            else:
                check_defined(source, start, length, vr, encoding, depth + 1, found.flags)
            limit = -1
        elif tag < 0x00020000 or group == 0xFFFE:
            position = _stray(source, position, end, tag, found)
            if position < 0:
                break
            continue
        if tag in PIXEL_TAGS and depth == 0:
            found.pixel_tag, found.pixel_vr = tag, vr
            found.pixel_offset, found.pixel_length = start, length
            position = start
            break
        elements[tag] = (vr, start, length)
        position = start + length
        count += 1
        if count > most:
            raise LimitExceededError(f"more than {most} elements")
    found.end = position if position >= 0 else end


def _odd_header(
    source: Source, position: int, end: int, encoding: Encoding, found: Scan
) -> tuple[bytes | None, int, int]:
    """Read the header of an element in explicit VR whose VR is none that we know."""
    at = position - source.base
    group, _element, vr, short = encoding.explicit.unpack_from(source.buffer, at)
    if group == 0xFFFE:
        return None, position + 8, 0
    found.flags.add("unknown_vr")
    if vr.isalpha() and vr.isupper():
        # A VR of a later edition: they all have four bytes of length (PS3.5 6.2).
        if source.buffer[at + 8 : at + 12] and short == 0:
            (length,) = encoding.long_length.unpack_from(source.buffer, at + 8)
            if position + 12 + length <= end:
                return b"UN", position + 12, length
        return b"UN", position + 8, short
    # No VR at all: an element in implicit VR amid explicit ones, else two bytes of length.
    (length,) = encoding.long_length.unpack_from(source.buffer, at + 4)
    if position + 8 + length <= end and not (vr in (b"??", b"  ") or vr.isalpha()):
        return None, position + 8, length
    return b"UN", position + 8, short


def _stray(source: Source, position: int, end: int, tag: int, found: Scan) -> int:
    """Step over what does not belong between elements; -1 means that the data set ends here."""
    if tag >> 16 == 0xFFFE:
        found.flags.add("stray_delimiter")
        return position + 8
    # Group 0 and 1 do not occur in a data set: padding or rubbish after its end.
    _leftover(source, position, end, found)
    return -1


def _leftover(source: Source, position: int, end: int, found: Scan) -> None:
    """Judge the bytes after the last element: zeros are padding, the rest is flagged."""
    sample = source.slice(position, min(end - position, 4096)) or b""
    if sample.strip(b"\0"):
        if not found.elements:
            raise UnreadableError("no element where a data set should be")
        found.flags.add("trailing_garbage")
    else:
        found.flags.add("trailing_padding")
