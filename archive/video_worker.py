"""The child that decodes video: one stored stream at a time, its place in it kept.

As `archive.decode_worker`, whose words it speaks: no settings, no database,
little memory and time, and it may die. The stored file comes as an open
descriptor, read only. A request asks for the `survey` of a video, or for
`frames` of one; the answer to the next request for the same video goes on
where the last one stopped.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import dataclass

import cv2
import numpy as np

from archive.decode_worker import Message, serve
from archive.video_decode import Packets, WindowDecoder, complaints
from archive.video_stream import VideoStream
from archive.video_survey import survey
from imaging.video_table import VideoTable

MEMORY_BYTES = 2 << 30
CPU_SECONDS = 90
# After so long an answer says how far it came; the next request goes on.
PATIENCE_SECONDS = 6.0
Spans = list[tuple[int, int]]


@dataclass
class _Session:
    """The video that was asked for last."""

    key: str
    stream: VideoStream
    table: VideoTable
    packets: Packets
    decoder: WindowDecoder | None = None

    def reopen(self) -> None:
        self.packets = Packets(self.stream)
        self.decoder = None


class VideoWorker:
    """Answers requests; remembers one video."""

    def __init__(self) -> None:
        self._session: _Session | None = None

    def answer(self, request: Message, payload: bytearray) -> tuple[Message, memoryview]:
        """Answer one request. Its payload: the fragments' spans (u64le pairs), then the table."""
        descriptor = int(request["descriptor"])
        pairs = np.frombuffer(payload, "<u8", request["spans"] * 2).reshape(-1, 2)
        spans = [(int(offset), int(length)) for offset, length in pairs]
        packed = bytes(payload[request["spans"] * 16 :])
        if request["do"] == "survey":
            with os.fdopen(os.dup(descriptor), "rb") as file:
                table = survey(VideoStream(file, spans))
            return {}, memoryview(table.to_bytes())
        session = self._session_of(request["key"], descriptor, spans, packed)
        try:
            return _decode(session, request["first"], request["count"], request["lead"])
        except BaseException:
            self._end()
            raise

    def _session_of(self, key: str, descriptor: int, spans: Spans, packed: bytes) -> _Session:
        if self._session is None or self._session.key != key:
            self._end()
            file = os.fdopen(os.dup(descriptor), "rb")
            stream = VideoStream(file, spans)
            try:
                table = VideoTable.from_bytes(packed)
                self._session = _Session(key, stream, table, Packets(stream))
            except BaseException:
                stream.close()
                raise
        return self._session

    def _end(self) -> None:
        if self._session is not None:
            self._session.stream.close()
            self._session = None


def _decode(session: _Session, first: int, count: int, lead: int) -> tuple[Message, memoryview]:
    """Return `count` frames from `first` on, and up to `lead` frames before them on the way.

    Fewer when the window ends, or patience; `ended` says that no more come of this window.
    """
    window = session.table.window_of(first)
    decoder = session.decoder
    if decoder is None or decoder.window != window or decoder.number > first:
        if not session.packets.has(window.start):
            session.reopen()
        decoder = session.decoder = WindowDecoder(session.packets, session.table, window)
    last = min(first + count, window.frame + window.count)
    keep_from = max(window.frame, first - lead)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while decoder.number < keep_from and decoder.skip():
        if time.monotonic() > deadline:
            return {"first": decoder.number, "count": 0, "ended": False}, memoryview(b"")
    begin, pictures, ended = decoder.number, [], decoder.number < keep_from
    while not ended and decoder.number < last:
        picture = decoder.read()
        if picture is None:
            ended = True
            break
        pictures.append(picture)
        if time.monotonic() > deadline:
            break
    if ended:
        session.decoder = None
    message = {"first": begin, "count": len(pictures), "ended": ended}
    if not pictures:
        return message, memoryview(b"")
    return message, np.stack(pictures).data.cast("B")


def main(idle_seconds: str, descriptor: str) -> None:
    """Serve until the parent closes the socket, or has nothing to ask for so long.

    A video that is open takes some hundred megabytes; who asks again gets a new worker.
    """
    cv2.setNumThreads(1)
    complaints.collect()
    link = socket.socket(fileno=int(descriptor))
    link.settimeout(float(idle_seconds))
    serve(link, VideoWorker().answer, memory_bytes=MEMORY_BYTES, cpu_seconds=CPU_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
