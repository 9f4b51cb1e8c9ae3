"""A worker's lanes: each claims one job after another, has it run by its child, watches over it."""

from __future__ import annotations

import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connections
from django.utils.translation import gettext as _

from reconstruction import turns
from reconstruction.child import OVER
from reconstruction.models import ReconstructionJob
from reconstruction.results import remove_work

logger = logging.getLogger("noctis.reconstruction")

SOURCE_ROOT = Path(__file__).resolve().parent.parent
IDLE_LOOK_SECONDS = 1.0
WATCH_SECONDS = 0.15
RENEW_SECONDS = 3.0
# A cancelled run may end by itself; then it is ended.
GRACE_SECONDS = 0.3
TROUBLE_SECONDS = 5.0
# A child that has nothing to do gives its memory back.
KEEP_CHILD_SECONDS = 60.0
JOBS_A_CHILD = 25


class ChildLostError(Exception):
    """The child died, or was ended."""


class Child:
    """A process that runs one job at a time."""

    def __init__(self) -> None:
        environment = {**os.environ, "NOCTIS_HOME": str(settings.NOCTIS_HOME)}
        # In a session of its own: Ctrl-C is for the worker, which ends us.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reconstruction.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=SOURCE_ROOT, env=environment,
            start_new_session=True,
        )  # fmt: skip
        self.jobs_run = 0
        self.used_at = time.monotonic()

    @property
    def pid(self) -> int:
        """The process' number."""
        return self._process.pid

    def start(self, job: ReconstructionJob) -> None:
        """Give it a job. Raises ChildLostError."""
        assert self._process.stdin is not None
        self.jobs_run += 1
        try:
            self._process.stdin.write(f"{job.pk} {job.claim}\n".encode())
            self._process.stdin.flush()
        except OSError:
            raise ChildLostError from None

    def wait(self, seconds: float) -> bool:
        """Whether the job is over; waits at most so long. Raises ChildLostError."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], seconds)[0]:
            return False
        answer = os.read(descriptor, 64)
        if not answer:
            raise ChildLostError
        self.used_at = time.monotonic()
        return OVER in answer

    def close(self) -> int:
        """End it, whatever it does; returns how it ended."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return self._process.wait()

    def is_worn(self) -> bool:
        """Whether it should make room for a fresh one, or for nobody."""
        is_idle = time.monotonic() - self.used_at > KEEP_CHILD_SECONDS
        return is_idle or self.jobs_run >= JOBS_A_CHILD


class Lane:
    """One queue of jobs in one worker."""

    def __init__(self, name: str, stopped: threading.Event) -> None:
        self.name = name
        self._stopped = stopped
        self._child: Child | None = None
        self._worker = f"{socket.gethostname()}:{os.getpid()}"

    def run_next(self) -> bool:
        """Run the job whose turn it is to its end; false when there is none."""
        job = turns.claim_next(self.name, self._worker)
        if job is None:
            if self._child is not None and self._child.is_worn():
                self.close()
            return False
        self._run(job)
        return True

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.close()
            self._child = None

    def _run(self, job: ReconstructionJob) -> None:
        assert job.claim is not None
        claim = job.claim
        if self._child is not None and self._child.is_worn():
            self.close()
        try:
            self._child = self._child or Child()
            self._child.start(job)
            self._watch(self._child, job)
        except ChildLostError:
            self._bury(job)
        except BaseException:
            # Nobody watches it any more.
            self.close()
            raise
        finally:
            remove_work(claim)
        if self._stopped.is_set():
            self.close()
            turns.release(job, claim)
        else:
            # Does nothing to a job that has its end, as it should.
            turns.put_back(job, claim, _("It ended without a word; see the log."))

    def _watch(self, child: Child, job: ReconstructionJob) -> None:
        """Wait for the end, keep the lease, end the child when the job is not ours any more."""
        assert job.claim is not None
        renew_at = time.monotonic() + RENEW_SECONDS
        while not child.wait(WATCH_SECONDS):
            if self._stopped.is_set():
                self.close()
                return
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + RENEW_SECONDS
                is_ours = turns.renew(job, job.claim)
            else:
                is_ours = turns.is_held(job.pk, job.claim)
            if not is_ours and not child.wait(GRACE_SECONDS):
                self.close()
                return

    def _bury(self, job: ReconstructionJob) -> None:
        """Note how a child ended that was not told to."""
        assert job.claim is not None
        code = self._child.close() if self._child is not None else 0
        self._child = None
        if turns.is_held(job.pk, job.claim):
            logger.warning("the process of reconstruction %s ended with %d", job.pk, code)
        words = _("Its process was ended by the system: perhaps memory ran out.")
        turns.put_back(job, job.claim, words if code < 0 else _("Its process ended; see the log."))


def drive(lane: str, stopped: threading.Event) -> None:
    """Run jobs of a lane until stopped; a database that is down is asked again."""
    here = Lane(lane, stopped)
    try:
        while not stopped.is_set():
            try:
                close_old_connections()
                if not here.run_next():
                    turns.woken.wait(IDLE_LOOK_SECONDS)
                    turns.woken.clear()
            except (DatabaseError, OSError) as error:
                logger.warning("no reconstructions: %s", type(error).__name__)
                stopped.wait(TROUBLE_SECONDS)
    finally:
        here.close()
        connections.close_all()
