"""Child processes made by copying a process that has all modules at hand already.

A copy serves at once and shares its parent's memory. It may be made only while
the parent has one thread and no connection to the database.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable

logger = logging.getLogger("noctis.dimse")

_LOOK_SECONDS = 0.02


class Copy:
    """A child made by `copy_process`, with the words of `subprocess.Popen` that we use."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._code = os.waitstatus_to_exitcode(status)
        return self._code

    def kill(self) -> None:
        """Kill it, unless it has ended: its number may be another's by then."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raises TimeoutExpired when it still runs after so many seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired("a copied process", timeout or 0.0)
            time.sleep(_LOOK_SECONDS)
        return code


def copy_process(run: Callable[[], None]) -> Copy:
    """Run a function in a copy of this process, which ends with it."""
    # What is alive now lives on: the collector need not touch, and so unshare, its memory.
    gc.freeze()
    pid = os.fork()
    if pid:
        return Copy(pid)
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        run()
    except BaseException:
        logger.exception("a receiver process broke down")
    finally:
        logging.shutdown()
        os._exit(1)
