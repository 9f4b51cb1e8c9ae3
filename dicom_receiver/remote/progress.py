"""How far an import is: counted as it goes, written to its row now and then."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

TELL_SECONDS = 0.5
_REASONS_LIMIT = 20


class Tally:
    """What has come in, what was refused and why."""

    def __init__(self, tell: Callable[[Tally], None]) -> None:
        self.done = 0
        self.failed = 0
        self.expected: int | None = None
        self._reasons: Counter[str] = Counter()
        self._tell = tell
        self._told_at = time.monotonic()

    def take(self) -> None:
        """Count one that is in the archive now."""
        self.done += 1
        self._say()

    def refuse(self, reason: str) -> None:
        """Count one that is not, and keep why."""
        self.failed += 1
        if reason in self._reasons or len(self._reasons) < _REASONS_LIMIT:
            self._reasons[reason] += 1
        self._say()

    def set(self, *, done: int, failed: int, expected: int | None) -> None:
        """Take over counts that the other side tells."""
        self.done, self.failed = done, failed
        if expected is not None:
            self.expected = expected
        self._say()

    @property
    def reason(self) -> str:
        """The most frequent reason of those that were refused, "" without any."""
        return self._reasons.most_common(1)[0][0] if self._reasons else ""

    def _say(self) -> None:
        now = time.monotonic()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            self._tell(self)
