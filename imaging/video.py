"""What the bytes of a video stream say: its container, where decoding may begin, which sizes.

Nothing is decoded here. The coded pictures of H.264 (ITU-T H.264), HEVC (H.265) and MPEG-2
(H.262) begin with start codes; that is all that is read of them.
"""

from __future__ import annotations

import re

from imaging.h264 import begins_with_intra

MP4 = "video/mp4"
TRANSPORT_STREAM = "video/mp2t"
MPEG = "video/mpeg"
H264 = "video/h264"
H265 = "video/h265"
UNKNOWN = "application/octet-stream"
# So many first bytes are looked at: three packets of the longest kind.
HEAD_BYTES = 3 * 204
_PACKETS = ((188, 0), (192, 4), (204, 0))
_PROGRAM, _SEQUENCE = b"\0\0\1\xba", b"\0\0\1\xb3"
_HEVC_FIRST = frozenset({0x40, 0x42, 0x44, 0x46})
# What is decoded, by the four letters by which FFmpeg calls it.
CODECS = {"mpg1": "MPEG-1", "mpg2": "MPEG-2", "h264": "H.264", "hevc": "HEVC"}
_START = b"\0\0\1"
# Extension 8 up to the byte that begins with progressive_frame (H.262, 6.2.3.1).
_PICTURE_EXTENSION = re.compile(rb"\x00\x00\x01\xb5[\x80-\x8f]...(.)", re.DOTALL)
_UNIT = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_H264_SPS, _H264_SETS = {7}, {7, 8, 13, 15}
_HEVC_SPS, _HEVC_SETS = {33}, {32, 33, 34}
_HEVC_CLOSED, _HEVC_SLICES, _HEVC_MESSAGES = {19, 20}, range(32), {39, 40}


def recognise_container(head: bytes) -> str:
    """Return the media type that the first `HEAD_BYTES` of a stream show."""
    if head[4:8] == b"ftyp":
        return MP4
    for length, first in _PACKETS:
        places = range(first, len(head), length)
        if len(places) > 1 and all(head[place] == 0x47 for place in places):
            return TRANSPORT_STREAM
    if head[:4] in (_PROGRAM, _SEQUENCE):
        return MPEG
    start = re.match(rb"\x00{2,16}\x01", head)
    if start is None or start.end() + 1 >= len(head):
        return UNKNOWN
    unit, following = head[start.end()], head[start.end() + 1]
    return H265 if unit in _HEVC_FIRST and following == 1 else H264


def demuxer_of(container: str, head: bytes) -> str:
    """Return FFmpeg's name of what unpacks a container; empty when nothing may."""
    if container == MPEG:
        return "mpeg" if head.startswith(_PROGRAM) else "mpegvideo"
    return {MP4: "mov", TRANSPORT_STREAM: "mpegts", H264: "h264", H265: "hevc"}.get(container, "")


def elementary_of(codec: str) -> str:
    """Return FFmpeg's name of what reads the bare pictures of a codec."""
    return "mpegvideo" if codec in ("mpg1", "mpg2") else codec


def is_start(codec: str, packet: bytes) -> bool:
    """Whether decoding may begin with what the demuxer calls a key picture."""
    return codec != "h264" or begins_with_intra(packet)


def begins_closed(codec: str, packet: bytes) -> bool:
    """Whether a key picture needs nothing of what came before, nor what follows it up to the next.

    MPEG-2: a group of pictures that says it is closed. H.264 and HEVC: an IDR picture.
    """
    if codec in ("mpg1", "mpg2"):
        place = packet.find(b"\0\0\1\xb8")
        return 0 <= place <= len(packet) - 8 and bool(packet[place + 7] & 0x40)
    kinds = [kind for kind, _place in _units(codec, packet)]
    if codec == "h264":
        return 5 in kinds
    first = next((kind for kind in kinds if kind in _HEVC_SLICES), None)
    return first in _HEVC_CLOSED


def parameter_sets(codec: str, packet: bytes) -> bytes:
    """Return what a decoder must have read before a picture, as it stands in this packet."""
    if codec in ("mpg1", "mpg2"):
        start = packet.find(_SEQUENCE)
        ends = [
            place for code in (0x00, 0xB8) if (place := packet.find(bytes([0, 0, 1, code]))) >= 0
        ]
        return packet[start : min(ends, default=len(packet))] if start >= 0 else b""
    wanted = _H264_SETS if codec == "h264" else _HEVC_SETS
    return b"".join(_START + unit for unit in _units_of_kind(codec, packet, wanted))


def size_headers(codec: str, packet: bytes) -> list[bytes]:
    """Return what names the size of the pictures in this packet; another one may be another size.

    MPEG-2: width, height, ratios and chroma of the sequence header and its extension; else the
    sequence parameter sets.
    """
    if codec not in ("mpg1", "mpg2"):
        return _units_of_kind(codec, packet, _H264_SPS if codec == "h264" else _HEVC_SPS)
    found = []
    for match in re.finditer(_SEQUENCE, packet):
        header = packet[match.end() : match.end() + 4]
        place = packet.find(b"\0\0\1\xb5", match.end(), match.end() + 160)
        # Extension 1: profile, progressive, chroma format and the high bits of the size.
        extension = packet[place + 4 : place + 7] if place >= 0 else b""
        if len(extension) == 3 and extension[0] >> 4 == 1:
            header += extension[:2] + bytes([extension[2] & 0xE0])
        found.append(header)
    return found


def shown_as_frames(codec: str, packet: bytes) -> bytes:
    """Return MPEG-2 and HEVC so that no picture is called interlaced; no pixel changes.

    The colour conversion behind the decoder refuses what is. MPEG-2 has a flag for it
    (progressive_frame), HEVC messages. H.264: `imaging.h264.ShownAsFrames`.
    """
    if codec == "mpg2":
        changed = bytearray(packet)
        for match in _PICTURE_EXTENSION.finditer(packet):
            changed[match.end() - 1] |= 0x80
        return bytes(changed)
    if codec != "hevc":
        return packet
    units = _units(codec, packet)
    ends = [place - 3 for _kind, place in units[1:]] + [len(packet)]
    return b"".join(
        _START + packet[place:end]
        for (kind, place), end in zip(units, ends, strict=True)
        if kind not in _HEVC_MESSAGES
    )


def _units(codec: str, packet: bytes) -> list[tuple[int, int]]:
    """Return kind and place of every NAL unit behind a start code."""
    shift, mask = (0, 0x1F) if codec == "h264" else (1, 0x3F)
    return [(match.group(1)[0] >> shift & mask, match.start(1)) for match in _UNIT.finditer(packet)]


def _units_of_kind(codec: str, packet: bytes, wanted: set[int]) -> list[bytes]:
    units = _units(codec, packet)
    ends = [place - 3 for _kind, place in units[1:]] + [len(packet)]
    return [
        packet[place:end].rstrip(b"\0")
        for (kind, place), end in zip(units, ends, strict=True)
        if kind in wanted
    ]
