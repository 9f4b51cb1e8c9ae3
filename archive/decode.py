"""Decoding by processes that may die: the pool of workers for third-party codecs.

A codec reads bytes that strangers sent. A crash, an endless loop or a
memory bomb ends one worker and fails one frame; the pool starts another.
Workers are plain child processes on a socket pair, not `multiprocessing`
children: starting one is safe from any thread, from uvicorn and from
Celery's daemonic workers alike.
"""

from __future__ import annotations

import atexit
import mmap
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from archive.decode_worker import (
    DESCRIPTOR,
    ConnectionEndedError,
    Message,
    map_memory,
    receive_message,
    send_message,
)
from archive.places import Places
from imaging.description import PixelDescription
from imaging.errors import BusyError, UndecodableError, UnsupportedError
from imaging.picture_files import read_picture

WORKERS = max(1, min(4, os.cpu_count() or 1))
WAITING_LIMIT = 64
WAIT_SECONDS = 30.0
START_SECONDS = 30.0
FRAME_SECONDS = 30.0
SOURCE_ROOT = Path(__file__).resolve().parent.parent
ANSWER_DTYPES = {"|u1", "|i1", "<u2", "<i2", "<u4", "<i4"}
COMMAND = (sys.executable, "-P", "-m", "archive.decode_worker")


class _WorkerLostError(Exception):
    """The worker died, hung or spoke nonsense; it is not to be used again."""


@dataclass
class _Worker:
    """One child process and our end of its socket."""

    process: subprocess.Popen[bytes]
    link: socket.socket
    served: int = 0
    subject: str = ""
    memory: mmap.mmap | None = None

    def ask(
        self, request: Message, payload: bytes, answer_limit_bytes: int, seconds: float
    ) -> tuple[Message, bytearray]:
        """Return the answer; raises `_WorkerLostError` when there is none in time."""
        self.link.settimeout(seconds)
        try:
            send_message(self.link, request, payload)
            if DESCRIPTOR in request:
                socket.send_fds(self.link, [b"D"], [request[DESCRIPTOR]])
            message, pixels = receive_message(self.link, answer_limit_bytes)
            if "shared" in message:
                pixels = self._copy(int(message["shared"]), answer_limit_bytes)
        except (OSError, ConnectionEndedError, ValueError) as lost:
            raise _WorkerLostError(str(lost)) from lost
        if message.get("failed") == "memory":
            raise _WorkerLostError("no memory")
        self.served += 1
        return message, pixels

    def _copy(self, count: int, limit_bytes: int) -> bytearray:
        """Return bytes that the worker has put into the shared memory, before it changes them."""
        if self.memory is None or not 0 <= count <= min(limit_bytes, len(self.memory)):
            raise ConnectionEndedError("more is shared than agreed")
        with memoryview(self.memory) as whole, whole[:count] as part:
            return bytearray(part)

    def end(self) -> None:
        """Stop the process now, whatever it is doing."""
        if self.memory is not None:
            self.memory.close()
        self.link.close()
        self.process.kill()
        self.process.wait()


class DecodePool:
    """A few workers, started when they are first needed; callers wait in a bounded queue."""

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        workers: int = WORKERS,
        waiting_limit: int = WAITING_LIMIT,
        wait_seconds: float = WAIT_SECONDS,
        frame_seconds: float = FRAME_SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._places = Places(workers, waiting_limit=waiting_limit, wait_seconds=wait_seconds)
        self._frame_seconds = frame_seconds
        self._lock = threading.Lock()
        self._idle: deque[_Worker] = deque()

    def ask(
        self, request: Message, payload: bytes, *, answer_limit_bytes: int, subject: str = ""
    ) -> tuple[Message, bytearray]:
        """Return a worker's answer to one request.

        An open file goes along as the request's `descriptor`. The worker that had the same
        `subject` before is preferred.

        Blocks until a worker is free. Raises `BusyError` when too many wait
        already or the wait is too long, `UndecodableError` when the worker
        dies of the request. A worker that has served before may have been
        ill (killed while idle, full of fragments): then a fresh one gets
        the request once more.
        """
        with self._places.one():
            for _ in range(2):
                worker = self._take_worker(subject)
                seasoned = worker.served > 0
                try:
                    answer = worker.ask(request, payload, answer_limit_bytes, self._frame_seconds)
                except _WorkerLostError:
                    worker.end()
                    if not seasoned:
                        break
                except BaseException:
                    worker.end()
                    raise
                else:
                    self._give_back(worker)
                    return answer
        raise UndecodableError("The decoder gave up on this frame: it needs too much or is broken.")

    def has_spare_place(self) -> bool:
        """Whether a frame could be decoded ahead and a place would still be free."""
        return self._places.has_spare()

    def process_ids(self) -> list[int]:
        """Return the process ids of the workers that are idle now."""
        with self._lock:
            return [worker.process.pid for worker in self._idle]

    def close(self) -> None:
        """End the idle workers; those at work end when their caller is done."""
        with self._lock:
            idle, self._idle = self._idle, deque()
        for worker in idle:
            worker.end()

    def _take_worker(self, subject: str) -> _Worker:
        with self._lock:
            for worker in self._idle:
                if worker.subject == subject:
                    self._idle.remove(worker)
                    return worker
            idle = self._idle.pop() if self._idle else None
        found = idle or _start_worker(self._command)
        found.subject = subject
        return found

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)


