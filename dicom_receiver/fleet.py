"""The child processes of a receiver: started, fed, counted, and started again."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from dicom_receiver import handover, limits
from dicom_receiver.child import Child
from dicom_receiver.copies import Copy, copy_process

logger = logging.getLogger("noctis.dimse")

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0

# A child is asked every two seconds whether it still takes connections.
QUESTION_SECONDS = 2.0
LATE_SECONDS = 4.0


@dataclass(eq=False)
class Process:
    """One child: its end of the socket pair, and the connections that it serves."""

    program: subprocess.Popen[bytes] | Copy
    control: socket.socket
    news: handover.NewsReader
    started_at: float
    pause_seconds: float
    is_ready: bool = False
    connections: dict[int, str] = field(default_factory=dict)
    entering: dict[int, str] = field(default_factory=dict)
    is_asked: bool = False
    silent_seconds: float = 0.0

    @property
    def burden(self) -> tuple[bool, int]:
        """Who has less of this gets the next connection: silence counts more than work."""
        return self.silent_seconds > LATE_SECONDS, len(self.connections) + len(self.entering)


class Fleet:
    """Keeps a number of children alive and gives each connection to the least busy one."""

    def __init__(self, count: int, ae_title: str) -> None:
        self._count = count
        self._ae_title = ae_title
        self._processes: list[Process] = []
        self._due: list[tuple[float, float]] = [(0.0, FIRST_PAUSE_SECONDS)] * count
        self._keys = itertools.count(1)
        self._by_address: Counter[str] = Counter()
        self._entering: Counter[str] = Counter()
        self._looked_at = time.monotonic()
        self._asked_at = 0.0

    # --- what the front door asks --------------------------------------------
    @property
    def connection_count(self) -> int:
        """How many connections the children serve."""
        return self._by_address.total()

    @property
    def ready_count(self) -> int:
        """How many children serve."""
        return sum(process.is_ready for process in self._processes)

    def connections_from(self, address: str) -> int:
        """How many connections of this address the children serve."""
        return self._by_address[address]

    @property
    def entering_count(self) -> int:
        """How many TLS connections have not become associations yet."""
        return self._entering.total()

    def entering_from(self, address: str) -> int:
        """How many of them come from this address."""
        return self._entering[address]

    def controls(self) -> list[socket.socket]:
        """Return the sockets on which the children speak."""
        return [process.control for process in self._processes]

    def give(self, arrival: handover.Arrival) -> bool:
        """Hand a connection to the least busy child; False when none takes it now."""
        ready = [process for process in self._processes if process.is_ready]
        for process in sorted(ready, key=lambda process: process.burden):
            key = next(self._keys)
            try:
                handover.send_connection(process.control, key, arrival)
            except OSError:
                continue
            if not arrival.is_over_limit:
                process.connections[key] = arrival.address
                self._by_address[arrival.address] += 1
            if arrival.is_tls:
                process.entering[key] = arrival.address
                self._entering[arrival.address] += 1
            return True
        return False

    # --- keeping children alive ------------------------------------------------
    def hear(self, control: socket.socket) -> bool:
        """Take in what a child says; False when that child is gone."""
        process = next(found for found in self._processes if found.control is control)
        news = process.news.read()
        for kind, key in news or []:
            self._note_news(process, kind, key)
        return news is not None

    def _note_news(self, process: Process, kind: bytes, key: int) -> None:
        if kind == handover.READY:
            process.is_ready, process.silent_seconds = True, 0.0
            logger.info("receiver process %d serves", process.program.pid)
        elif kind == handover.ALIVE:
            process.is_asked, process.silent_seconds = False, 0.0
        if kind in {handover.ENTERED, handover.CLOSED}:
            _forget(self._entering, process.entering.pop(key, None))
        if kind == handover.CLOSED:
            _forget(self._by_address, process.connections.pop(key, None))

    def look_after(self) -> None:
        """Ask the children whether they take connections, and kill who has not said so for long.

        Only time in which we ourselves went on counts: a machine that slept
        kills nobody. What is killed is missed by `hear`, and started again.
        """
        now = time.monotonic()
        passed, self._looked_at = min(now - self._looked_at, 1.0), now
        asks = now - self._asked_at >= QUESTION_SECONDS
        if asks:
            self._asked_at = now
        for process in self._processes:
            if process.is_asked or not process.is_ready:
                process.silent_seconds += passed
            elif asks:
                self._ask(process)
            allowed = limits.SILENT_SECONDS if process.is_ready else limits.START_SECONDS
            if process.silent_seconds > allowed:
                logger.error("receiver process %d is silent and is killed", process.program.pid)
                process.program.kill()

    def _ask(self, process: Process) -> None:
        process.is_asked = True
        # Who does not even take the question is silent; who is gone, `hear` notices.
        with contextlib.suppress(OSError):
            handover.send_question(process.control)

    def lay_off(self, control: socket.socket) -> int:
        """Clear away a child that is gone, and plan its successor; return who it was."""
        process = next(found for found in self._processes if found.control is control)
        self._processes.remove(process)
        for address in process.connections.values():
            _forget(self._by_address, address)
        for address in process.entering.values():
            _forget(self._entering, address)
        control.close()
        process.program.kill()
        code = process.program.wait()
        lived_seconds = time.monotonic() - process.started_at
        pause = FIRST_PAUSE_SECONDS if lived_seconds > STEADY_SECONDS else process.pause_seconds
        logger.error(
            "receiver process %d ended (%d); it is started again in %.1f s",
            process.program.pid,
            code,
            pause,
        )
        self._due.append((time.monotonic() + pause, min(2 * pause, LONGEST_PAUSE_SECONDS)))
        return process.program.pid

    def start_first(self, inherited: Sequence[socket.socket]) -> None:
        """Start all children as copies of ourselves; they close what they inherit.

        Only before this process has threads or a connection to the database. Those
        that take the place of a child that ended are programs of their own.
        """
        for _, pause in self._due:
            ours, theirs = _make_pair()
            with theirs:
                siblings = [process.control for process in self._processes]
                program = copy_process(lambda: self._be(theirs, [ours, *siblings, *inherited]))  # noqa: B023
            self._admit(program, ours, pause)
        self._due = []

    def start_due(self) -> list[socket.socket]:
        """Start the children whose time has come; return their sockets."""
        now = time.monotonic()
        due = [plan for plan in self._due if plan[0] <= now]
        self._due = [plan for plan in self._due if plan[0] > now]
        return [self._start(pause).control for _, pause in due]

    def stop(self, seconds: float) -> None:
        """Tell all children to end, wait for them, and kill who does not."""
        deadline = time.monotonic() + seconds
        for process in self._processes:
            process.control.close()
        for process in self._processes:
            try:
                process.program.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("receiver process %d had to be killed", process.program.pid)
                process.program.kill()
                process.program.wait()

    def _be(self, control: socket.socket, inherited: Sequence[socket.socket]) -> None:
        """Be a child, in the copied process."""
        for sock in inherited:
            sock.close()
        settings.NOCTIS_AET = self._ae_title
        Child(control).run()

    def _start(self, pause_seconds: float) -> Process:
        ours, theirs = _make_pair()
        with theirs:
            program = subprocess.Popen(
                [
                    sys.executable,
                    str(Path(settings.BASE_DIR) / "manage.py"),
                    "serve_associations",
                    str(theirs.fileno()),
                ],
                env={**os.environ, "NOCTIS_AET": self._ae_title},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        return self._admit(program, ours, pause_seconds)

    def _admit(
        self,
        program: subprocess.Popen[bytes] | Copy,
        control: socket.socket,
        pause_seconds: float,
    ) -> Process:
        news = handover.NewsReader(control)
        process = Process(program, control, news, time.monotonic(), pause_seconds)
        self._processes.append(process)
        return process


def _make_pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    ours.setblocking(False)
    return ours, theirs


def _forget(counts: Counter[str], address: str | None) -> None:
    """Count one less of an address; of addresses with none nothing is kept."""
    if address is None:
        return
    counts[address] -= 1
    if not counts[address]:
        del counts[address]
