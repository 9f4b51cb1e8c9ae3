"""The frames of stored videos: decoded in runs by a worker of its own, kept like other frames.

What is known of a video (`imaging.video_table`) is found by one pass through
its stream, the first time somebody asks, and kept with the pictures.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import OrderedDict
from contextlib import closing

import numpy as np

from archive.caches import COSTLY_SECONDS_A_BYTE, FRAMES, Piece, caches, make_key
from archive.decode import WORKERS, DecodePool
from archive.decode_worker import Message
from archive.memory_cache import MemoryCache
from archive.models import Instance
from archive.video import open_video
from archive.video_stream import VideoStream
from imaging.errors import BusyError, MissingError, UndecodableError, UnsupportedError
from imaging.video_table import VideoTable

# A worker that nobody asks for so many seconds ends, and its memory is free again.
COMMAND = (sys.executable, "-P", "-m", "archive.video_worker", "60")
# A survey reads the whole stream once.
ANSWER_SECONDS = 120.0
TABLE_BYTES = 32 << 20
# Decoded in one go: so much from the wanted frame on, so much before it on the way there.
RUN_BYTES, LEAD_BYTES = 24 << 20, 64 << 20
# Who asks for a frame far from where decoding may begin waits so long, then is told to come again.
PATIENCE_SECONDS = 20.0
TABLES_BYTES = 16 << 20
# So many videos are remembered in which a run may be under way.
TURNS = 256
_REFUSED, _TABLE = "refused", "vtable"


def read_video_table(instance: Instance) -> VideoTable:
    """Return what is known of an instance's video; made once, by a pass through its stream.

    Raises
    ------
    UndecodableError, UnsupportedError
        It cannot be decoded; that is remembered, too.
    MissingError, UnreadableError
        The file is missing or damaged.
    BusyError
        Too many videos wait already.
    """
    key = make_key("video table", instance.dataset_sha256, instance.transfer_syntax_uid)
    kept = _tables.get(key)
    if kept is not None:
        return kept
    piece = caches().read(FRAMES, key, lambda: _survey(instance))
    if piece.word == _REFUSED:
        raise UndecodableError(bytes(piece.data).decode())
    table = VideoTable.from_bytes(piece.data)
    _tables.put(key, table)
    return table


def _key_of(instance: Instance, frame: int) -> bytes:
    return make_key("video frame", instance.dataset_sha256, instance.transfer_syntax_uid, frame)


def read_video_frame(instance: Instance, frame: int) -> tuple[VideoTable, memoryview]:
    """Return the video's table and one frame, rgb8, counted from 0. Blocks while it is decoded.

    Raises as `read_video_table`; `MissingError` when the video has no such frame and
    `UndecodableError` when it is damaged there.
    """
    table = read_video_table(instance)
    if not 0 <= frame < table.frame_count:
        raise MissingError("There is no such frame.")
    key = _key_of(instance, frame)
    piece = caches().read(FRAMES, key, lambda: _decode(instance, table, frame))
    return table, memoryview(piece.data)


# --- asking the worker --------------------------------------------------------------
def _survey(instance: Instance) -> Piece:
    with closing(open_video(instance)) as stream:
        try:
            message, packed = _ask(instance, stream, {"do": "survey"}, b"", TABLE_BYTES)
        except UndecodableError as error:
            # The worker died of it, or of something else: that is not remembered for long.
            return Piece(_REFUSED, str(error).encode(), is_costly=False)
    if "failed" in message:
        return Piece(_REFUSED, str(message["words"]).encode())
    return Piece(_TABLE, bytes(packed))


def _decode(instance: Instance, table: VideoTable, frame: int) -> Piece:
    """Decode the run that begins with a frame; its other frames go to the caches at once."""
    with _turn_of(instance):
        key = _key_of(instance, frame)
        kept = caches().peek(key)
        if kept is not None:
            return kept  # decoded with another's run while we waited
        count = max(1, RUN_BYTES // table.frame_bytes)
        lead = LEAD_BYTES // table.frame_bytes
        request = {"do": "frames", "first": frame, "count": count, "lead": lead}
        limit = (count + lead) * table.frame_bytes
        deadline = time.monotonic() + PATIENCE_SECONDS
        found: Piece | None = None
        with closing(open_video(instance)) as stream:
            packed = table.to_bytes()
            while found is None:
                began = time.perf_counter()
                message, pixels = _ask(instance, stream, request, packed, limit)
                seconds = time.perf_counter() - began
                _raise_failure(message)
                for number, piece in _pieces(table, message, pixels, seconds):
                    if number == frame:
                        found = piece
                    else:
                        caches().keep(_key_of(instance, number), piece)
                if found is None:
                    _go_on(message, deadline)
        return found


def _pieces(
    table: VideoTable, message: Message, pixels: bytearray, seconds: float
) -> list[tuple[int, Piece]]:
    """Return number and piece of every frame in an answer."""
    first, count, size = int(message["first"]), int(message["count"]), table.frame_bytes
    if len(pixels) != count * size:
        raise UndecodableError("The decoder's answer is cut short.")
    is_costly = seconds > len(pixels) * COSTLY_SECONDS_A_BYTE
    # Each has bytes of its own: one that is kept must not keep its whole run.
    return [
        (first + at, Piece("rgb8", bytes(pixels[at * size : (at + 1) * size]), is_costly))
        for at in range(count)
    ]


def _go_on(message: Message, deadline: float) -> None:
    if message["ended"]:
        raise UndecodableError("The video is damaged here: this frame cannot be decoded.")
    if time.monotonic() > deadline:
        raise BusyError("The video is still being decoded up to this place; try again.")


def _ask(
    instance: Instance, stream: VideoStream, request: Message, packed: bytes, limit_bytes: int
) -> tuple[Message, bytearray]:
    """Return the worker's answer about one video."""
    subject = make_key(instance.dataset_sha256, instance.transfer_syntax_uid).hex()
    spans = np.array(stream.spans, "<u8").tobytes()
    about = {"descriptor": stream.fileno(), "spans": len(stream.spans), "key": subject}
    return video_pool().ask(
        {**request, **about}, spans + packed, answer_limit_bytes=limit_bytes, subject=subject
    )


