"""The real receiver in processes of its own, on the test's database and in the test's home."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from django.db import connections

from tests import migrated
from tests.conformance.dimse import (
    EXPLICIT_LITTLE,
    VERIFICATION,
    AbortedError,
    Client,
    ClosedError,
    RefusedError,
    context,
)
from tests.services import find_free_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0


def database_url() -> str:
    """Return the address of this test's database, as another process must write it."""
    chosen = connections["default"].settings_dict
    if chosen["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{chosen['NAME']}"
    login = ":".join(quote(chosen[key], safe="") for key in ("USER", "PASSWORD") if chosen[key])
    return f"postgresql://{login}@{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"


def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


class Reachable:
    """What callers and the archive see of a receiver, whatever process it lives in."""

    number: int
    home: Path

    def client(self) -> Client:
        return Client(self.number)

    def media_files(self) -> list[Path]:
        """Return every stored or half-received file of this home."""
        found = (self.home / "media").rglob("*")
        return sorted(path for path in found if path.is_file())

    def echoes(self, **also: bytes) -> bool:
        """Whether somebody who calls now gets an answer within seconds."""
        with suppress(OSError, ClosedError, AbortedError, RefusedError), self.client() as client:
            client.associate(context(1, VERIFICATION, EXPLICIT_LITTLE), **also)
            status = client.echo()
            client.release()
            return status == 0
        return False


class Port(Reachable):
    """`manage.py receive` and its children."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.number = find_free_port()
        self.home = home
        self.log = home / f"receiver-{self.number}.log"
        self._variables = variables
        self._process: subprocess.Popen[bytes] | None = None

    def migrate(self) -> None:
        """Make the tables, where the database is not the test's own."""
        migrated.copy_to(self.home)

    def manage(self, *arguments: str) -> str:
        """Run a command in the receiver's home; return what it prints."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment(),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def start(self) -> Port:
        self._process = self.launch()
        wait_for(self._answers, START_SECONDS)
        return self

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the command; does not wait until it listens."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "manage.py", "receive", "--port", str(self.number)],
                cwd=ROOT,
                env=self._environment(),
                stdout=subprocess.DEVNULL,
                stderr=log,
            )

    def stop(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(40)

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; return the exit code and the seconds until all was over."""
        assert self._process is not None
        began = time.monotonic()
        children = self.children()
        self._process.send_signal(how)
        code = self._process.wait(40)
        wait_for(lambda: not any(is_alive(pid) for pid in children), 40)
        return code, time.monotonic() - began

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self) -> list[int]:
        return [
            int(pid)
            for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        ]

    def said(self) -> str:
        return self.log.read_text()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.said()
        # Both children serve: none of them is started in the middle of a test.
        return self.said().count(" serves") >= 2 and self.echoes(calling=b"STARTER")

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("NOCTIS_", "DJANGO_", "DATABASE_URL"))
        }
        return {
            **kept,
            "NOCTIS_HOME": str(self.home),
            **({} if "DATABASE_URL" in self._variables else {"DATABASE_URL": database_url()}),
            "NOCTIS_DISK_RESERVE_MB": "0",
            "NOCTIS_RECEIVER_PROCESSES": "2",
            **self._variables,
        }


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def memory_bytes(pid: int) -> int:
    """Return the process' highest resident memory so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no memory is told")
