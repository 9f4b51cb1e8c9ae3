"""A bounded number of places for heavy work, and a bounded queue before them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from imaging.errors import BusyError


class Places:
    """At most `limit` callers work at one time, at most `waiting_limit` wait, not for long.

    So a storm of requests costs a refusal each, not memory.
    """

    def __init__(self, limit: int, *, waiting_limit: int = 0, wait_seconds: float = 0) -> None:
        self._free = limit
        self._waiting = 0
        self._waiting_limit = waiting_limit
        self._wait_seconds = wait_seconds
        self._turn = threading.Condition()

    @contextlib.contextmanager
    def one(self) -> Iterator[None]:
        """Hold a place while the block runs; raises `BusyError` when there is none."""
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def take(self) -> None:
        """Take a place; may block. Raises `BusyError` when all are taken for too long."""
        with self._turn:
            if not self._free:
                if self._waiting >= self._waiting_limit:
                    raise BusyError("Too many pictures are wanted at once; try again in a moment.")
                self._wait()
            self._free -= 1

    def has_spare(self) -> bool:
        """Whether somebody in no hurry could take a place and leave one for the next."""
        with self._turn:
            return self._free > 1 and not self._waiting

    def give_back(self) -> None:
        """Give a place back that was taken."""
        with self._turn:
            self._free += 1
            self._turn.notify()

    def _wait(self) -> None:
        self._waiting += 1
        try:
            came = self._turn.wait_for(lambda: self._free > 0, self._wait_seconds)
        finally:
            self._waiting -= 1
        if not came:
            raise BusyError("Pictures take long at the moment; try again.")
