"""`make test`: everything that this machine can run.

Starts PostgreSQL and Redis of its own when they are installed and none are
given by NOCTIS_TEST_POSTGRES_URL and NOCTIS_TEST_REDIS_URL. What works on the
database runs on PostgreSQL first, then everything runs on SQLite. With
NOCTIS_REQUIRE_SERVICES=1 a test skipped for want of a service is a failure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from types import FrameType

from tests import services

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
        if postgres and not arguments:
            print("--- on PostgreSQL: what works on the database", flush=True)
            ignored = [f"--ignore={path}" for path in NOT_ON_POSTGRESQL]
            selection = ["-m", "not browser and not service", *ignored]
            code = _run_pytest(
                [*ON_POSTGRESQL, *selection], {**environment, "DATABASE_URL": postgres}
            )
            if code:
                return code
        elif not postgres:
            print("--- PostgreSQL is not installed here: SQLite alone is tested", flush=True)
        print("--- on SQLite: everything", flush=True)
        return _run_pytest(arguments, environment)


def _run_pytest(arguments: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rs", *arguments], env=environment, check=False
    ).returncode


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind, so that the services end."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
