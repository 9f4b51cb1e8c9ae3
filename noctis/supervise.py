"""Keep a few child processes alive, and end them together.

Each child leads a session of its own, so that a key press reaches the
supervisor alone and whatever a child leaves behind can be swept by its
process group. A supervisor that is killed takes its children along: on Linux
the kernel sends them SIGTERM when their parent dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

logger = logging.getLogger(__name__)

STOP_SECONDS = 25.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass
class Backoff:
    """How long to wait before a child is started again: doubling, reset by health."""

    first_seconds: float = 0.5
    longest_seconds: float = 30.0
    healthy_seconds: float = 60.0
    _next_seconds: float = field(default=0.0, init=False)

    def delay_after(self, lived_seconds: float) -> float:
        """Return the seconds to wait after a life of this length."""
        if lived_seconds >= self.healthy_seconds or not self._next_seconds:
            self._next_seconds = self.first_seconds
        delay = self._next_seconds
        self._next_seconds = min(2 * delay, self.longest_seconds)
        return delay


@dataclass
class Child:
    """One program that should always run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    pass_fds: Sequence[int] = ()
    backoff: Backoff = field(default_factory=Backoff)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    due_at: float = 0.0

    def start(self) -> None:
        """Start the program now."""
        parent = os.getpid()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            env=dict(self.environment),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            pass_fds=self.pass_fds,
            start_new_session=True,
            preexec_fn=lambda: _die_with(parent),  # noqa: PLW1509  (the supervisor has one thread)
        )

    def reap(self) -> int | None:
        """Return the exit code if the program has just ended, sweeping what it left behind."""
        if self.process is None:
            return None
        code = self.process.poll()
        if code is not None:
            self._signal_group(signal.SIGKILL)
            self.process = None
        return code

    def terminate(self) -> None:
        """Ask the program to end."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.terminate()

    def kill(self) -> None:
        """End the program and everything it started."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


def _die_with(parent: int) -> None:
    """Between fork and exec: end when the supervisor ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


class Supervisor:
    """Starts children, restarts those that die, and stops all on SIGTERM or SIGINT."""

    def __init__(self, children: Sequence[Child], on_tick: Callable[[], None]) -> None:
        self.children = children
        self.on_tick = on_tick
        self.stopping = False
        self.impatient = False

    def run(self) -> None:
        """Start everything; return when a signal asked to stop and all children ended."""
        wakeup_read, wakeup_write = os.pipe()
        os.set_blocking(wakeup_write, False)
        os.set_blocking(wakeup_read, False)
        previous = signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, _notice)
        try:
            for child in self.children:
                child.start()
            while not self.stopping:
                self._restart_the_dead()
                self.on_tick()
                _wait(wakeup_read, 0.25)
        finally:
            self._stop_all(wakeup_read)
            signal.set_wakeup_fd(previous)
            os.close(wakeup_read)
            os.close(wakeup_write)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.impatient = self.stopping
        self.stopping = True

    def _restart_the_dead(self) -> None:
        now = time.monotonic()
        for child in self.children:
            code = child.reap()
            if code is not None:
                delay = child.backoff.delay_after(now - child.started_at)
                child.due_at = now + delay
                logger.error(
                    "%s ended unexpectedly (%s); starting it again in %.1f s.",
                    child.name,
                    describe_exit(code),
                    delay,
                )
            elif child.process is None and now >= child.due_at:
                child.start()

    def _stop_all(self, wakeup_read: int) -> None:
        """End all children: first asked, after `STOP_SECONDS` or a second signal forced."""
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.terminate()
        while self._any_alive():
            if time.monotonic() > deadline or self.impatient:
                for child in self.children:
                    if child.process is not None:
                        logger.warning("%s did not end in time; ending it by force.", child.name)
                        child.kill()
                deadline = time.monotonic() + STOP_SECONDS
                self.impatient = False
            _wait(wakeup_read, 0.1)

    def _any_alive(self) -> bool:
        for child in self.children:
            child.reap()
        return any(child.process is not None for child in self.children)


def describe_exit(code: int) -> str:
    """Return an exit code in words."""
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def _notice(number: int, frame: FrameType | None) -> None:
    """Do nothing: the signal's arrival wakes the wait."""


def _wait(wakeup_read: int, seconds: float) -> None:
    """Wait for a signal or for this long."""
    readable, _, _ = select.select([wakeup_read], [], [], seconds)
    if readable:
        with contextlib.suppress(BlockingIOError):
            os.read(wakeup_read, 4096)
