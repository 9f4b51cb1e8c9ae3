"""The process in which jobs run: told by its worker what to run, it answers a byte when it is over.

A process of its own, so that a cancelled job ends whatever it is doing, memory goes back to
the machine, and a job that dies takes nobody with it. It ends when its worker does.

    python -m reconstruction.child    reads "<job> <claim>" a line from standard input
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import django

READY, OVER = b"r", b"."
_NICENESS = 5


def main() -> None:
    """Serve the worker until it closes our input."""
    answers = os.dup(1)
    # Whatever libraries print must not be taken for an answer.
    os.dup2(2, 1)
    _become_modest()
    orders: queue.SimpleQueue[tuple[uuid.UUID, uuid.UUID]] = queue.SimpleQueue()
    reader = threading.Thread(target=_read, args=(sys.stdin.buffer, orders), daemon=True)
    reader.start()
    django.setup()
    # Only now are there models to import.
    from django.db import close_old_connections  # noqa: PLC0415

    from reconstruction.run import run_safely  # noqa: PLC0415
    from reconstruction.volumes import is_building  # noqa: PLC0415

    os.write(answers, READY)
    while True:
        key, claim = orders.get()
        close_old_connections()
        run_safely(key, claim)
        if is_building():
            # Nobody wants it any more; what is half written is taken up by who comes next.
            os._exit(0)
        os.write(answers, OVER)


def _read(file: BinaryIO, orders: queue.SimpleQueue[tuple[uuid.UUID, uuid.UUID]]) -> None:
    """Pass orders on; when the worker has gone, so do we, in the middle of whatever runs."""
    for line in file:
        key, claim = line.decode("ascii").split()
        orders.put((uuid.UUID(key), uuid.UUID(claim)))
    os._exit(0)


def _become_modest() -> None:
    """Let pages go first, and be the first to go when memory runs out."""
    with suppress(OSError):
        os.nice(_NICENESS)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


if __name__ == "__main__":
    main()