def _raise_failure(message: Message) -> None:
    if "failed" in message:
        kind = UnsupportedError if message["failed"] == "unsupported" else UndecodableError
        raise kind(str(message["words"]))


# --- what a process keeps -----------------------------------------------------------
_tables: MemoryCache[VideoTable] = MemoryCache(
    TABLES_BYTES, lambda table: 1000 + 400 * len(table.segments)
)
_turns: OrderedDict[bytes, threading.Lock] = OrderedDict()
_turns_lock = threading.Lock()
_pools: dict[int, DecodePool] = {}


def _turn_of(instance: Instance) -> threading.Lock:
    """Return the lock of one video: its runs are decoded one after the other."""
    key = make_key(instance.dataset_sha256, instance.transfer_syntax_uid)
    with _turns_lock:
        turn = _turns.setdefault(key, threading.Lock())
        _turns.move_to_end(key)
        if len(_turns) > TURNS:
            _turns.popitem(last=False)
        return turn


def video_pool() -> DecodePool:
    """Return this process's pool for videos; its workers start when they are first needed."""
    pool = _pools.get(os.getpid())
    if pool is None:
        made = DecodePool(COMMAND, workers=min(2, WORKERS), frame_seconds=ANSWER_SECONDS)
        pool = _pools.setdefault(os.getpid(), made)
    return pool


def close_video_pool() -> None:
    """End this process's workers; the next video starts new ones."""
    pool = _pools.pop(os.getpid(), None)
    if pool is not None:
        pool.close()


atexit.register(close_video_pool)
os.register_at_fork(after_in_child=_pools.clear)
