"""Where every picture of a video begins: its key pictures, and the windows in which it is decoded.

A *segment* is a key picture and the coded pictures up to the next one. A
*window* is a few segments that are always decoded together, from their
beginning: so a frame has the same number however it is reached, and damage
stays in its window.
"""

from __future__ import annotations

import base64
import json
import zlib
from bisect import bisect_right
from dataclasses import asdict, dataclass, field
from typing import Any

from imaging.errors import UnreadableError

# Fewer pictures are not worth a start of their own.
WINDOW_FRAMES = 48
MAX_FRAMES = 1_000_000
# An unpacked table is not larger, whatever its packed bytes claim.
_MAX_BYTES = 64 << 20


@dataclass(frozen=True)
class Segment:
    """A key picture and what follows it in the order of coding.

    Attributes
    ----------
    packet
        The key picture's place among all packets, from 0.
    frame
        The number of its first frame on the screen, from 0.
    closed
        Whether it can be decoded without what came before.
    group
        Pictures of one size and coding; a change begins another group.
    """

    packet: int
    frame: int
    closed: bool
    group: int


@dataclass(frozen=True)
class Window:
    """What is decoded in one go: packets from `start` up to, not with, `end`.

    `frame` and `count` are the frames on the screen. Between `start` and `own` lies the
    segment before, which an open beginning needs; it begins with frame `start_frame`.
    """

    start: int
    own: int
    end: int
    start_frame: int
    frame: int
    count: int
    group: int
    needs_measure: bool


@dataclass
class VideoTable:
    """What is known of a video once all its packets were seen.

    `rotation` is in degrees, clockwise. `sample_aspect` is the width of a pixel to its height.
    `parameter_sets` has, by group, what a decoder must read first.
    """

    container: str
    demuxer: str
    codec: str
    pixel_format: str
    rows: int
    columns: int
    frames_a_second: float
    sample_aspect: float
    rotation: int
    packet_count: int
    frame_count: int
    segments: list[Segment]
    parameter_sets: list[bytes]
    windows: list[Window] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self.windows = list(self._cut())
        self._first_frames = [one.frame for one in self.windows]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns as they are shown, turned if the stream says so."""
        turned = self.rotation in (90, 270)
        return (self.columns, self.rows) if turned else (self.rows, self.columns)

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame, three a pixel."""
        return self.rows * self.columns * 3

    def window_of(self, frame: int) -> Window:
        """Return the window that holds a frame, counted from 0."""
        if not 0 <= frame < self.frame_count:
            raise IndexError(f"frame {frame} of {self.frame_count}")
        return self.windows[bisect_right(self._first_frames, frame) - 1]

    def _cut(self) -> list[Window]:
        windows = []
        first = 0
        for place in range(1, len(self.segments) + 1):
            begun = self.segments[first]
            following = self.segments[place] if place < len(self.segments) else None
            end_frame = following.frame if following else self.frame_count
            is_whole = end_frame - begun.frame >= WINDOW_FRAMES
            if following is not None and following.group == begun.group and not is_whole:
                continue
            if end_frame > begun.frame:
                end = following.packet if following else self.packet_count
                windows.append(self._window(first, end, end_frame))
            first = place
        return windows

    def _window(self, first: int, end: int, end_frame: int) -> Window:
        own = self.segments[first]
        before = self.segments[first - 1] if first else None
        start = own
        if not own.closed and before is not None and before.group == own.group:
            start = before
        opens_group = self._opens_group(start)
        return Window(
            start=start.packet,
            own=own.packet,
            end=end,
            start_frame=start.frame,
            frame=own.frame,
            count=end_frame - own.frame,
            group=own.group,
            needs_measure=start is not own and not start.closed and not opens_group,
        )

    def _opens_group(self, segment: Segment) -> bool:
        place = bisect_right(self.segments, segment.packet, key=lambda one: one.packet) - 1
        return place == 0 or self.segments[place - 1].group != segment.group

    # --- bytes -------------------------------------------------------------------
    def to_bytes(self) -> bytes:
        """Pack; `from_bytes` restores it."""
        facts = {name: value for name, value in asdict(self).items() if name != "windows"}
        facts["segments"] = [list(asdict(one).values()) for one in self.segments]
        facts["parameter_sets"] = [base64.b64encode(one).decode() for one in self.parameter_sets]
        return zlib.compress(json.dumps(facts, separators=(",", ":")).encode(), 3)

    @classmethod
    def from_bytes(cls, packed: bytes | memoryview) -> VideoTable:
        """Restore a table from `to_bytes`.

        Raises
        ------
        UnreadableError
            These bytes are no packed table.
        """
        try:
            engine = zlib.decompressobj()
            facts: dict[str, Any] = json.loads(engine.decompress(packed, _MAX_BYTES))
            segments = [
                Segment(int(packet), int(frame), bool(closed), int(group))
                for packet, frame, closed, group in facts.pop("segments")
            ]
            sets = [base64.b64decode(one) for one in facts.pop("parameter_sets")]
            return cls(**facts, segments=segments, parameter_sets=sets)
        except (zlib.error, ValueError, TypeError, KeyError) as error:
            raise UnreadableError("not a table of a video") from error
