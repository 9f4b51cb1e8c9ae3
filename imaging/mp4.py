"""What an MP4 file says of its pictures, without decoding any (ISO/IEC 14496-12, -15)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from imaging.errors import LimitExceededError, UndecodableError, UnsupportedError

AVC, HEVC = "h264", "hevc"
_CODECS = {b"avc1": AVC, b"avc3": AVC, b"hvc1": HEVC, b"hev1": HEVC}
_CONFIGURATION = {AVC: b"avcC", HEVC: b"hvcC"}
_MOST_BOXES = 100_000
_MOST_INDEX_BYTES = 64 << 20
_MOST_FRAMES = 2**31 - 1
# A visual sample entry up to the boxes in it.
_ENTRY_BYTES = 86

Read = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Mp4:
    """The one video track: codec with profile and level as it writes them, size, frames, time."""

    codec: str
    profile: int
    level: int
    bits: int
    rows: int
    columns: int
    frames: int
    frame_time_ms: float


def read_mp4(read: Read, size: int) -> Mp4:
    """Return what an MP4 file of `size` bytes says; `read(offset, count)` gives its bytes.

    Raises
    ------
    UndecodableError
        It is no MP4, or damaged.
    UnsupportedError
        It has no video track, or one whose frames are nowhere counted.
    LimitExceededError
        Its index is larger than the bounds allow.
    """
    try:
        return _read_index(_find_index(read, size))
    except (struct.error, IndexError, ValueError):
        raise UndecodableError("the MP4 file is damaged") from None


def _find_index(read: Read, size: int) -> bytes:
    position = 0
    for _ in range(_MOST_BOXES):
        head = read(position, 16)
        if len(head) < 8:
            break
        length, kind = struct.unpack_from(">L4s", head)
        start = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
            start = 16
        elif length == 0:
            length = size - position
        if length < start or position + length > size:
            break
        if kind == b"moov":
            if length > _MOST_INDEX_BYTES:
                raise LimitExceededError("The index of the MP4 file is too large.")
            return read(position + start, length - start)
        position += length
    raise UndecodableError("the MP4 file has no index")


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each box."""
    position = 0
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">L4s", data, position)
        start = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, position + 8)
            start = 16
        elif length == 0:
            length = len(data) - position
        if length < start or position + length > len(data):
            raise ValueError("a box is longer than what holds it")
        yield kind, data[position + start : position + length]
        position += length


def _inside(data: bytes, *path: bytes) -> bytes:
    """Return the content of the first box along a path."""
    for wanted in path:
        data = next((content for kind, content in _boxes(data) if kind == wanted), b"")
    return data


def _read_index(index: bytes) -> Mp4:
    tracks = [_inside(content, b"mdia") for kind, content in _boxes(index) if kind == b"trak"]
    films = [media for media in tracks if _inside(media, b"hdlr")[8:12] == b"vide"]
    if len(films) != 1:
        raise UnsupportedError("An MP4 file with one video track is taken, no other.")
    (media,) = films
    table = _inside(media, b"minf", b"stbl")
    codec, entry = _read_entry(_inside(table, b"stsd"))
    profile, level, bits = _read_configuration(codec, entry)
    rows, columns = struct.unpack_from(">HH", entry, 24)[::-1]
    frames, ticks = _count_frames(_inside(table, b"stts"))
    scale = _read_scale(_inside(media, b"mdhd"))
    if not 0 < frames <= _MOST_FRAMES or not ticks or not scale or not rows or not columns:
        raise UnsupportedError("The MP4 file does not count its pictures.")
    return Mp4(codec, profile, level, bits, rows, columns, frames, 1000 * ticks / scale / frames)


def _read_entry(table: bytes) -> tuple[str, bytes]:
    """Return the codec and the one sample entry, from behind its head."""
    (count,) = struct.unpack_from(">L", table, 4)
    kind, entry = next(_boxes(table[8:]))
    if count != 1 or kind not in _CODECS:
        raise UnsupportedError("The MP4 file holds no H.264 and no HEVC.")
    return _CODECS[kind], entry


def _read_configuration(codec: str, entry: bytes) -> tuple[int, int, int]:
    """Return profile, level and bits a sample."""
    record = _inside(entry[_ENTRY_BYTES - 8 :], _CONFIGURATION[codec])
    if codec == AVC:
        return record[1], record[3], 8
    return record[1] & 0x1F, record[12], (record[17] & 7) + 8


def _count_frames(table: bytes) -> tuple[int, int]:
    """Return the number of pictures and how many ticks they last."""
    (count,) = struct.unpack_from(">L", table, 4)
    runs = [struct.unpack_from(">LL", table, 8 + 8 * number) for number in range(count)]
    return sum(frames for frames, _ in runs), sum(frames * ticks for frames, ticks in runs)


def _read_scale(head: bytes) -> int:
    """Return the ticks of a second."""
    (scale,) = struct.unpack_from(">L", head, 20 if head[0] == 1 else 12)
    return int(scale)
