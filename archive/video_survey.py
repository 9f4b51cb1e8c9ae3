"""The first look at a video, in the worker: every packet is seen once, a few are decoded."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2

from archive.video_decode import (
    MAX_FRAME_PX,
    MEASURE_PACKETS,
    Packets,
    count_frames,
    rotation_of,
)
from archive.video_stream import VideoStream
from imaging.errors import UndecodableError
from imaging.h264 import FieldPairs
from imaging.video import begins_closed, is_start, parameter_sets, size_headers
from imaging.video_table import MAX_FRAMES, Segment, VideoTable

MAX_GROUPS = 256
# A beginning that leans on nothing is only tried.
_TRIED_PACKETS = 16


@dataclass
class _Start:
    """A segment that grows while its packets are counted."""

    packet: int
    closed: bool
    group: int
    frames: int = 0


@dataclass
class _Group:
    """Pictures of one size: the headers that name it, and the first packets."""

    sets: bytes
    known: set[bytes]
    start: int
    sample: list[bytes] = field(default_factory=list)
    sample_frames: int = 0


class _Survey:
    """Notes where decoding may begin, and how many frames there are on the way."""

    def __init__(self, packets: Packets, *, any_start: bool) -> None:
        self._packets = packets
        self._codec = packets.codec
        self._any_start = any_start
        self._fields = FieldPairs()
        self.starts: list[_Start] = []
        self.groups: list[_Group] = []

    def run(self) -> None:
        for packet in self._packets:
            self._add(packet)
            if self._packets.place > MAX_FRAMES:
                raise UndecodableError(f"The video has more than {MAX_FRAMES} pictures.")
        self._measure()

    def _add(self, packet: bytes) -> None:
        is_key = self._packets.is_key and is_start(self._codec, packet)
        if not self.starts and not is_key and not self._any_start:
            return  # the stream was cut: nothing before the first key picture can be decoded
        is_second = self._codec == "h264" and self._fields.is_second(packet)
        sizes = size_headers(self._codec, packet)
        opens_group = not self.groups or any(size not in self.groups[-1].known for size in sizes)
        if opens_group:
            self._measure()
            if len(self.groups) >= MAX_GROUPS:
                raise UndecodableError("The video changes its size too often.")
            self.groups.append(_Group(b"", set(sizes), len(self.starts)))
        group = self.groups[-1]
        if opens_group or (is_key and not is_second):
            closed = is_key and begins_closed(self._codec, packet)
            self.starts.append(_Start(self._packets.place - 1, closed, len(self.groups) - 1))
        group.sets = group.sets or parameter_sets(self._codec, packet)
        start = self.starts[-1]
        start.frames += not is_second
        is_first = len(self.starts) - 1 == group.start
        limit = _TRIED_PACKETS if start.closed else MEASURE_PACKETS
        if is_first and len(group.sample) < limit:
            group.sample.append(packet)
            group.sample_frames += not is_second

    def _measure(self) -> None:
        """Take what cannot be decoded at the beginning of the last group from its frames."""
        if not self.groups:
            return
        group = self.groups[-1]
        start = self.starts[group.start]
        count = count_frames(self._codec, [group.sets, *group.sample])
        if not count and len(self.groups) == 1:
            raise UndecodableError("The video cannot be decoded.")
        if not start.closed:
            start.frames -= max(0, group.sample_frames - count)

    def segments(self) -> list[Segment]:
        frame, made = 0, []
        for start in self.starts:
            made.append(Segment(start.packet, frame, start.closed, start.group))
            frame += start.frames
        return made


def survey(stream: VideoStream) -> VideoTable:
    """Return the table of a video.

    Raises
    ------
    UndecodableError
        It is no video, in no known container or codec, too large, or does not decode.
    """
    for any_start in (False, True):
        packets = Packets(stream)
        found = _Survey(packets, any_start=any_start)
        found.run()
        if found.starts:
            return _table(stream, packets, found)
    raise UndecodableError("There is no picture in this video.")


def _table(stream: VideoStream, packets: Packets, found: _Survey) -> VideoTable:
    def ask(name: int) -> float:
        return float(packets.capture.get(name))

    rows, columns = int(ask(cv2.CAP_PROP_FRAME_HEIGHT)), int(ask(cv2.CAP_PROP_FRAME_WIDTH))
    if rows <= 0 or columns <= 0 or rows * columns > MAX_FRAME_PX:
        raise UndecodableError(f"The video has pictures of {columns} x {rows} pixels.")
    letters = int(ask(cv2.CAP_PROP_CODEC_PIXEL_FORMAT)) & 0xFFFFFFFF
    rate, wide, high = (
        ask(cv2.CAP_PROP_FPS), ask(cv2.CAP_PROP_SAR_NUM), ask(cv2.CAP_PROP_SAR_DEN)
    )  # fmt: skip
    return VideoTable(
        container=stream.content_type,
        demuxer=stream.demuxer,
        codec=packets.codec,
        pixel_format=letters.to_bytes(4, "little").decode("latin-1"),
        rows=rows,
        columns=columns,
        frames_a_second=rate if 0.1 <= rate <= 1000 else 0.0,
        sample_aspect=wide / high if wide > 0 and high > 0 else 1.0,
        rotation=rotation_of(stream),
        packet_count=packets.place,
        frame_count=sum(start.frames for start in found.starts),
        segments=found.segments(),
        parameter_sets=[group.sets for group in found.groups],
    )