def _start_worker(command: Sequence[str]) -> _Worker:
    """Start a child that knows nothing of ours but the code, and wait until it is ready.

    A session of its own keeps the terminal's Ctrl-C from it: it ends when
    our end of the socket closes, also when we die.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [*command, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            env=_bare_environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    worker = _Worker(process, ours)
    ours.settimeout(START_SECONDS)
    try:
        message, _nothing = receive_message(ours, 0)
        if "memory" in message:
            worker.memory = map_memory(ours)
            receive_message(ours, 0)
    except (OSError, ConnectionEndedError, ValueError) as lost:
        worker.end()
        raise BusyError("The decoder did not start; try again.") from lost
    return worker


def _bare_environment() -> dict[str, str]:
    """Return what a worker may know: where the code is, one thread a library, no secrets.

    It keeps up to 64 MiB of memory from frame to frame: fresh memory is slower than a fast codec.
    """
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(SOURCE_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
        "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
        "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    }


def decode_in_pool(data: bytes, description: PixelDescription) -> np.ndarray:
    """Decode one compressed frame in a worker; the array is as `imaging.pixels` promises.

    Blocks until it is done. A palette never leaves this process: the worker
    gives indices, and they are looked up here.

    Raises
    ------
    UndecodableError, UnsupportedError
        As `imaging.pixels.decode_frame`, or the worker died of the frame.
    BusyError
        Too many frames wait already.
    """
    palette = description.palette
    if description.needs_palette:
        if palette is None:
            raise UndecodableError("the palette is missing")
        description = replace(description, photometric_interpretation="MONOCHROME2", palette=None)
    limit_bytes = description.sample_count * 8
    message, pixels = decode_pool().ask(asdict(description), data, answer_limit_bytes=limit_bytes)
    if "failed" in message:
        kind = UnsupportedError if message["failed"] == "unsupported" else UndecodableError
        raise kind(str(message["words"]))
    samples = _array_of(message, pixels, description)
    return palette.apply(samples) if palette is not None else samples


def decode_picture_in_pool(data: bytes) -> np.ndarray:
    """Decode a picture file (PNG, GIF, odd JPEG) in a worker: `imaging.picture_files`.

    Raises UndecodableError when it cannot be read, or is not of the size that its head says;
    BusyError when too many wait already.
    """
    head = read_picture(data)
    limit_bytes = head.rows * head.columns * head.samples * (2 if head.bits > 8 else 1)
    message, pixels = decode_pool().ask({"picture": True}, data, answer_limit_bytes=limit_bytes)
    if "failed" in message:
        raise UndecodableError(str(message["words"]))
    shape = [head.rows, head.columns] + ([head.samples] if head.samples > 1 else [])
    dtype = "<u2" if head.bits > 8 else "|u1"
    if [message.get("dtype"), message.get("shape")] != [dtype, shape]:
        raise UndecodableError("The picture is not as its head says.")
    return np.frombuffer(pixels, dtype).reshape(shape)


def _array_of(message: Message, pixels: bytearray, description: PixelDescription) -> np.ndarray:
    """Return the worker's bytes as the array it says they are, if they can be that."""
    shape: tuple[int, ...] = (description.rows, description.columns)
    if description.samples_per_pixel != 1:
        shape += (description.samples_per_pixel,)
    dtype = str(message.get("dtype"))
    if dtype not in ANSWER_DTYPES or message.get("shape") != list(shape):
        raise UndecodableError("The decoder's answer does not fit the image.")
    if len(pixels) != int(np.prod(shape)) * np.dtype(dtype).itemsize:
        raise UndecodableError("The decoder's answer is cut short.")
    return np.frombuffer(pixels, dtype).reshape(shape)


# One pool a process: a forked child leaves its parent's workers to the parent.
_pools: dict[int, DecodePool] = {}


def decode_pool() -> DecodePool:
    """Return this process's pool; its workers start when they are first needed."""
    return _pools.setdefault(os.getpid(), DecodePool())


def close_pool() -> None:
    """End this process's workers; the next frame starts new ones."""
    pool = _pools.pop(os.getpid(), None)
    if pool is not None:
        pool.close()


atexit.register(close_pool)
os.register_at_fork(after_in_child=_pools.clear)
