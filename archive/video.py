"""The stream of a stored video: its fragments as one file that can be read anywhere (PS3.5 A.4).

Nothing is decoded here. What kind of file it is, its bytes say, not its sender.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

from archive import storage
from archive.models import Instance
from archive.video_stream import VideoStream
from imaging.errors import UndecodableError, UnreadableError
from imaging.fragments import MAX_FRAGMENTS
from imaging.frames import VIDEO, VIDEO_SYNTAXES, FrameIndex

_HEAD = struct.Struct("<LL")
_ITEM = 0xE000FFFE


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
