"""`make test`: everything that this machine can run.

Starts PostgreSQL and Redis of its own when they are installed and none are
given by NOCTIS_TEST_POSTGRES_URL and NOCTIS_TEST_REDIS_URL. Browsers are tried,
on SQLite, while all else runs on PostgreSQL and then on SQLite; their words
follow. With NOCTIS_REQUIRE_SERVICES=1 a test skipped for want of a
service is a failure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FrameType

from tests import services

# Half of the time, and one core's work.
BROWSERS = ["tests/browser"]
# What depends on the database, from single functions to real associations.
ON_POSTGRESQL = ["tests/unit", "tests/permissions", "tests/conformance/test_dimse_store.py"]
NOT_ON_POSTGRESQL = ["tests/unit/imaging", "tests/unit/archive/test_unpack.py"]


def main(arguments: list[str]) -> int:
    """Run the tests; `arguments` go to pytest, for a single run on SQLite."""
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.ExitStack() as stack:
        environment = {**os.environ}
        environment.pop("DATABASE_URL", None)
        for name, start in (
            ("NOCTIS_TEST_POSTGRES_URL", services.run_postgres),
            ("NOCTIS_TEST_REDIS_URL", services.run_redis),
        ):
            url = environment.get(name) or stack.enter_context(start())
            if url:
                environment[name] = url
        postgres = environment.get("NOCTIS_TEST_POSTGRES_URL")
        if arguments or not postgres:
            if not postgres:
                print("--- PostgreSQL is not installed here: SQLite alone is tested", flush=True)
            return subprocess.run(_pytest(arguments), env=environment, check=False).returncode
        with _running_aside(_pytest(BROWSERS), environment) as browsers:
            print("--- on PostgreSQL: what works on the database", flush=True)
            ignored = [f"--ignore={path}" for path in NOT_ON_POSTGRESQL]
            command = _pytest([*ON_POSTGRESQL, "-m", "not browser and not service", *ignored])
            there = {**environment, "DATABASE_URL": postgres}
            code = subprocess.run(command, env=there, check=False).returncode
            print("--- on SQLite: all but browsers", flush=True)
            ignored = [f"--ignore={path}" for path in BROWSERS]
            others = subprocess.run(_pytest(ignored), env=environment, check=False).returncode
            print("--- on SQLite: browsers", flush=True)
            return browsers() or others or code


@contextlib.contextmanager
def _running_aside(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Callable[[], int]]:
    """Run a command; gives the function that prints its words to the end and returns its code."""
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, env=environment, stdout=words, stderr=words)

        def follow() -> int:
            seen = 0
            while True:
                code = process.poll()
                fresh = os.pread(words.fileno(), 1 << 20, seen)
                seen += len(fresh)
                sys.stdout.buffer.write(fresh)
                sys.stdout.buffer.flush()
                if code is not None and not fresh:
                    return code
                time.sleep(0 if fresh else 0.5)

        try:
            yield follow
        finally:
            process.terminate()
            process.wait()


def _pytest(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", "-rs", *arguments]


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind, so that the services end."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
