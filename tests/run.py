"""`make test`: everything that this machine can run.

Starts PostgreSQL and Redis of its own when they are installed and none are
given by NOCTIS_TEST_POSTGRES_URL and NOCTIS_TEST_REDIS_URL. The tests go in
parts, two at a time; a part's words follow when it
has ended, and those of parts that failed come last. With
NOCTIS_REQUIRE_SERVICES=1 a test skipped for want of a service is a failure.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from tests import migrated, services

AT_A_TIME = 2
BROWSERS = "tests/browser"
IMAGING = "tests/unit/imaging"
ROOMS = ("tests/unit", "tests/permissions")
# Of the rooms that speak to the database through models alone, those tests that search, or in which
# two write at once: SQLite has no locks on rows. PostgreSQL's tables are made for all rooms in any case.
LOCKING = (
    "tests/unit/viewer/test_measurements.py",
    "tests/unit/viewer/test_annotations.py",
    "tests/unit/viewer/test_centrelines.py",
    "tests/unit/viewer/test_hanging.py",
    "tests/unit/reconstruction/test_jobs.py",
    "tests/unit/reconstruction/test_running.py",
    "tests/unit/dicomweb/test_search.py",
    "tests/unit/dicomweb/test_delete.py",
    "tests/unit/dicomweb/test_workflow.py",
)
_NOT_WHOLE = {"imaging", "reconstruction", "viewer", "dicomweb"}
# Of the other rooms, what looks at pixels and documents and asks the database by keys alone.
PIXELS = (
    *(
        f"tests/unit/archive/test_{name}.py"
        for name in (
            "frames",
            "kept_frames",
            "inflated",
            "overlays",
            "colours",
            "passport",
            "stack",
        )
    ),
    "tests/unit/archive/test_commands_of_import.py",
    "tests/unit/dicom_receiver/remote/test_web_query.py",
    "tests/unit/noctis/test_openapi.py",
    "tests/unit/noctis/test_python_page.py",
)


def _find_others() -> list[str]:
    """Return the rooms that speak to the database in their own words, too."""
    rooms = sorted(Path(__file__).with_name("unit").iterdir())
    return [f"tests/unit/{one.name}" for one in rooms if _is_room(one)]


def _is_room(path: Path) -> bool:
    return path.name not in _NOT_WHOLE and not path.name.startswith(("_", "."))


@dataclass(frozen=True, slots=True)
class Part:
    """One run of pytest."""

    name: str
    paths: Sequence[str]
    without: Sequence[str] = ()
    options: Sequence[str] = ()
    is_on_postgresql: bool = False

    def command(self) -> list[str]:
        """Return what is to be run."""
        ignored = [f"--ignore={path}" for path in self.without]
        return [*_PYTEST, *self.paths, *ignored, *self.options]


_PYTEST = (sys.executable, "-m", "pytest", "-rs")
# The longest first, so that all lanes end together.
PARTS = (
    Part("whole houses", ["tests"], without=[BROWSERS, *ROOMS]),
    Part("browsers", [BROWSERS]),
    Part(
        "on PostgreSQL: what works on the database",
        [*_find_others(), "tests/conformance/test_dimse_store.py", *LOCKING],
        without=PIXELS,
        options=["--database-only", "-m", "not browser and not service"],
        is_on_postgresql=True,
    ),
    Part("on SQLite: rooms and permissions", ROOMS, without=[IMAGING]),
    Part("imaging", [IMAGING]),
)


def main(arguments: list[str]) -> int:
    """Run the tests; `arguments` go to pytest, for a single run on SQLite."""
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.ExitStack() as stack:
        environment = {**os.environ}
        environment.pop("DATABASE_URL", None)
        # Compiled once for all parts and the hundreds of processes that they start.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        compiled = tempfile.TemporaryDirectory(prefix="noctis-kernels-")
        environment["NUMBA_CACHE_DIR"] = stack.enter_context(compiled)
        tables = tempfile.TemporaryDirectory(prefix="noctis-migrated-")
        environment[migrated.FOLDER] = stack.enter_context(tables)
        for name, start in (
            ("NOCTIS_TEST_POSTGRES_URL", services.run_postgres),
            ("NOCTIS_TEST_REDIS_URL", services.run_redis),
        ):
            url = environment.get(name) or stack.enter_context(start())
            if url:
                environment[name] = url
        if arguments:
            command = [*_PYTEST, *arguments]
            return subprocess.run(command, env=environment, check=False).returncode
        if not environment.get("NOCTIS_TEST_POSTGRES_URL"):
            print("--- PostgreSQL is not installed here: SQLite alone is tested", flush=True)
        return stack.enter_context(_Lanes(environment)).run()


@dataclass
class _Running:
    part: Part
    process: subprocess.Popen[bytes]
    words: IO[bytes]
    started: float = field(default_factory=time.monotonic)

    def tell(self) -> None:
        """Print what the part said, from the beginning."""
        seconds = time.monotonic() - self.started
        print(f"--- {self.part.name} ({seconds:.0f} s)", flush=True)
        self.words.seek(0)
        sys.stdout.buffer.write(self.words.read())
        sys.stdout.buffer.flush()


class _Lanes(contextlib.AbstractContextManager["_Lanes"]):
    """Runs the parts, so many at a time; leaving it ends what still runs."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: list[_Running] = []
        self._files = contextlib.ExitStack()

    def run(self) -> int:
        """Return the code of a part that failed, or 0."""
        postgres = self._environment.get("NOCTIS_TEST_POSTGRES_URL")
        waiting = [part for part in PARTS if postgres or not part.is_on_postgresql]
        failed: list[_Running] = []
        while waiting or self._running:
            while waiting and len(self._running) < AT_A_TIME:
                self._start(waiting.pop(0))
            time.sleep(0.2)
            for one in [one for one in self._running if one.process.poll() is not None]:
                self._running.remove(one)
                if one.process.returncode == 0:
                    one.tell()
                else:
                    print(f"--- {one.part.name}: failed, its words come last", flush=True)
                    failed.append(one)
        for one in failed:
            one.tell()
        return failed[0].process.returncode if failed else 0

    def _start(self, part: Part) -> None:
        print(f"--- {part.name}: begun", flush=True)
        environment = dict(self._environment)
        if part.is_on_postgresql:
            environment["DATABASE_URL"] = environment["NOCTIS_TEST_POSTGRES_URL"]
        words = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (it is)
        process = subprocess.Popen(
            part.command(), env=environment, stdout=words, stderr=subprocess.STDOUT
        )
        self._running.append(_Running(part, process, words))

    def __exit__(self, *error: object) -> None:
        for one in self._running:
            one.process.send_signal(signal.SIGINT)  # pytest ends what its tests began
        for one in self._running:
            one.process.wait()
        self._files.close()


def _leave(number: int, frame: FrameType | None) -> None:
    """Unwind, so that the services end."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
