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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from archive.per_process import PerProcess
from imaging.errors import BusyError
from reconstruction.compiled import code_folder, load_kernels, load_projections, load_rays

logger = logging.getLogger(__name__)

# So long after its start a worker compiles: whoever starts a house looks at other things first.
START_AFTER_SECONDS = 30.0
_LOOK_SECONDS = 0.2
_CODE = """
import os, sys
os.nice(int(sys.argv[1]))
import django
django.setup()
from reconstruction import compiled
for name in sys.argv[2:]:
    getattr(compiled, name)()
"""


@dataclass(frozen=True)
class _Loops:
    """A module of loops: who loads it, and of which file of its code it is known to be whole."""

    load: Any
    source: str
    last: str

    def are_compiled(self) -> bool:
        """Whether this process has them, or compiled ones lie there, newer than their source."""
        if self.load.cache_info().currsize:
            return True
        changed = Path(__file__).with_name(self.source).stat().st_mtime
        kept = code_folder().rglob(self.last)
        return any(path.stat().st_mtime > changed for path in kept)


PLANES = _Loops(load_kernels, "kernels.py", "kernels.cut*.nbi")
VIEWS = _Loops(load_rays, "rays.py", "rays.composite*.nbi")
PROJECTIONS = _Loops(load_projections, "projection_kernels.py", "projection_kernels.turn*.nbi")


def compile_at_leisure(stopped: threading.Event) -> None:
    """Compile the kernels a while after the start, behind everything else, unless stopped."""
    if not stopped.wait(START_AFTER_SECONDS):
        compile_ahead(stopped, PLANES, VIEWS, PROJECTIONS, niceness=19)


def compile_ahead(stopped: threading.Event, *wanted: _Loops, niceness: int) -> None:
    """Compile loops in a child, unless that was done. Blocks until it ends, or `stopped`."""
    names = [one.load.__name__ for one in wanted if not one.are_compiled()]
    if not names:
        return
    environment = dict(os.environ)
    if settings.SETTINGS_MODULE:  # None where settings are overridden for a while
        environment["DJANGO_SETTINGS_MODULE"] = settings.SETTINGS_MODULE
    child = subprocess.Popen(
        [sys.executable, "-c", _CODE, str(niceness), *names],
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


def kernels_within(wait_seconds: float) -> Any:
    """Return the kernels as `load_kernels`; waits so long at most.

    Raises `BusyError` when they are not compiled by then, which goes on; else as `load_kernels`.
    """
    return _within(_planes, wait_seconds)


def rays_within(wait_seconds: float) -> Any:
    """Return the loops of views as `load_rays`; else as `kernels_within`."""
    return _within(_views, wait_seconds)


def _within(loading: PerProcess[Future[Any]], wait_seconds: float) -> Any:
    try:
        return loading.get().result(wait_seconds)
    except NotYetError:
        words = "The server is being prepared for planes; ask again in a moment."
        raise BusyError(words, progress=1.0) from None


def _begin(wanted: _Loops) -> Future[Any]:
    future: Future[Any] = Future()

    def load() -> None:
        try:
            compile_ahead(threading.Event(), wanted, niceness=0)
            future.set_result(wanted.load())
        except BaseException as error:  # noqa: BLE001  (whoever waits gets it)
            future.set_exception(error)

    threading.Thread(target=load, name="kernels", daemon=True).start()
    return future


def _is_good(made: Future[Any]) -> bool:
    return not made.done() or made.exception() is None


_planes: PerProcess[Future[Any]] = PerProcess(lambda: _begin(PLANES), _is_good)
_views: PerProcess[Future[Any]] = PerProcess(lambda: _begin(VIEWS), _is_good)
