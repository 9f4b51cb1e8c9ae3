"""Decoding of a video with FFmpeg as OpenCV brings it; runs in the worker alone.

FFmpeg is told by name which container and which codecs may be read, so that
no stream is taken for a playlist or a script, and it gets bytes from us, so
that it opens nothing. Containers are unpacked to bare pictures; these are
what is decoded, window by window (`imaging.video_table`).
"""

from __future__ import annotations

import io
import os
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import Any, cast

import cv2
import numpy as np

from archive.video_stream import VideoStream
from imaging.errors import UndecodableError
from imaging.h264 import ShownAsFrames
from imaging.video import CODECS, elementary_of, shown_as_frames
from imaging.video_table import VideoTable, Window

MAX_FRAME_PX = 8192 * 8192
MAX_PACKET_BYTES = 64 << 20
# So many pictures of a segment tell how many at its beginning cannot be decoded.
MEASURE_PACKETS = 64
# Packets that were read last are kept: a window may begin before the last one ended.
RECENT_BYTES = 48 << 20
_CODECS_ALLOWED = "h264,hevc,mpeg1video,mpeg2video"
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class _StoredBytes(io.BufferedIOBase):
    """A stored video as FFmpeg reads it."""

    def __init__(self, stream: VideoStream) -> None:
        self._stream = stream
        self._place = 0

    def read(self, count: int | None = -1) -> bytes:
        wanted = self._stream.size if count is None or count < 0 else count
        piece = self._stream.read(self._place, wanted)
        self._place += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._stream.size}[whence]
        self._place = max(0, base + offset)
        return self._place


class _PictureBytes(io.BufferedIOBase):
    """Coded pictures as FFmpeg reads them: one after the other, never back."""

    def __init__(self, packets: Iterable[bytes]) -> None:
        self._packets = iter(packets)
        self._rest = memoryview(b"")
        self._place = 0
        self.is_at_end = False

    def read(self, count: int | None = -1) -> bytes:
        while not self._rest:
            packet = next(self._packets, None)
            if packet is None:
                self.is_at_end = True
                return b""
            self._rest = memoryview(packet)
        size = len(self._rest) if count is None or count < 0 else count
        piece, self._rest = bytes(self._rest[:size]), self._rest[size:]
        self._place += len(piece)
        return piece

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        is_here = whence == os.SEEK_SET and offset == self._place
        return self._place if is_here else -1


def _open(source: io.BufferedIOBase, demuxer: str, *properties: int) -> Any:
    """Open a stream with one demuxer and the codecs that are allowed, on one thread."""
    options = {
        "input_format": demuxer,
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2" if demuxer == "mov" else demuxer,
        "codec_whitelist": _CODECS_ALLOWED,
        "protocol_whitelist": "none",
        "fpsprobesize": "20",
    }
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "|".join(
        f"{name};{value}" for name, value in options.items()
    )
    settings = [cv2.CAP_PROP_N_THREADS, 1, *properties]
    try:
        # OpenCV reads from any buffered stream; its types know of its own class alone.
        capture = cv2.VideoCapture(cast(Any, source), cv2.CAP_FFMPEG, settings)
    except cv2.error as error:
        raise UndecodableError("There is no usable video in this stream.") from error
    if not capture.isOpened():
        raise UndecodableError("There is no usable video in this stream.")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    return capture


class _Complaints:
    """What libraries write to the standard error: only there a failed conversion is told."""

    LIMIT_BYTES = 1 << 16

    def __init__(self) -> None:
        self._descriptor = -1

    def collect(self) -> None:
        """From now on keep what this process writes to its standard error."""
        self._descriptor = os.memfd_create("complaints", os.MFD_CLOEXEC)
        os.dup2(self._descriptor, 2)

    def take(self) -> bytes:
        """Return what was written since, and forget it."""
        if self._descriptor < 0:
            return b""
        size = os.lseek(self._descriptor, 0, os.SEEK_CUR)
        if not size:
            return b""
        words = os.pread(self._descriptor, min(size, self.LIMIT_BYTES), 0)
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return words


complaints = _Complaints()


