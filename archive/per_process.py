"""Things of which a process has one: made on first use, and anew after a fork."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerProcess(Generic[T]):
    """Holds one `T` for this process. Safe to use from many threads."""

    def __init__(self, make: Callable[[], T], is_good: Callable[[T], bool]) -> None:
        self._make = make
        self._is_good = is_good
        self._lock = threading.Lock()
        self._pid = 0
        self._made: T | None = None

    def get(self) -> T:
        """Return the process' own object; one that is no longer good is replaced."""
        with self._lock:
            if self._made is None or self._pid != os.getpid() or not self._is_good(self._made):
                self._made = self._make()
                self._pid = os.getpid()
            return self._made

    def give_up(self) -> T | None:
        """Forget the object and return it, if this process made one."""
        with self._lock:
            made = self._made if self._pid == os.getpid() else None
            self._made = None
            return made
