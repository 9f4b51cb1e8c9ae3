"""One log file for many processes, and lines that hold no patient data."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import time
from pathlib import Path

# PostgreSQL quotes the values of a row in these lines of its errors.
_ROW_VALUES = re.compile(r"^(DETAIL|CONTEXT|PARAMETERS):.*$", re.MULTILINE)
_BREAKS = str.maketrans({"\r": "\\r", "\n": "\\n", "\x1b": "\\x1b", "\x00": "\\0"})


class LineFormatter(logging.Formatter):
    """One event a line in UTC; a traceback follows its line."""

    converter = time.gmtime  # type: ignore[assignment]
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__(
            "%(asctime)s %(levelname)s %(name)s [%(process)d] %(message)s", "%Y-%m-%dT%H:%M:%S"
        )

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        """Keep foreign text from forging a line of its own."""
        record.message = record.message.translate(_BREAKS)
        return super().formatMessage(record)

    def formatException(self, ei: object) -> str:  # noqa: N802  (logging's name)
        """Return the traceback without the values that a database quotes."""
        return _ROW_VALUES.sub(r"\1: (left out)", super().formatException(ei))  # type: ignore[arg-type]


class SharedRotatingFileHandler(logging.Handler):
    """Append to one file from many processes and rotate it once.

    A line is one write to a descriptor opened for appending, so lines of
    several processes never mix. Who finds the file full takes a lock and
    renames; the others notice that the name leads to another file now.
    A log that can't be written is never a reason to stop: the console has it.
    """

    def __init__(self, path: str, max_bytes: int, keep: int) -> None:
        super().__init__()
        self.path = Path(path)
        self.max_bytes = max_bytes
        self.keep = keep
        self._descriptor: int | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            line = self.format(record) + "\n"
            descriptor = self._open_current()
            os.write(descriptor, line.encode("utf-8", "backslashreplace"))
            if os.fstat(descriptor).st_size > self.max_bytes:
                self._rotate(descriptor)
        except OSError:
            self._close_descriptor()

    def close(self) -> None:
        """Close the file."""
        self._close_descriptor()
        super().close()

    def _open_current(self) -> int:
        """Return a descriptor of the file that bears the name now."""
        if self._descriptor is not None and self._is_current(self._descriptor):
            return self._descriptor
        self._close_descriptor()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o640)
        return self._descriptor

    def _is_current(self, descriptor: int) -> bool:
        """Say whether the descriptor is the file under the name."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self, descriptor: int) -> None:
        """Move the full file aside, unless another process just did."""
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._is_current(descriptor):
                for number in range(self.keep - 1, 0, -1):
                    older = self._numbered(number)
                    if older.exists():
                        older.replace(self._numbered(number + 1))
                self.path.replace(self._numbered(1))
        finally:
            os.close(lock)
            self._close_descriptor()

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _close_descriptor(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
