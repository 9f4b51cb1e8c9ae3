"""What the caches of all processes of this machine did, added up in one small file.

Each process counts in memory and adds what is new a few seconds later, under
a lock. A file that is thrown away begins at nothing, as counters may.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

FLUSH_SECONDS = 5.0


class CacheCounts:
    """Counts by name for all processes that share the file. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._new: Counter[str] = Counter()
        self._timer: threading.Timer | None = None
        atexit.register(self.flush)

    def add(self, *names: str, amount: int = 1) -> None:
        """Add to one or several counts."""
        with self._lock:
            for name in names:
                self._new[name] += amount
            if self._timer is None:
                self._timer = threading.Timer(FLUSH_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Add what this process counted to the file; kept for later when that fails."""
        with self._lock:
            timer, self._timer = self._timer, None
            new, self._new = self._new, Counter()
        if timer is not None:
            timer.cancel()
        if new and not self._add_to_file(new):
            with self._lock:
                self._new.update(new)

    def read(self) -> Counter[str]:
        """Return all counts, those of this process up to now."""
        self.flush()
        try:
            counts = _parse(self._path.read_bytes())
        except OSError:
            counts = Counter()
        with self._lock:
            return counts + self._new

    def _add_to_file(self, new: Counter[str]) -> bool:
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "r+b", buffering=0) as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                counts = _parse(file.readall())
                text = json.dumps(counts + new).encode()
                file.seek(0)
                file.write(text)
                file.truncate(len(text))
                return True
        return False


def _parse(text: bytes) -> Counter[str]:
    try:
        counts = json.loads(text)
        return Counter({str(name): int(count) for name, count in counts.items()})
    except (ValueError, TypeError, AttributeError):
        return Counter()
