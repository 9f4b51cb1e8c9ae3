"""The compiler's work done before somebody waits for it, in a process of its own.

Compiling takes Python's lock for many seconds: in a process that answers requests all of them
would stand still. What the child has compiled lies in the home's `cache/kernels`, from where it
is loaded in less than a second.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYetError
from pathlib import Path
from typing import Any

from django.conf import settings

from archive.per_process import PerProcess
from imaging.errors import BusyError
from reconstruction.compiled import code_folder, load_kernels

logger = logging.getLogger(__name__)

# So long after its start a worker compiles: whoever starts a house looks at other things first.
START_AFTER_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_CODE = """
import os, sys
os.nice(int(sys.argv[1]))
import django
django.setup()
from reconstruction.compiled import code_folder, load_kernels
load_kernels()
"""


def compile_at_leisure(stopped: threading.Event) -> None:
    """Compile the kernels a while after the start, behind everything else, unless stopped."""
    if not stopped.wait(START_AFTER_SECONDS):
        compile_ahead(stopped, niceness=19)


def compile_ahead(stopped: threading.Event, *, niceness: int) -> None:
    """Compile the kernels in a child, unless that was done. Blocks until it ends, or `stopped`."""
    if _are_compiled():
        return
    environment = dict(os.environ)
    if settings.SETTINGS_MODULE:  # None where settings are overridden for a while
        environment["DJANGO_SETTINGS_MODULE"] = settings.SETTINGS_MODULE
    child = subprocess.Popen(
        [sys.executable, "-c", _CODE, str(niceness)],
        cwd=settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    while child.poll() is None:
        if stopped.wait(_LOOK_SECONDS):
            child.terminate()
            child.wait()
            return
    if child.returncode:
        logger.warning("kernels could not be compiled ahead: the first plane will try again")


def _are_compiled() -> bool:
    """Whether this process has the kernels, or compiled ones lie there, newer than their source."""
    if load_kernels.cache_info().currsize:
        return True
    changed = Path(__file__).with_name("kernels.py").stat().st_mtime
    kept = code_folder().rglob("kernels.cut*.nbi")
    return any(path.stat().st_mtime > changed for path in kept)


def kernels_within(wait_seconds: float) -> Any:
    """Return the kernels as `load_kernels`; waits so long at most.

    Raises `BusyError` when they are not compiled by then, which goes on; else as `load_kernels`.
    """
    try:
        return _loading.get().result(wait_seconds)
    except NotYetError:
        words = "The server is being prepared for planes; ask again in a moment."
        raise BusyError(words, progress=1.0) from None


def _begin() -> Future[Any]:
    future: Future[Any] = Future()

    def load() -> None:
        try:
            compile_ahead(threading.Event(), niceness=0)
            future.set_result(load_kernels())
        except BaseException as error:  # noqa: BLE001  (whoever waits gets it)
            future.set_exception(error)

    threading.Thread(target=load, name="kernels", daemon=True).start()
    return future


_loading: PerProcess[Future[Any]] = PerProcess(
    _begin, lambda made: not made.done() or made.exception() is None
)
