"""Decoding by processes that may die: the pool of workers for third-party codecs.

A codec reads bytes that strangers sent. A crash, an endless loop or a
memory bomb ends one worker and fails one frame; the pool starts another.
Workers are plain child processes on a socket pair, not `multiprocessing`
children: starting one is safe from any thread, from uvicorn and from
Celery's daemonic workers alike.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from archive.decode_worker import ConnectionEndedError, Message, receive_message, send_message
from imaging.errors import BusyError, UndecodableError

WORKERS = max(1, min(4, os.cpu_count() or 1))
WAITING_LIMIT = 64
WAIT_SECONDS = 30.0
START_SECONDS = 30.0
FRAME_SECONDS = 30.0
SOURCE_ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-P", "-m", "archive.decode_worker")


class _WorkerLostError(Exception):
    """The worker died, hung or spoke nonsense; it is not to be used again."""


@dataclass
class _Worker:
    """One child process and our end of its socket."""

    process: subprocess.Popen[bytes]
    link: socket.socket
    served: int = 0

    def ask(
        self, request: Message, payload: bytes, answer_limit_bytes: int, seconds: float
    ) -> tuple[Message, bytearray]:
        """Return the answer; raises `_WorkerLostError` when there is none in time."""
        self.link.settimeout(seconds)
        try:
            send_message(self.link, request, payload)
            message, pixels = receive_message(self.link, answer_limit_bytes)
        except (OSError, ConnectionEndedError, ValueError) as lost:
            raise _WorkerLostError(str(lost)) from lost
        if message.get("failed") == "memory":
            raise _WorkerLostError("no memory")
        self.served += 1
        return message, pixels

    def end(self) -> None:
        """Stop the process now, whatever it is doing."""
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
        self._waiting_limit = waiting_limit
        self._wait_seconds = wait_seconds
        self._frame_seconds = frame_seconds
        self._turn = threading.Condition()
        self._free_places = workers
        self._waiting = 0
        self._idle: deque[_Worker] = deque()

    def ask(
        self, request: Message, payload: bytes, *, answer_limit_bytes: int
    ) -> tuple[Message, bytearray]:
        """Return a worker's answer to one request.

        Blocks until a worker is free. Raises `BusyError` when too many wait
        already or the wait is too long, `UndecodableError` when the worker
        dies of the request. A worker that has served before may have been
        ill (killed while idle, full of fragments): then a fresh one gets
        the request once more.
        """
        with self._place():
            for _ in range(2):
                worker = self._take_worker()
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

    def process_ids(self) -> list[int]:
        """Return the process ids of the workers that are idle now."""
        with self._turn:
            return [worker.process.pid for worker in self._idle]

    def close(self) -> None:
        """End the idle workers; those at work end when their caller is done."""
        with self._turn:
            idle, self._idle = self._idle, deque()
        for worker in idle:
            worker.end()

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        """Hold one of the places: at most as many callers as workers at one time."""
        self._enter()
        try:
            yield
        finally:
            with self._turn:
                self._free_places += 1
                self._turn.notify()

    def _enter(self) -> None:
        with self._turn:
            if not self._free_places:
                if self._waiting >= self._waiting_limit:
                    raise BusyError("Too many pictures are being decoded; try again in a moment.")
                self._waiting += 1
                try:
                    free = self._turn.wait_for(lambda: self._free_places, self._wait_seconds)
                finally:
                    self._waiting -= 1
                if not free:
                    raise BusyError("Decoding is slow at the moment; try again.")
            self._free_places -= 1

    def _take_worker(self) -> _Worker:
        with self._turn:
            if self._idle:
                return self._idle.pop()
        return _start_worker(self._command)

    def _give_back(self, worker: _Worker) -> None:
        with self._turn:
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
        receive_message(ours, 0)
    except (OSError, ConnectionEndedError, ValueError) as lost:
        worker.end()
        raise BusyError("The decoder did not start; try again.") from lost
    return worker


def _bare_environment() -> dict[str, str]:
    """Return what a worker may know: where the code is, one thread a library, no secrets."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(SOURCE_ROOT),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MALLOC_ARENA_MAX": "2",
    }


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
