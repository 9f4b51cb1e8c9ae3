"""The stream of a stored video: its fragments as one file that can be read anywhere (PS3.5 A.4).

Nothing is decoded here. What kind of file it is, its bytes say, not its sender.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, BinaryIO

from django.urls import reverse
from django.utils.translation import gettext as _

from archive import storage
from archive.models import Instance
from imaging.errors import NoctisError, UndecodableError, UnreadableError
from imaging.fragments import MAX_FRAGMENTS
from imaging.frames import VIDEO, VIDEO_SYNTAXES, FrameIndex

MP4 = "video/mp4"
TRANSPORT_STREAM = "video/mp2t"
MPEG = "video/mpeg"
H264 = "video/h264"
UNKNOWN = "application/octet-stream"
PIECE_BYTES = 256 << 10
_PACKET_BYTES = 188
_HEAD = struct.Struct("<LL")
_ITEM = 0xE000FFFE
_START = (b"\0\0\1", b"\0\0\0\1")


class VideoStream:
    """The bytes of a video, counted from 0 without item headers; close it after use.

    Attributes
    ----------
    size
        Bytes of the stream, a padding byte at its end included.
    content_type
        What the first bytes are.
    """

    def __init__(self, file: BinaryIO, spans: list[tuple[int, int]]) -> None:
        self._file = file
        self._offsets = [offset for offset, _length in spans]
        self._starts = [0]
        for _offset, length in spans:
            self._starts.append(self._starts[-1] + length)
        self.size = self._starts[-1]
        self.content_type = recognise_container(self.read(0, 2 * _PACKET_BYTES))

    def read(self, start: int, count: int) -> bytes:
        """Return at most `count` bytes from `start`: up to the end of a fragment."""
        if not 0 <= start < self.size:
            return b""
        part = bisect_right(self._starts, start) - 1
        count = min(count, self._starts[part + 1] - start)
        data = os.pread(
            self._file.fileno(), count, self._offsets[part] + start - self._starts[part]
        )
        if len(data) != count:
            raise UnreadableError("The file is damaged: it ends before its video.")
        return data

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to, not with, `end`; the file is closed then."""
        try:
            while start < end and (piece := self.read(start, min(PIECE_BYTES, end - start))):
                yield piece
                start += len(piece)
        finally:
            self.close()

    def close(self) -> None:
        """Close the file; safe to repeat."""
        self._file.close()


def is_video(instance: Instance) -> bool:
    """Whether the instance's pixels are a video stream."""
    return instance.transfer_syntax_uid in VIDEO_SYNTAXES


def open_video(instance: Instance) -> VideoStream:
    """Open the video of an instance.

    Raises
    ------
    MissingError
        The file is not there.
    UnreadableError
        The file is damaged: another size than was stored, or no fragments where they should be.
    UndecodableError
        There is no video in it.
    """
    packed = instance.frame_table
    index = FrameIndex.from_bytes(bytes(packed)) if packed else None
    if index is None or index.kind != VIDEO or not index.count:
        raise UndecodableError("There is no usable video in this file.")
    file = storage.open_instance(instance.storage_key)
    try:
        if os.fstat(file.fileno()).st_size != instance.size_bytes:
            raise UnreadableError("The file is damaged: it has another size than was stored.")
        return VideoStream(file, _find_spans(file, *index.span(0)))
    except BaseException:
        file.close()
        raise


def _find_spans(file: BinaryIO, position: int, length: int) -> list[tuple[int, int]]:
    """Return offset and length of every fragment between two places of the file."""
    spans: list[tuple[int, int]] = []
    end = position + length
    while position + _HEAD.size <= end and len(spans) < MAX_FRAGMENTS:
        head = os.pread(file.fileno(), _HEAD.size, position)
        tag, count = _HEAD.unpack(head) if len(head) == _HEAD.size else (0, 0)
        position += _HEAD.size
        if tag != _ITEM or position + count > end:
            raise UnreadableError("The file is damaged: its video is not where it was stored.")
        if count:
            spans.append((position, count))
        position += count
    return spans


def recognise_container(head: bytes) -> str:
    """Return the media type that the first bytes of a stream show."""
    if head[4:8] == b"ftyp":
        return MP4
    if head[:1] == b"G" and head[_PACKET_BYTES : _PACKET_BYTES + 1] == b"G":
        return TRANSPORT_STREAM
    if head[:4] in (b"\0\0\1\xba", b"\0\0\1\xb3"):
        return MPEG
    if head.startswith(_START):
        return H264
    return UNKNOWN


def describe_video(instance: Instance) -> dict[str, Any]:
    """Return what the viewer needs of a video, and in words why no browser plays it."""
    document = {
        "instance_id": str(instance.pk),
        "sop_instance_uid": instance.sop_instance_uid,
        "instance_number": instance.instance_number,
        "frame_time_ms": instance.image.get("frame_time_ms"),
        "url": reverse("api:instance-video", args=[instance.pk]),
        "content_type": UNKNOWN,
        "why_not": "",
    }
    try:
        stream = open_video(instance)
    except NoctisError as error:
        return {**document, "why_not": str(error)}
    stream.close()
    return {
        **document,
        "content_type": stream.content_type,
        "why_not": _why_not_playable(instance.transfer_syntax_uid, stream.content_type),
    }


def _why_not_playable(transfer_syntax_uid: str, content_type: str) -> str:
    if content_type == MPEG or transfer_syntax_uid.split(".")[8:9] in (["100"], ["101"]):
        return _("Browsers do not play MPEG-2 video.")
    if content_type == TRANSPORT_STREAM:
        return _("Browsers do not play MPEG transport streams.")
    if content_type != MP4:
        return _("The video is not in a file format that browsers play.")
    return ""
