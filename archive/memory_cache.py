"""What was made lately, kept in memory: bounded by bytes, the least recently used goes first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

from imaging.errors import TransientError

V = TypeVar("V")

# What one value may take of the whole: a huge one would push out everything else.
LARGEST_SHARE = 0.25


class MemoryCache(Generic[V]):
    """Values by key, at most `limit_bytes` of them. Safe to use from many threads."""

    def __init__(self, limit_bytes: int, size_of: Callable[[V], int]) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0
        self._size_of = size_of
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> V | None:
        """Return the value, None when it is not here; it counts as used now."""
        with self._lock:
            kept = self._values.get(key)
            if kept is None:
                return None
            self._values.move_to_end(key)
            return kept[0]

    def put(self, key: Hashable, value: V) -> int:
        """Keep a value unless it is too large; returns how many others had to go."""
        size = self._size_of(value)
        if size > self.limit_bytes * LARGEST_SHARE:
            return 0
        gone = 0
        with self._lock:
            before = self._values.pop(key, None)
            self.used_bytes += size - (before[1] if before else 0)
            self._values[key] = (value, size)
            while self.used_bytes > self.limit_bytes:
                _key, (_value, freed) = self._values.popitem(last=False)
                self.used_bytes -= freed
                gone += 1
        return gone


class Flights(Generic[V]):
    """Whoever wants what somebody is making already waits for that, instead of making it twice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[Hashable, Future[V]] = {}

    def join(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return what `make` returns, here or in the thread that began first.

        Errors are shared too, but not transient ones: that the other was
        refused a place says nothing about us.
        """
        while True:
            with self._lock:
                flight = self._flying.get(key)
                is_mine = flight is None
                if flight is None:
                    flight = self._flying[key] = Future()
            if is_mine:
                return self._fly(key, flight, make)
            try:
                return flight.result()
            except TransientError:
                continue

    def _fly(self, key: Hashable, flight: Future[V], make: Callable[[], V]) -> V:
        try:
            value = make()
        except BaseException as error:
            self._land(key)
            flight.set_exception(error)
            raise
        self._land(key)
        flight.set_result(value)
        return value

    def _land(self, key: Hashable) -> None:
        with self._lock:
            del self._flying[key]