# --- packets ----------------------------------------------------------------------
class Packets:
    """The coded pictures of a stored video in the order of coding; `place` is the next one's."""

    def __init__(self, stream: VideoStream) -> None:
        if not stream.demuxer:
            raise UndecodableError("The video is in no file format that is known.")
        self.capture = _open(_StoredBytes(stream), stream.demuxer, cv2.CAP_PROP_FORMAT, -1)
        letters = int(self.capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
        self.codec = _codec_of(letters.to_bytes(4, "little"))
        self.place = 0
        self.is_key = False
        self._recent: deque[bytes] = deque()
        self._recent_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """Go on with the packet at `place`; `is_key` is the last one's."""
        while self.capture.grab():
            is_there, data = self.capture.retrieve()
            if not is_there or data is None or data.size > MAX_PACKET_BYTES:
                raise UndecodableError("A picture of the video is too large.")
            self.is_key = bool(self.capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME))
            self.place += 1
            packet = data.tobytes()
            self._remember(packet)
            yield packet

    def has(self, place: int) -> bool:
        """Whether `since` can begin here without starting anew."""
        return place >= self.place - len(self._recent)

    def since(self, place: int) -> Iterator[bytes]:
        """Yield the packets from a place on, which `has` said yes to."""
        while self.place < place and self.capture.grab():
            self.place += 1
            self._recent.clear()
            self._recent_bytes = 0
        again = self.place - place
        return chain(list(self._recent)[len(self._recent) - again :] if again > 0 else [], self)

    def _remember(self, packet: bytes) -> None:
        self._recent.append(packet)
        self._recent_bytes += len(packet)
        while self._recent_bytes > RECENT_BYTES:
            self._recent_bytes -= len(self._recent.popleft())


def rotation_of(stream: VideoStream) -> int:
    """Return by how many degrees, clockwise, a container wants its pictures turned."""
    if stream.demuxer != "mov":
        return 0
    capture = _open(_StoredBytes(stream), stream.demuxer)
    return int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360


def _codec_of(letters: bytes) -> str:
    name = letters.decode("latin-1").lower()
    by_letters = {
        "avc1": "h264", "avc3": "h264", "h264": "h264", "hev1": "hevc", "hvc1": "hevc",
        "hevc": "hevc", "mpg1": "mpg1", "mpg2": "mpg2", "m2v1": "mpg2", "mp2v": "mpg2",
    }  # fmt: skip
    # Transport streams have numbers of their own (ISO/IEC 13818-1, table 2-34).
    numbers = {0x01: "mpg1", 0x02: "mpg2", 0x1B: "h264", 0x24: "hevc"}
    codec = by_letters.get(name) or numbers.get(int.from_bytes(letters, "little"), "")
    if codec not in CODECS:
        words = name if name.isprintable() else letters.hex()
        raise UndecodableError(f"The video is coded as {words!r}, which is not known here.")
    return codec


# --- frames -----------------------------------------------------------------------
class Frames:
    """The frames of coded pictures in the order of the screen, from where these begin."""

    def __init__(self, codec: str, packets: Iterable[bytes]) -> None:
        rewrite = ShownAsFrames().rewrite if codec == "h264" else partial(shown_as_frames, codec)
        self._source = _PictureBytes(map(rewrite, packets))
        self._capture = _open(self._source, elementary_of(codec))

    def grab(self) -> bool:
        """Decode the next frame; False at the end. What is damaged is passed over."""
        while not self._capture.grab():
            if self._source.is_at_end:
                # What the decoder still held back has come out with the call before.
                return bool(self._capture.grab())
        return True

    def picture(self, shape: tuple[int, int]) -> np.ndarray:
        """Return the decoded frame, RGB; raises UndecodableError when it has another size."""
        complaints.take()
        is_there, picture = self._capture.retrieve()
        if b"swscaler" in complaints.take():
            raise UndecodableError("The colours of this video cannot be converted.")
        if not is_there or picture is None or picture.shape != (*shape, 3):
            raise UndecodableError("The video changes its size: this part cannot be shown.")
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))


def count_frames(codec: str, packets: Iterable[bytes]) -> int:
    """Return how many frames come of these packets."""
    frames = Frames(codec, packets)
    count = 0
    while frames.grab():
        count += 1
    return count


class WindowDecoder:
    """The frames of one window; `number` is that of the next one."""

    def __init__(self, packets: Packets, table: VideoTable, window: Window) -> None:
        self.window = window
        self._table = table
        first = [table.parameter_sets[window.group]]
        coded = islice(packets.since(window.start), window.end - window.start)
        self.number = window.start_frame
        if window.needs_measure:
            # An open beginning: its first pictures lean on those before, and do not come out.
            sample = list(islice(coded, min(MEASURE_PACKETS, window.own - window.start)))
            self.number += max(0, len(sample) - count_frames(table.codec, chain(first, sample)))
            coded = chain(sample, coded)  # type: ignore[assignment]
        self._frames = Frames(table.codec, chain(first, coded))

    def skip(self) -> bool:
        """Decode the next frame and leave it; False at the end."""
        is_there = self._frames.grab()
        self.number += is_there
        return is_there

    def read(self) -> np.ndarray | None:
        """Return the next frame, uint8, shape (rows, columns, 3), RGB; None at the end."""
        if not self.skip():
            return None
        picture = self._frames.picture((self._table.rows, self._table.columns))
        turn = _TURNS.get(self._table.rotation)
        return picture if turn is None else cv2.rotate(picture, turn)
